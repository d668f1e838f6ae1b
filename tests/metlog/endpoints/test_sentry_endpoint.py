"""The endpoint `sentry`, by Sentry's published rules; what is sent is read by Sentry's own classes."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk.envelope import Envelope
from sentry_sdk.utils import Dsn as PublishedDsn
from trio.testing import MockClock

from pipeline import __version__
from pipeline.endpoint_settings import SentryEndpointSettings
from pipeline.errors import SettingError
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.sentry_event import MAX_EVENT_BYTES, EventForm, make_event_id
from pipeline.metlog.endpoints.sentry_protocol import find_limit, parse_dsn, write_envelope
from tests.metlog.endpoints.messages import NOW, make_message, make_numbered
from tests.metlog.endpoints.running import make, opened, running, send_all, write_secret
from tests.pushers.http_peer import HttpPeer, Received, Reply, serving

KEY = "0123456789abcdef0123456789abcdef"
EVENT_ID = "fc6d8c0c43fc4630ad850ee518f1b9d0"

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def make_settings(peer: HttpPeer, folder: Path, **more: Any) -> SentryEndpointSettings:  # noqa: ANN401 - settings of several types
    """Return the settings for a server; the DSN is in a file."""
    return SentryEndpointSettings(dsn_file=write_secret(folder, f"{peer.url}/42".replace("//", f"//{KEY}@")), **more)


def read_request(received: Received) -> Envelope:
    """Return the envelope in a request, whose form follows the published grammar."""
    encoding = received.headers.get("content-encoding", "")
    body = gzip.decompress(received.body) if encoding == "gzip" else received.body
    head, *rest = body.split(b"\n")
    assert json.loads(head)["sent_at"].endswith("Z")
    for item in rest[:-1:2]:
        assert set(json.loads(item)) <= {"type", "length", "content_type"}
    assert rest[-1] == b""
    return Envelope.deserialize(body)


def read_event(received: Received) -> Any:  # noqa: ANN401 - JSON
    """Return the event of a request."""
    event = read_request(received).get_event()
    assert event is not None
    return event


def write_event(**fields: object) -> Any:  # noqa: ANN401 - JSON
    """Return the event that a message makes."""
    event_id, text = EventForm().write(make_message(**fields), EVENT_ID)
    event = json.loads(text)
    assert event["event_id"] == event_id
    return event


async def test_request_is_what_sentry_asks_for(tmp_path: Path) -> None:
    """Path, headers, envelope and event of one message."""
    async with serving() as peer, opened(make_settings(peer, tmp_path, release="shop@1.2", environment="live")) as it:
        fields = {"user": "u1", "n": 5}
        envelope = {"metlog_hostname": "web1", "metlog_pid": 77, "env_version": "0.8", "fields": fields}
        it.take([make_message(type="oldstyle", logger="shop", severity=3, payload="it broke", **envelope)], NOW)
        await send_all(it)
    (received,) = peer.received
    assert (received.method, received.target) == ("POST", "/api/42/envelope/")
    assert received.headers["content-type"] == "application/x-sentry-envelope"
    client = f"syslog-pipeline/{__version__}"
    assert received.headers["x-sentry-auth"] == f"Sentry sentry_version=7, sentry_client={client}, sentry_key={KEY}"
    sent = read_request(received)
    event = read_event(received)
    assert sent.headers["event_id"] == event["event_id"]
    assert "dsn" not in sent.headers
    assert [item.type for item in sent.items] == ["event"]
    assert re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", event.pop("event_id"))
    assert event == {
        "timestamp": 1_700_000_000.0,
        "platform": "other",
        "level": "error",
        "logger": "shop",
        "server_name": "web1",
        "release": "shop@1.2",
        "environment": "live",
        "message": {"formatted": "it broke"},
        "tags": {"metlog.type": "oldstyle"},
        "extra": {"user": "u1", "n": 5, "metlog_pid": 77, "env_version": "0.8"},
    }


async def test_event_has_the_same_id_each_time_it_is_tried(tmp_path: Path) -> None:
    """Over restarts too: Sentry takes no id twice. Others have others, also if they say the same."""
    async with serving(Reply(503), Reply(500), Reply()) as peer:
        settings = make_settings(peer, tmp_path, spool=tmp_path / "spool")
        async with opened(settings) as it:
            it.take([make_message(payload="same"), make_message(payload="same")], NOW)
            await it.attempt()
        async with opened(settings) as it:
            await it.attempt()
            await send_all(it)
        ids = [read_event(received)["event_id"] for received in peer.received]
    assert len(ids) == 4
    assert ids[0] == ids[1] == ids[2] != ids[3]


@pytest.mark.parametrize(
    ("severity", "level"),
    list(enumerate(["fatal", "fatal", "fatal", "error", "warning", "info", "info", "debug"])),
)
def test_severity_becomes_a_level(severity: int, level: str) -> None:
    """One of those that Sentry knows."""
    assert write_event(severity=severity)["level"] == level


def test_exception_of_our_generator_becomes_one() -> None:
    """With its frames, from the outermost to the innermost, as both have them."""
    frames = [{"file": "/app/a.py", "line": 3, "function": "run", "code": "go()"}, {"file": "b.py", "line": None}]
    exception = {"type": "KeyError", "module": "builtins", "value": "'x'", "traceback": frames}
    event = write_event(fields={"exception": exception, "more": 1})
    assert event["platform"] == "python"
    assert event["exception"] == {
        "values": [
            {
                "type": "KeyError",
                "module": "builtins",
                "value": "'x'",
                "stacktrace": {
                    "frames": [
                        {
                            "filename": "/app/a.py",
                            "abs_path": "/app/a.py",
                            "function": "run",
                            "context_line": "go()",
                            "lineno": 3,
                        },
                        {"filename": "b.py", "abs_path": "b.py"},
                    ]
                },
            }
        ]
    }
    assert "exception" not in event["extra"]


def test_named_fields_become_tags() -> None:
    """As Sentry takes them: short, on one line, with a name of few characters. What is absent makes none."""
    fields = {"route": "/a\nb", "status": 500, "x y": "z" * 300, "rest": 1}
    form = EventForm(tags=("route", "status", "x y", "absent"))
    event = json.loads(form.write(make_message(fields=fields), EVENT_ID)[1])
    assert event["tags"] == {"metlog.type": "test", "route": "/a b", "status": "500", "x_y": "z" * 200}
    assert event["extra"] == {"rest": 1, "metlog_pid": None, "env_version": None}


def pack(event: object) -> str:
    """Return an event as metlog-raven packs it."""
    return b64encode(zlib.compress(json.dumps(event).encode())).decode()


def test_event_of_metlog_raven_goes_on_as_it_is() -> None:
    """With its own id, but not to where it says."""
    own = {"event_id": EVENT_ID.upper(), "message": "old", "level": 40, "timestamp": "2012-01-01T00:00:00Z"}
    fields = {"dsn": "https://secret@elsewhere/1", "msg": "old"}
    event = write_event(type="sentry", payload=pack({**own, "extra": {"a": 1}}), fields=fields, logger="shop")
    assert event == {**own, "event_id": EVENT_ID, "extra": {"a": 1}, "platform": "python", "logger": "shop"}


@pytest.mark.parametrize(
    "payload",
    ["", "no base64!", b64encode(b"not zlib").decode(), pack([1]), pack("x"), pack({})[:-8], "ü"],
)
async def test_payload_that_is_no_event_is_refused(payload: str, tmp_path: Path) -> None:
    """Sentry is told so, with the next event."""
    async with serving() as peer, opened(make_settings(peer, tmp_path)) as it:
        it.take([make_message(type="sentry", payload=payload), make_message(payload="1")], NOW)
        await send_all(it)
        assert (it.counts.refused, it.counts.delivered) == (1, 1)
    assert read_report(peer.received[0]) == {"event_processor": 1}


def test_payload_that_unpacks_to_too_much_is_refused() -> None:
    """Before it takes room: a kilobyte may hold a megabyte of blanks, or a gigabyte."""
    packed = b64encode(zlib.compress(b'{"a": "' + b" " * 5_000_000 + b'"}')).decode()
    with pytest.raises(Exception, match="its event is larger than Sentry takes, or not whole"):
        write_event(type="sentry", payload=packed)


def test_large_event_loses_what_is_least_missed() -> None:
    """Sentry takes a megabyte; the message and what names it remain."""
    event = write_event(payload="p" * 20_000, fields={"big": "x" * 2_000_000})
    assert event["extra"] == {"left out": "it had no room in an event"}
    assert event["message"] == {"formatted": "p" * 8192}
    exception = {"type": "E", "value": "x" * 2_000_000}
    assert write_event(fields={"exception": exception})["exception"] is None
    with pytest.raises(Exception, match="it is larger than Sentry takes"):
        write_event(logger="x" * 2_000_000)


@pytest.mark.slow
@given(JSON, st.text(), st.integers(0, 7), st.text())
def test_any_message_makes_an_event_that_sentry_reads(fields: object, payload: str, severity: int, logger: str) -> None:
    """Or none. The envelope has two items whatever is in them."""
    usable = fields if isinstance(fields, dict) else {"it": fields, "exception": fields}
    message = make_message(fields=usable, payload=payload, severity=severity, logger=logger, metlog_hostname=payload)
    form = EventForm(tags=("it",))
    event_id, event = form.write(message, EVENT_ID)
    assert len(event) <= MAX_EVENT_BYTES
    envelope = Envelope.deserialize(write_envelope(event_id, "2023-01-01T00:00:00Z", [("event", event)] * 2))
    assert [item.type for item in envelope.items] == ["event", "event"]
    read = envelope.get_event()
    assert read is not None
    for name, value in read["tags"].items():
        assert len(name) <= 32
        assert len(value) <= 200
        assert "\n" not in value


def test_deeply_nested_fields_are_left_out() -> None:
    """No writer goes down for ever."""
    deep: object = 1
    for _ in range(800):
        deep = [deep]
    assert write_event(fields={"deep": deep})["extra"] == {"left out": "it had no room in an event"}


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**62), st.integers(0, 2**62))
def test_ids_differ_where_numbers_do(identity: bytes, one: int, other: int) -> None:
    """And only there."""
    ids = [make_event_id(identity, Entry(number, 0, b"")) for number in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


LIMITS = [
    (200, {}, 0.0, 0.0),
    (429, {}, 0.0, 60.0),
    (429, {}, 2700.0, 2700.0),
    (503, {}, 30.0, 0.0),  # a pause as with any server, and no limit
    (429, {"x-sentry-rate-limits": "60:transaction:key, 2700:default;error;security:organization"}, 99.0, 2700.0),
    (429, {"x-sentry-rate-limits": "60::organization, 2700::organization"}, 2700.0, 2700.0),
    (429, {"x-sentry-rate-limits": "2700:metric_bucket:organization:quota_exceeded:custom"}, 2700.0, 0.0),
    (200, {"x-sentry-rate-limits": "12.5:error:organization:quota:more:and:more"}, 0.0, 12.5),
    (200, {"x-sentry-rate-limits": "30:unheard_of:key"}, 0.0, 0.0),
    (200, {"x-sentry-rate-limits": "30:unheard_of;error:key"}, 0.0, 30.0),
    (200, {"x-sentry-rate-limits": " 30 : error : key ,, 7:error"}, 0.0, 30.0),
    (200, {"x-sentry-rate-limits": ""}, 0.0, 0.0),
    (200, {"x-sentry-rate-limits": "soon:error:key"}, 0.0, 60.0),
    (200, {"x-sentry-rate-limits": "-5:error:key, nan:error"}, 0.0, 0.0),
    (200, {"x-sentry-rate-limits": "inf:error"}, 0.0, 60.0),
]
"""Status, headers, what `Retry-After` says, and for how long events are to be held back: the examples of the page."""


@pytest.mark.parametrize(("status", "headers", "asked", "seconds"), LIMITS, ids=range(len(LIMITS)))
def test_rate_limits_are_read(status: int, headers: dict[str, str], asked: float, seconds: float) -> None:
    """Those of events, and those of everything."""
    assert find_limit(status, headers, asked) == seconds


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 429])
async def test_nothing_is_sent_while_sentry_wants_nothing(
    status: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Whatever the status is that comes with a limit. Then all that waited is."""
    autojump_clock.autojump_threshold = 0.1  # real connections take a moment
    limited = Reply(status, headers={"x-sentry-rate-limits": "40:error:project", "retry-after": "1"})
    async with serving(limited, Reply()) as peer, running(make_settings(peer, tmp_path)) as it:
        it.take(make_numbered(range(3)), NOW)
        await trio.sleep(39)
        assert len(peer.received) == 1
        await trio.sleep(5)
        assert it.counts.delivered == 3
        numbers = [read_event(received)["message"]["formatted"] for received in peer.received]
        assert numbers == (["0", "1", "2"] if status == 200 else ["0", "0", "1", "2"])


def read_report(received: Received) -> dict[str, int]:
    """Return what a client report in a request says: reasons, and how many events."""
    reports = [item for item in read_request(received).items if item.type == "client_report"]
    if not reports:
        return {}
    (report,) = reports
    payload = json.loads(report.get_bytes())
    assert payload["timestamp"] == "2023-11-14T22:13:20.000000Z"
    assert {one["category"] for one in payload["discarded_events"]} == {"error"}
    return {one["reason"]: one["quantity"] for one in payload["discarded_events"]}


async def test_sentry_is_told_once_what_was_lost(tmp_path: Path) -> None:
    """With the next event that it takes; but not what it has refused with 429, which it counts itself."""
    plan = (Reply(413), Reply(429, headers={"x-sentry-rate-limits": "0:error"}), Reply(503), Reply())
    async with serving(*plan) as peer, opened(make_settings(peer, tmp_path, queue_messages=4)) as it:
        it.take(make_numbered(range(6)), NOW)
        for _ in range(5):
            await it.attempt()
    assert [read_report(received) for received in peer.received] == [
        {"queue_overflow": 2},
        {"queue_overflow": 2, "send_error": 1},
        {"queue_overflow": 2, "send_error": 1},
        {"queue_overflow": 2, "send_error": 1},
        {},
    ]


async def test_reports_can_be_switched_off(tmp_path: Path) -> None:
    """Sentry before 21.9 throws away envelopes that have one."""
    off = {"queue_messages": 1, "client_reports": False}
    async with serving() as peer, opened(make_settings(peer, tmp_path, **off)) as it:
        it.take(make_numbered(range(3)), NOW)
        await send_all(it)
    assert [read_report(received) for received in peer.received] == [{}]


@pytest.mark.parametrize(
    "text",
    [
        f"https://{KEY}@sentry.example.org/42",
        f"https://{KEY}:5ec7e7@sentry.example.org:8443/some/where/42",
        f"http://{KEY}@[::1]:9000/1",
        f"https://{KEY}@o1.ingest.us.sentry.io/450/",
    ],
)
def test_dsn_means_what_it_means_to_sentry(text: str) -> None:
    """The published class says where events go."""
    dsn, published = parse_dsn("It", text), PublishedDsn(text.rstrip("/"))
    auth = published.to_auth("client")
    url = auth.get_api_url()
    assert dsn.url.replace("[::1]", "::1") == url.replace("[::1]", "::1")
    assert (dsn.key, dsn.secret or None) == (published.public_key, published.secret_key)
    assert KEY not in dsn.address
    assert KEY not in repr(dsn)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "https://sentry.io/1",
        f"https://{KEY}@/1",
        f"https://{KEY}@host",
        f"ftp://{KEY}@host/1",
        "https://a b@c/1",
        f"https://{KEY}@host:99999/1",
        f"https://{KEY}@host/1?x=1",
        f"https://{KEY}:p@ss@host/1",
        f"https://[{KEY}@x/1",
    ],
)
def test_wrong_dsn_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    """It may have the key in it."""
    with pytest.raises(SettingError) as caught:
        make(SentryEndpointSettings(dsn_file=write_secret(tmp_path, text)))
    assert KEY not in str(caught.value)
    assert str(caught.value).startswith("The DSN of metlog endpoint it ")


def test_dsn_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the variable that Sentry's own clients read, or from the one that is named."""
    with pytest.raises(SettingError) as caught:
        make(SentryEndpointSettings())
    assert str(caught.value) == ("The DSN of metlog endpoint it is to be in the variable SENTRY_DSN, which is not set.")
    monkeypatch.setenv("SENTRY_DSN", f"https://{KEY}@host/1")
    assert make(SentryEndpointSettings()).address == "https://host/1"
    monkeypatch.setenv("OTHER", f"https://{KEY}@host/2")
    assert make(SentryEndpointSettings(dsn_variable="OTHER")).address == "https://host/2"
