"""Logstash and Graylog get every message too, and never hold up the pipe."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipeline.shipped import render_shipped
from tests.e2e.daemons import wait_until
from tests.e2e.rsyslog import Held, hold_pipeline, render_pipe, run_configured
from tests.e2e.tee_receivers import Received, receiving_gelf_tcp, receiving_gelf_udp, receiving_logstash
from tests.ports import find_port

MESSAGES = 20_000

DATAGRAMS = 200
"""As many as the kernel holds for a receiver, whatever it is doing."""

ODD = b'<131>Nov 21 01:13:00 web1 odd/part[7]: "quoted" \\ \xe4 \xc3\xa4\n'
"""Quotes, a backslash, a byte that is not UTF-8, and a character that is."""

ODD_TEXT = '"quoted" \\   \xe4'

LAST = "the last one"

HOSTILE = (
    b'<38>1 2026-11-21T13:20:00Z h"\\\xe4 a"\\\xe4 p"\\\xe4 - - names that are not UTF-8',
    b"<999>Nov 21 01:13:00 web1 odd: a priority that there is not",
    b"<38>Nov 21 01:13:00 web1 odd: bytes \xed\xa0\x80 \xc0\xaf \xf5\x80\x80\x80 \xe2\x82",
    b"<38>Nov 21 01:13:00 web1 odd: \0 \x01 \x1b \x7f",
    b"<38>Nov 21 01:13:00 web1 odd: " + b"x" * 100_000,
    b"<38>Nov 21 01:13:00 web1 odd: " + b'"' * 8_000,
    b"<38>Nov 21 01:13:00 web1 odd: " + b"text \xe2\x82\xac " * 800,
    b"<38>Nov 21 01:13:00 web1 odd: " + b"\xe2\x82\xac" * 2_650,
    b"<38>1 2026-11-21T13:20:00Z %s %s %s - - long names" % (b'h"' * 900, b'a"' * 900, b'p"' * 900),
    b"<38>Nov 21 01:13:00 web1 odd: " + LAST.encode(),
)
"""Messages by which somebody could have an object that is not JSON sent, or one that is cut."""

Receiving = Callable[[int], AbstractContextManager[Received]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def held() -> Iterator[Held]:
    """Our daemon behind its pipe."""
    with tempfile.TemporaryDirectory(prefix="rt-") as name, hold_pipeline(Path(name)) as held:
        yield held


def render_tee(name: str, port: int, more: dict[str, str] | None = None) -> str:
    """Return the file of a tee, which looks every second whether its receiver is back."""
    ports = {"rsyslog/logstash.conf": "5140", "rsyslog/graylog.conf": "12201"}
    replacements = {f'port="{ports[name]}"': f'port="{port}"', 'resumeInterval="10"': 'resumeInterval="1"'}
    return render_shipped(name, replacements | (more or {}))


def test_documents_are_whole_whatever_messages_hold(folder: Path) -> None:
    """Of both tees beside each other, at the size that rsyslog lets messages have as it comes. None is left out."""
    ports = [find_port(), find_port()]
    tees = [
        render_tee("rsyslog/logstash.conf", ports[0]),
        render_tee("rsyslog/graylog.conf", ports[1], {'module(load="mmutf8fix")': ""}),
    ]
    with receiving_logstash(ports[0]) as logstash, receiving_gelf_tcp(ports[1]) as graylog:
        with run_configured(folder, *tees) as rsyslog:
            rsyslog.send(*(b"%d %s" % (len(message), message) for message in HOSTILE))
            wait_until(lambda: has_text(logstash, "message", LAST), "Logstash has the last one")
            wait_until(lambda: has_text(graylog, "short_message", LAST), "Graylog has the last one")
        assert (logstash.faults, graylog.faults) == ([], [])
        of_web1 = [document for document in graylog.documents if document["host"] == "web1"]
        assert len(of_web1) == sum(b" web1 odd: " in message for message in HOSTILE) - 1


def has_text(received: Received, text_field: str, text: str) -> bool:
    """Whether a document with that text has come, or one that is wrong."""
    return bool(received.faults) or any(document[text_field] == text for document in received.documents)


@pytest.mark.parametrize(
    ("name", "receiving", "text_field"),
    [
        pytest.param("rsyslog/logstash.conf", receiving_logstash, "message", id="logstash"),
        pytest.param("rsyslog/graylog.conf", receiving_gelf_tcp, "short_message", id="graylog"),
    ],
)
def test_receiver_that_comes_late_holds_nothing_up(
    held: Held, folder: Path, name: str, receiving: Receiving, text_field: str
) -> None:
    """All is counted while the receiver is away; then it gets everything, each document by the rules."""
    port = find_port()
    route = Path(name).stem
    with run_configured(folder, render_pipe(held.fifo), render_tee(name, port)) as rsyslog:
        rsyslog.send(ODD)
        rsyslog.send_numbers(route, range(MESSAGES))
        held.counting.wait_counted(route, MESSAGES)
        with receiving(port) as received:
            wait_until(lambda: len(received.documents) > MESSAGES, "the receiver has got everything")
    assert received.faults == []
    texts = [str(document[text_field]) for document in received.documents]
    numbers = [int(text.split()[-1]) for text in texts if text.startswith(f"e2e {route} ")]
    assert numbers == list(range(MESSAGES))
    assert ODD_TEXT in texts
    held.counting.assert_exact(route, MESSAGES)


def test_logstash_gets_the_fields_of_the_common_schema(held: Held, folder: Path) -> None:
    """Host, process, facility and severity are where its dashboards look for them."""
    port = find_port()
    with receiving_logstash(port) as received:
        with run_configured(folder, render_pipe(held.fifo), render_tee("rsyslog/logstash.conf", port)) as rsyslog:
            rsyslog.send(ODD)
            wait_until(lambda: bool(received.documents), "the message has come")
        assert received.faults == []
        assert without_time(received.documents[0]) == {
            "@version": "1",
            "message": ODD_TEXT,
            "host": {"name": "web1"},
            "process": {"name": "odd/part"},
            "log": {
                "syslog": {
                    "appname": "odd/part",
                    "procid": "7",
                    "priority": 131,
                    "facility": {"name": "local0"},
                    "severity": {"code": 3, "name": "err"},
                }
            },
        }


def test_graylog_takes_datagrams_too(held: Held, folder: Path) -> None:
    """With the two changes that the file names it is GELF UDP. A message without text is not sent."""
    port = find_port()
    change = {'protocol="tcp"': 'protocol="udp"', 'TCP_FrameDelimiter="0"': ""}
    tee = render_tee("rsyslog/graylog.conf", port, change)
    with receiving_gelf_udp(port) as received:
        with run_configured(folder, render_pipe(held.fifo), tee) as rsyslog:
            rsyslog.send(b"<22>Nov 21 01:13:00 web1 silent:\n", ODD)
            rsyslog.send_numbers("datagrams", range(DATAGRAMS))
            wait_until(lambda: len(received.documents) > DATAGRAMS, "all datagrams have come")
        assert received.faults == []
        odd, *others = sorted(received.documents, key=lambda document: document["host"] != "web1")
        assert {document["host"] for document in others} == {"datagrams"}
        assert without_time(odd) == {
            "version": "1.1",
            "host": "web1",
            "short_message": ODD_TEXT,
            "level": 3,
            "_facility": "local0",
            "_program": "odd/part",
            "_pid": "7",
        }
        held.counting.wait_counted("datagrams", DATAGRAMS)
    held.counting.assert_exact("datagrams", DATAGRAMS)


def without_time(document: dict[str, object]) -> dict[str, object]:
    """Return a document without its time, which the clock of this machine has a part in."""
    return {name: value for name, value in document.items() if not re.search("timestamp", name)}
