"""Servers that take messages over HTTP in a thread of their own: they keep what they take, fail, go, and come back."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sentry_sdk.envelope import Envelope

from tests.ports import find_port

# https://develop.sentry.dev/sdk/foundations/transport/event-payloads/
SENTRY_LEVELS = ("fatal", "error", "warning", "info", "debug")
MAX_EVENT_BYTES = 1024 * 1024
SENTRY_KEY = "0123456789abcdef0123456789abcdef"


class Mood(Enum):
    """How a server answers."""

    GOOD = auto()
    BUSY = auto()
    """With 503, and it keeps nothing."""
    HANGING_UP = auto()
    """Not at all, and it keeps nothing."""
    FORGETFUL = auto()
    """Not at all, although it has kept what came: whoever sent it must send it again."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was kept."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server at a port that stays its own. It is there while `serving`."""

    port: int = field(default_factory=find_port)
    mood: Mood = Mood.GOOD
    kept: list[Request] = field(default_factory=list)
    failed: int = 0
    """Requests that were not answered well."""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/messages"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the block ends."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                """Take a request, if it came as a whole: whoever sends it may be killed in the middle."""
                length = int(self.headers["content-length"])
                if len(body := self.rfile.read(length)) < length:
                    self.close_connection = True
                    return
                status = receiver.take(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                if status is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def take(self, request: Request) -> int | None:
        """Return the status of the answer, or None if there is to be none."""
        mood = self.mood
        self.failed += mood is not Mood.GOOD
        if mood in {Mood.GOOD, Mood.FORGETFUL}:
            self.kept.append(request)
        return {Mood.GOOD: 200, Mood.BUSY: 503}.get(mood)

    def list_messages(self) -> list[dict[str, Any]]:
        """Return the messages of all that was kept, in order: arrays of JSON, or a value on each line."""
        messages: list[dict[str, Any]] = []
        for request in list(self.kept):
            text = read_body(request)
            messages += json.loads(text) if text.startswith(b"[") else map(json.loads, text.splitlines())
        return messages


class SentryReceiver(Receiver):
    """A receiver of Sentry's protocol."""

    @property
    def dsn(self) -> str:
        """What a sender is given."""
        return f"http://{SENTRY_KEY}@127.0.0.1:{self.port}/42"

    def list_events(self) -> list[dict[str, Any]]:
        """Return the events of all that was kept. Each envelope must be as Sentry demands."""
        return [event for request in list(self.kept) for event in read_events(request)]


def read_body(request: Request) -> bytes:
    """Return the body as it was before it was compressed."""
    encoding = request.headers.get("content-encoding")
    assert encoding in {None, "gzip"}
    return gzip.decompress(request.body) if encoding else request.body


def read_events(request: Request) -> list[dict[str, Any]]:
    """Return the event of an envelope, if it has one.

    The rules: https://develop.sentry.dev/sdk/foundations/transport/envelopes/ and what it leads to. An envelope goes to
    its own path, with the key of the DSN; it holds one event at most, whose identity stands before it; the length of
    an item is what its header says.
    """
    assert urlsplit(request.path).path == "/api/42/envelope/"
    assert request.headers["content-type"] == "application/x-sentry-envelope"
    check_auth(request.headers["x-sentry-auth"])
    body = read_body(request)
    envelope = Envelope.deserialize(body)
    check_lengths(body)
    events: list[dict[str, Any]] = []
    for item in envelope.items:
        if item.type == "event":
            assert isinstance(item.payload.json, dict)
            events.append(item.payload.json)
    assert len(events) <= 1
    for event in events:
        check_event(event)
        assert envelope.headers["event_id"] == event["event_id"]
    return events


def check_auth(header: str) -> None:
    """https://develop.sentry.dev/sdk/foundations/transport/authentication/."""
    scheme, _, rest = header.partition(" ")
    pairs = dict(pair.strip().split("=", 1) for pair in rest.split(","))
    assert (scheme, pairs["sentry_version"], pairs["sentry_key"]) == ("Sentry", "7", SENTRY_KEY)
    assert re.fullmatch(r"[\w.-]+/[\w.+-]+", pairs["sentry_client"])


def check_lengths(body: bytes) -> None:
    """Each payload has the length that its header says, and ends with its line or the envelope."""
    _, _, rest = body.partition(b"\n")
    while rest:
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        assert header["type"]
        length = header.get("length", len(rest.partition(b"\n")[0]))
        assert len(rest) >= length <= MAX_EVENT_BYTES
        assert rest[length : length + 1] in {b"", b"\n"}
        rest = rest[length + 1 :]


def check_event(event: dict[str, Any]) -> None:
    """All that an event must have, and what of the rest has rules."""
    identity = event["event_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", identity)
    assert UUID(identity).version == 4
    assert isinstance(event["timestamp"], float | int | str)
    assert event["platform"] in {"other", "python"}
    assert event.get("level", "error") in SENTRY_LEVELS
    for tag, value in event.get("tags", {}).items():
        assert re.fullmatch(r"[\w.:-]{1,32}", tag), tag
        assert isinstance(value, str), value
        assert len(value) <= 200
        assert "\n" not in value
