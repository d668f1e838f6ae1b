"""What strangers send to metlog: whatever it is, it is accounted for, and nobody gets what cannot be read."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.daemons import HTTP_SOCKET, fetch_metrics, wait_until
from tests.e2e.metlog_site import open_site

pytestmark = pytest.mark.slow

ROUTES = """
[[metlog.route]]
to = ["store", "statsd", "audit", "programs", "sentry", "archive"]
"""

TEXTS = (
    *("", "\0", "a\nb", "a\r\nb", "\x85\u2028", "é\ud800x", "x" * 5000, "a:1|c", "a|b@c#d", "%s%n", "../../etc"),
    *("<script>", "\x1b[31m", ']"\\', "1e400", "NaN", "-0", "9" * 400, "\ufeffmark", "\u202eevil", 'a{b="c"} 1'),
)

NUMBERS = (0, -1, 2**63 - 1, 2**63, 2**64, 10**300, -(10**400), 1e308, 0.1)

VALUES: tuple[object, ...] = (
    *TEXTS,
    *NUMBERS,
    None,
    True,
    [],
    {},
    [[]],
    {"a": {"b": [1, {"c": None}]}},
    {"": ""},
    {"a.b": 1},
)

RAW = (
    *(b"", b"\xff\xfe", b"{", b"[]", b"null", b"{}{}", b"[" * 50_000, b'{"type":"x"}\n{"type":"y"}', b'{"type":"x"}\0'),
    *(b'{"type":"\\ud800"}', b'{"type":"x","payload":"\xff"}', b' {"type" : "a", "type" : "b"} '),
    b'{"type":"x","fields":{"a":' + b"[" * 2000 + b"]" * 2000 + b"}}",
    b'{"type":"x","fields":{"n":1e999}}',
)


def make_lines() -> Iterator[bytes]:
    """Yield lines that nobody should send."""
    yield from RAW
    for value in VALUES:
        for kind in ("counter", "timer", "gauge"):
            yield spell(type=kind, payload="1", fields={"name": "n", "rate": value, "process": value})
            yield spell(type=kind, payload=value, logger=value, fields={"name": value})
        for name in ("type", "logger", "severity", "timestamp", "payload", "fields", "metlog_pid", "metlog_hostname"):
            yield spell(**{"type": "x", name: value})
        frame = {"file": value, "line": value, "function": value, "code": value}
        for exception in (value, {"type": "E", "value": value, "module": value, "traceback": [frame]}):
            yield spell(type="x", fields={"exception": exception, "key": value})
        yield spell(type="sentry", payload=value)
    yield spell(type="x", fields={str(number): number for number in range(2000)})


def spell(**envelope: object) -> bytes:
    """Return an envelope, as far as it is one."""
    return json.dumps(envelope, separators=(",", ":")).encode()


def test_messages_of_strangers_harm_nothing(folder: Path) -> None:
    """Each line is an envelope or not; each envelope comes to an end everywhere; what arrives is well-formed."""
    lines = list(make_lines())
    with (
        open_site(folder, routes=ROUTES) as site,
        site.sentry.serving(),
        site.audit.serving(),
        site.running(),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        sender.connect(str(folder / "metlog.sock"))
        for line in lines:
            sender.send(line)
        site.wait_own("metlog_lines_total", len(lines))
        wait_until(lambda: not site.read().sum_own("metlog_queued"), "nothing waits")
        page = site.read()
        assert site.statsd.count_bad_lines() == 0
        assert list(text_string_to_metric_families(fetch_metrics(folder / HTTP_SOCKET)))
    envelopes = len(lines) - page.sum_own("metlog_invalid_total")
    accounts = {name: page.list_accounts(f"{name}_total") for name in ("taken", "delivered", "refused", "dropped")}
    assert set(accounts["taken"].values()) == {envelopes}
    assert not any(accounts["dropped"].values())
    for name, taken in accounts["taken"].items():
        assert taken == accounts["delivered"][name] + accounts["refused"][name]
    assert {name for name, refused in accounts["refused"].items() if refused} == {"store", "statsd", "sentry"}
    assert len(site.audit.list_messages()) == envelopes
    assert len(site.sentry.list_events()) == accounts["delivered"]["sentry"]
    archive = (folder / "archive.json").read_bytes().split(b"\n")
    assert [type(json.loads(line)) for line in archive[:-1]] == [dict] * int(envelopes)
