"""How Sentry is spoken to (develop.sentry.dev): DSN, envelopes, rate limits, reports of what was lost. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from urllib.parse import urlsplit

import orjson

from pipeline import __version__
from pipeline.errors import SettingError

CLIENT = f"syslog-pipeline/{__version__}"
PROTOCOL_VERSION = 7
CONTENT_TYPE = "application/x-sentry-envelope"

PROJECT = re.compile(r"[A-Za-z0-9_-]+")
KEY = re.compile(r"[A-Za-z0-9_-]+")

CATEGORY = "error"
"""What events are counted as, those too that are no errors."""
DEFAULT_PAUSE_SECONDS = 60.0
"""What a 429 means that says no more."""

TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Dsn:
    """Where events go, and by what key. The key is a secret."""

    url: str
    address: str
    """For people, without the key."""
    key: str = field(repr=False)
    secret: str = field(default="", repr=False)

    def authorize(self) -> str:
        """Return the header X-Sentry-Auth."""
        secret = f", sentry_secret={self.secret}" if self.secret else ""
        return f"Sentry sentry_version={PROTOCOL_VERSION}, sentry_client={CLIENT}, sentry_key={self.key}{secret}"


def parse_dsn(what: str, text: str) -> Dsn:
    """Return what a DSN says: `https://KEY@HOST/PATH/PROJECT`; `SettingError` does not show it."""
    failure = SettingError(f"{what} must be like https://KEY@HOST/PROJECT.")
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError as error:
        raise failure from error
    folder, _, project = parts.path.rstrip("/").rpartition("/")
    key, secret = parts.username or "", parts.password or ""
    good = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    if not good or not KEY.fullmatch(key) or not PROJECT.fullmatch(project) or (secret and not KEY.fullmatch(secret)):
        raise failure
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
    base = f"{parts.scheme}://{host}{port}{folder}"
    return Dsn(f"{base}/api/{project}/envelope/", f"{base}/{project}", key, secret)


def write_envelope(event_id: str, sent_at: str, items: Sequence[tuple[str, bytes]]) -> bytes:
    """Return an envelope: a head, and for each item, of which one is an event at most, a head and its JSON."""
    head = {"event_id": event_id, "sent_at": sent_at, "sdk": {"name": "syslog-pipeline", "version": __version__}}
    parts = [orjson.dumps(head)]
    for kind, payload in items:
        item: dict[str, object] = {"type": kind, "length": len(payload)}
        if kind == "event":
            item["content_type"] = "application/json"
        parts += [orjson.dumps(item), payload]
    return b"\n".join(parts) + b"\n"


def write_report(timestamp: str, discarded: Mapping[str, int]) -> bytes:
    """Return a client report: how many events were discarded, by reason."""
    events = [
        {"reason": reason, "category": CATEGORY, "quantity": quantity}
        for reason, quantity in discarded.items()
        if quantity
    ]
    return orjson.dumps({"timestamp": timestamp, "discarded_events": events})


def find_limit(status: int, headers: Mapping[str, str], asked: float) -> float:
    """Return for how many seconds Sentry wants no events; `asked` is what `Retry-After` says, 0 if nothing.

    "On every response, look for `X-Sentry-Rate-Limits`. On `429` responses, check for `Retry-After`. On `429`
    responses without the above headers, assume a 60s rate limit for all categories."
    """
    header = headers.get("x-sentry-rate-limits")
    if header is not None:
        return max((read_limit(one) for one in header.replace(" ", "").split(",")), default=0.0)
    if status != TOO_MANY:
        return 0.0
    return asked or DEFAULT_PAUSE_SECONDS


def read_limit(text: str) -> float:
    """Return for how many seconds one limit holds for events; 0 for one of other things, or none.

    "If empty, this limit applies to all categories. Unknown dimensions must be ignored."
    """
    seconds, _, rest = text.partition(":")
    categories = rest.partition(":")[0]
    if categories and CATEGORY not in categories.split(";"):
        return 0.0
    try:
        number = float(seconds)
    except ValueError:
        # As Sentry's own clients do: who cannot read it waits all the same.
        return DEFAULT_PAUSE_SECONDS if text else 0.0
    return max(number, 0.0) if isfinite(number) else (DEFAULT_PAUSE_SECONDS if number == inf else 0.0)
