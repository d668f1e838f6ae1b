"""Each message is one envelope, whatever it is made of."""

from __future__ import annotations

import json
import os
import re
import socket
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoders.metlog import decode_metlog
from pipeline.metlog.client import MetlogClient
from pipeline.metlog.envelope import NAMES, Stamper, encode_message
from pipeline.metlog.senders import DebugCaptureSender
from tests.metlog.generator_clients import VALUES, Message, make_client, read_message, read_messages

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_message_has_nine_fields_in_their_order() -> None:
    """Those that are not given have their defaults."""
    client = make_client()
    before = datetime.now(UTC)  # noqa: TID251 - the client reads the clock, too
    client.metlog("audit")
    message = read_message(client)
    stamp = message.pop("timestamp")
    assert isinstance(stamp, str)
    assert RFC_3339.fullmatch(stamp)
    assert 0 <= (datetime.fromisoformat(stamp) - before).total_seconds() < 60
    assert list(message.items()) == [
        ("type", "audit"),
        ("logger", "shop"),
        ("severity", 6),
        ("payload", ""),
        ("fields", {}),
        ("env_version", "0.8"),
        ("metlog_pid", os.getpid()),
        ("metlog_hostname", socket.gethostname()),
    ]


def test_what_is_given_is_sent() -> None:
    """Each field by its own keyword."""
    client = make_client()
    client.metlog("audit", logger="till", severity=2, payload="sold", fields={"price": 5}, timestamp=0.5)
    message = read_message(client)
    assert message["timestamp"] == "1970-01-01T00:00:00.500000Z"
    assert [message[name] for name in ("logger", "severity", "payload", "fields")] == ["till", 2, "sold", {"price": 5}]


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (999, "1970-01-01T00:00:00.000000Z"),
        (1_000, "1970-01-01T00:00:00.000001Z"),
        (1_795_307_729_999_999_999, "2026-11-22T00:35:29.999999Z"),
        (253_402_300_799_000_000_000, "9999-12-31T23:59:59.000000Z"),
    ],
)
def test_time_stamp_has_six_digits(now: int, text: str) -> None:
    """Also at the second time, when the second is known."""
    stamper = Stamper()
    assert [stamper.write(now), stamper.write(now)] == [text, text]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4_000_000_000_000), max_size=20))
def test_time_stamps_of_any_order_are_right(times: list[int]) -> None:
    """What is remembered of one second is not used for another."""
    stamper = Stamper()
    for now in times:
        moment = datetime.fromtimestamp(now // 1000 // 1_000_000, UTC).replace(microsecond=now // 1000 % 1_000_000)
        assert stamper.write(now) == moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (1, "1970-01-01T00:00:01.000000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 678, UTC), "2026-01-02T03:04:05.000678Z"),
        (datetime.fromisoformat("2026-01-02T03:04:05+02:00"), "2026-01-02T01:04:05.000000Z"),
    ],
)
def test_caller_sets_the_time(timestamp: datetime | float, text: str) -> None:
    """As seconds or with a zone."""
    client = make_client()
    client.metlog("audit", timestamp=timestamp)
    assert read_message(client)["timestamp"] == text


@pytest.mark.parametrize(
    "timestamp", ["yesterday", -1, float("nan"), 1e300, object()], ids=["word", "negative", "nan", "far", "object"]
)
def test_time_that_is_none_is_now(timestamp: object) -> None:
    """No message is lost for it."""
    client = make_client()
    client.metlog("audit", timestamp=timestamp)  # type: ignore[arg-type]
    assert str(read_message(client)["timestamp"]) > "2026"


@pytest.mark.parametrize(
    ("severity", "sent"), [(0, 0), (7, 7), (8, 7), (-1, 0), (True, 1), ("high", 5), (3.5, 5), (10**400, 7)], ids=str
)
def test_severity_is_one_of_eight(severity: object, sent: int) -> None:
    """Numbers beyond become the nearest; what is no number becomes the client's own."""
    client = make_client(severity=5)
    client.metlog("audit", severity=severity)  # type: ignore[arg-type]
    assert read_message(client)["severity"] == sent


@pytest.mark.parametrize(("severity", "sent"), [(3, 3), (99, 7), ("high", 6), (None, 6)])
def test_severity_of_a_client_is_one_of_eight(severity: object, sent: int) -> None:
    """Whatever it is set up with."""
    client = make_client(severity=severity)
    client.incr("x")
    client.metlog("audit", severity="no")  # type: ignore[arg-type]
    assert [message["severity"] for message in read_messages(client)] == [sent, sent]


@pytest.mark.parametrize(
    ("payload", "text"),
    [(None, ""), (5, "5"), (b"\xff", "�"), ({"a": {1}}, '{"a":[1]}'), ("a\nb\0\u2028", "a\nb\0\u2028")],
)
def test_payload_is_text(payload: object, text: str) -> None:
    """Whatever it was."""
    client = make_client()
    client.metlog("audit", payload=payload)
    assert read_message(client)["payload"] == text


def test_fields_that_are_none_have_a_name() -> None:
    """A list has none of its own."""
    client = make_client()
    client.metlog("audit", fields=[1, 2])  # type: ignore[arg-type]
    assert read_message(client)["fields"] == {"value": [1, 2]}


def test_fields_of_the_caller_stay_as_they_are() -> None:
    """Neither does a later change of them reach the message, nor are names added to them."""
    client = make_client()
    own = {"user": "ann"}
    client.incr("logins", fields=own)
    client.metlog("audit", fields=own)
    kept = list(client.sender.messages)  # type: ignore[attr-defined]
    own["user"] = "bob"
    assert own == {"user": "bob"}
    assert [message["fields"]["user"] for message in kept] == ["ann", "ann"]


@pytest.mark.slow
@settings(max_examples=60)
@given(st.text(st.characters()), st.text(st.characters()), st.dictionaries(st.text(st.characters()), st.text()))
def test_message_is_one_line_of_json(kind: str, payload: str, fields: dict[str, str]) -> None:
    """No text can begin a line of its own, or a field."""
    client = make_client()
    client.metlog(kind, payload=payload, fields=fields)
    message = client.sender.messages[0]  # type: ignore[attr-defined]
    line = encode_message(message)
    assert b"\n" not in line
    assert json.loads(line) == message
    assert tuple(json.loads(line)) == NAMES


def test_message_of_other_hands_is_completed() -> None:
    """What is there stays, also what an envelope does not have."""
    client = make_client()
    client.send_message({"type": "audit", "payload": "x", "uuid": b"u"})
    message = read_message(client)
    assert message.keys() == {*NAMES, "uuid"}
    assert (message["logger"], message["payload"], message["uuid"]) == ("shop", "x", "u")


def test_message_with_fields_of_wrong_types_is_mended() -> None:
    """Each of the nine."""
    client = make_client()
    wrong: Message = dict.fromkeys(NAMES, b"x")
    client.send_message(wrong)
    message = read_message(client)
    assert (message["type"], message["env_version"], message["metlog_hostname"]) == ("x", "x", "x")
    assert RFC_3339.fullmatch(str(message["timestamp"]))
    assert (message["severity"], message["metlog_pid"], message["fields"]) == (6, os.getpid(), {"value": "x"})


@pytest.mark.parametrize(
    ("stamp", "sent"),
    [
        ("2013-01-02T03:04:05.678901Z", "2013-01-02T03:04:05.678901Z"),
        ("2013-01-02T03:04:05", "2013-01-02T03:04:05.000000Z"),
        ("2013-01-02T03:04:05+01:00", "2013-01-02T02:04:05.000000Z"),
        (datetime(2013, 1, 2, tzinfo=UTC), "2013-01-02T00:00:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_time_stamp_of_other_hands_is_written_as_ours(stamp: object, sent: str) -> None:
    """One without a zone is UTC, as it was in metlog-py."""
    client = make_client()
    client.send_message({"type": "audit", "timestamp": stamp})
    assert read_message(client)["timestamp"] == sent


@pytest.mark.parametrize(("number", "sent"), [(0, 0), (5, 5), (-1, None), (2**64, None), (True, None), ("5", None)])
def test_process_of_other_hands_is_a_number(number: object, sent: int | None) -> None:
    """Of 64 bits; or it is ours."""
    client = make_client()
    client.send_message({"type": "audit", "metlog_pid": number})
    assert read_message(client)["metlog_pid"] == (os.getpid() if sent is None else sent)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.text(st.characters()), VALUES, VALUES, VALUES, VALUES, VALUES)
def test_daemon_reads_what_is_sent(
    kind: str, logger: object, severity: object, payload: object, fields: object, timestamp: object
) -> None:
    """Each message is an envelope to its decoder, with the same in its fields."""
    client = MetlogClient(DebugCaptureSender(), report_seconds=None)
    client.metlog(kind, logger, severity, payload, fields)  # type: ignore[arg-type]
    client.send_message({"type": kind, "timestamp": timestamp, "fields": fields, "metlog_pid": severity})
    assert client.counts.sent == 2
    for message in client.sender.messages:  # type: ignore[attr-defined]
        assert decode_metlog(encode_message(message)) == (message,)


@pytest.mark.parametrize("wrong", [None, 5, [], "text"], ids=repr)
def test_what_is_no_message_is_a_failure(wrong: object) -> None:
    """And nothing that the application notices."""
    client = MetlogClient(None, report_seconds=None)
    client.send_message(wrong)  # type: ignore[arg-type]
    assert client.counts.failed == 1


def test_what_was_mended_is_counted() -> None:
    """One message at a time, however much is in it."""
    client = make_client()
    client.incr("plain")
    client.incr("odd", fields={"a": {1}, "b": b"x"})
    client.metlog("audit", severity=9, payload=b"x")
    assert (client.counts.mended, client.counts.sent) == (2, 3)
