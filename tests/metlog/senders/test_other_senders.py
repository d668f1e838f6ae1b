"""Messages to the standard library's logging, through a queue, to nobody; and senders by address and by name."""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.metlog import senders
from pipeline.metlog.envelope import Message
from pipeline.metlog.senders import (
    SENDERS,
    DebugCaptureSender,
    FileSender,
    NoSendSender,
    QueuedSender,
    Sender,
    SenderError,
    StdLibLoggingSender,
    SyslogSender,
    UnixDatagramSender,
    ZmqHandshakePubSender,
    ZmqPubSender,
    open_sender,
)
from pipeline.metlog.senders.addresses import SCHEMES
from pipeline.metlog.senders.sender import FAILED, FULL, LOOP, NO_JSON, UNWANTED
from tests.metlog.senders.peers import DEADLINE_SECONDS, make_message, read_payload, run_forked

ROOT = Path(__file__).parents[3]


def log(caplog: pytest.LogCaptureFixture, sender: StdLibLoggingSender, *messages: Message) -> list[tuple[int, str]]:
    """Return the levels and texts that messages are logged with."""
    with caplog.at_level(logging.DEBUG):
        for message in messages:
            sender.send_message(message)
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_logging_of_payloads_and_of_whole_messages(caplog: pytest.LogCaptureFixture) -> None:
    """By default the payload of log messages, which is no format string, and the JSON of all others."""
    oldstyle, counter = make_message("100 %s", type="oldstyle", severity=3), make_message()
    (level, text), (other_level, other) = log(caplog, StdLibLoggingSender(), oldstyle, counter)
    assert (level, text) == (logging.ERROR, "100 %s")
    assert (other_level, json.loads(other)) == (logging.INFO, counter)


def test_logging_by_type(caplog: pytest.LogCaptureFixture) -> None:
    """Of no type that is wanted: nothing, and that is counted."""
    sender = StdLibLoggingSender("app.metlog", payload_types="counter", json_types=["timer"])
    told = log(caplog, sender, make_message(), make_message(type="timer"), make_message(type="other"))
    assert [text[:9] for _, text in told] == ["1", '{"type":"']
    assert {record.name for record in caplog.records} == {"app.metlog"}
    assert (sender.counts.sent, sender.counts.causes) == (2, {UNWANTED: 1})


@pytest.mark.parametrize(
    ("severity", "level"),
    [(0, 50), (1, 50), (2, 50), (3, 40), (4, 30), (5, 20), (6, 20), (7, 10), (8, 30), ("x", 30)],
)
def test_level_of_a_severity(severity: object, level: int, caplog: pytest.LogCaptureFixture) -> None:
    """The closest; a warning for what is none."""
    assert log(caplog, StdLibLoggingSender(), make_message(severity=severity, type="oldstyle")) == [(level, "1")]


def test_logging_does_not_go_round(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that sends what is logged to the sender that logs ends there."""
    sender = StdLibLoggingSender("round")

    class Bridge(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sender.send_message(make_message(record.getMessage(), type="oldstyle"))

    bridge = Bridge()
    logging.getLogger("round").addHandler(bridge)
    assert log(caplog, sender, make_message(type="oldstyle")) == [(20, "1")]
    logging.getLogger("round").removeHandler(bridge)
    assert (sender.counts.sent, sender.counts.causes) == (1, {LOOP: 1})


def test_logging_of_what_is_no_json(caplog: pytest.LogCaptureFixture) -> None:
    """It is dropped."""
    sender = StdLibLoggingSender()
    assert log(caplog, sender, {"type": object()}) == []
    assert sender.counts.causes == {NO_JSON: 1}


def test_no_sender_is_told_of() -> None:
    """The client reports it."""
    with pytest.raises(NotImplementedError, match=r"^No sender is configured, so nothing can be sent\.$"):
        NoSendSender().send_message(make_message())


@pytest.mark.parametrize("kind", [ZmqPubSender, ZmqHandshakePubSender])
def test_zeromq_is_not_spoken(kind: type[ZmqPubSender]) -> None:
    """Whoever has configured it is told what to use."""
    with pytest.raises(SenderError) as caught:
        kind("tcp://127.0.0.1:5565", queue_length=1000)
    assert str(caught.value) == (
        f"There is no {kind.__name__}: use UnixDatagramSender on the same machine, and UdpSender to another."
    )


class HangingSender(DebugCaptureSender):
    """Writes, as it were, to a disk that hangs until it is told that it does not."""

    def __init__(self) -> None:
        super().__init__()
        self.is_reached, self.may_go = threading.Event(), threading.Event()

    def send_message(self, message: Message) -> None:
        self.is_reached.set()
        assert self.may_go.wait(DEADLINE_SECONDS)
        super().send_message(message)


def test_queue_in_front_of_a_sender_that_hangs() -> None:
    """The application goes on; what finds no room in the queue is dropped, and the rest is sent in order."""
    slow = HangingSender()
    sender = QueuedSender(slow, limit=5)
    sender.send_message(make_message("0"))
    assert slow.is_reached.wait(DEADLINE_SECONDS)
    for number in range(1, 10):
        sender.send_message(make_message(str(number)))
    assert not sender.flush(0.0)
    slow.may_go.set()
    assert sender.flush(DEADLINE_SECONDS)
    sender.close()
    assert [message["payload"] for message in slow.messages] == [str(number) for number in range(6)]
    assert (sender.counts.sent, sender.counts.causes) == (6, {FULL: 4})


def test_message_that_is_used_again_behind_the_queue() -> None:
    """It is sent as it was."""
    slow = HangingSender()
    sender = QueuedSender(slow)
    message = make_message("0", fields={"n": 0})
    for number in range(3):
        message["payload"] = str(number)
        message["fields"]["n"] = number  # type: ignore[index]
        sender.send_message(message)
    slow.may_go.set()
    assert sender.flush(DEADLINE_SECONDS)
    assert [(kept["payload"], kept["fields"]) for kept in slow.messages] == [(str(n), {"n": n}) for n in range(3)]


def test_queue_in_front_of_a_sender_that_raises() -> None:
    """It is counted, and the next ones are sent."""
    sender = QueuedSender(NoSendSender())
    sender.send_message(make_message())
    sender.send_message(make_message())
    assert sender.flush(DEADLINE_SECONDS)
    assert sender.counts.causes == {FAILED: 2}


def test_queue_is_emptied_at_the_end_of_the_application(tmp_path: Path) -> None:
    """Nobody has to close anything."""
    script = (
        "import sys\n"
        "from pipeline.metlog.senders import FileSender, QueuedSender\n"
        "sender = QueuedSender(FileSender(sys.argv[1]))\n"
        "for number in range(500):\n"
        "    sender.send_message({'payload': str(number)})\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "log"], check=True)
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert [read_payload(line) for line in lines] == [str(number) for number in range(500)]


@pytest.mark.slow
def test_queue_is_emptied_at_the_end_of_a_process_of_multiprocessing(tmp_path: Path) -> None:
    """Which runs nothing of `atexit`. What was lost is told there, too."""
    script = """
import multiprocessing, sys
from pipeline.metlog.client import MetlogClient
from pipeline.metlog.senders import DebugCaptureSender, FileSender, NoSendSender, QueuedSender
client = MetlogClient(QueuedSender(FileSender(sys.argv[1])))
lost = MetlogClient(NoSendSender(), report_seconds=3600)
def send():
    for number in range(200):
        client.incr("x")
        lost.incr("x")
processes = [multiprocessing.get_context("fork").Process(target=send) for _ in range(2)]
[process.start() for process in processes]
[process.join() for process in processes]
"""
    told = subprocess.run([sys.executable, "-c", script, tmp_path / "log"], check=True, stderr=subprocess.PIPE).stderr
    assert len((tmp_path / "log").read_bytes().splitlines()) == 400
    assert told.count(b"metlog: 199 messages were lost") == 2


def test_queue_of_a_forked_process(tmp_path: Path) -> None:
    """It has a thread of its own, and what waited is sent once."""
    slow = HangingSender()
    sender = QueuedSender(slow)
    sender.send_message(make_message("parent"))
    assert slow.is_reached.wait(DEADLINE_SECONDS)
    sender.send_message(make_message("parent"))

    def send() -> int:
        slow.may_go.set()
        sender.send_message(make_message("child"))
        return slow.counts.sent if sender.flush(DEADLINE_SECONDS) else 99

    assert run_forked(send) == 1
    slow.may_go.set()
    assert sender.flush(DEADLINE_SECONDS)
    assert sender.counts.sent == 2


def test_queue_without_room() -> None:
    with pytest.raises(SenderError, match=r"^A queue needs a limit of 1 or more\.$"):
        QueuedSender(NoSendSender(), limit=0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"facility": "local8"}, "There is no facility 'local8': there are kern, user, mail, "),
        ({"facility": 24}, "There is no facility 24: there are kern, user, mail, "),
        ({"protocol": "rfc3164"}, "The protocol of a syslog socket is rfc5424 or local, not 'rfc3164'."),
    ],
    ids=["facility", "number", "protocol"],
)
def test_wrong_options_of_syslog(options: dict[str, object], text: str) -> None:
    """They are told when the sender is made."""
    with pytest.raises(SenderError) as caught:
        SyslogSender("/tmp/x", **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(text)


def test_dev_log_gets_what_syslog_writes() -> None:
    """And any other socket the header of RFC 5424, unless the other is asked for."""
    message = make_message("disk full", type="oldstyle", severity=3)
    assert SyslogSender().encode(message) == b"<11>shop[42]: disk full"
    header = b"<155>1 2026-03-05T06:07:08.000000Z web1 app 42 oldstyle - "
    assert SyslogSender("/run/x", facility="local3", app="app").encode(message) == header + b"disk full"
    assert SyslogSender("/run/x", protocol="local").encode(message) == b"<11>shop[42]: disk full"


@pytest.mark.parametrize(
    "options",
    [
        {"timeout_seconds": -1.0},
        {"timeout_seconds": 61},
        {"timeout_seconds": float("nan")},
        {"timeout_seconds": float("inf")},
        {"max_bytes": 0},
        {"max_bytes": 10.5},
    ],
    ids=range(6),
)
def test_wrong_options(options: dict[str, float]) -> None:
    """They are told when the sender is made."""
    with pytest.raises(SenderError, match=r"^A sender needs a timeout_seconds from 0 to 60, and a max_bytes of 1"):
        UnixDatagramSender("/tmp/x", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("-", "StdOutSender"),
        ("unixgram:///run/a", "UnixDatagramSender"),
        ("unixgram://@a", "UnixDatagramSender"),
        ("unix:///run/a", "UnixStreamSender"),
        ("udp://127.0.0.1:514", "UdpSender"),
        ("udp://[::1]:514", "UdpSender"),
        ("tcp://:514", "TcpSender"),
        ("syslog://", "SyslogSender"),
        ("syslog:///run/a", "SyslogSender"),
        ("journal://", "JournalSender"),
        ("file:///new", "FileSender"),
        ("new", "FileSender"),
        ("pipe", "PipeSender"),
        ("file", "FileSender"),
    ],
)
def test_sender_by_address(address: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is at a path decides."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("file").touch()
    assert type(open_sender(address)).__name__ == kind


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("", "'' is no path."),
        ("file://", "'' is no path."),
        ("a\0b", "'a\\x00b' is no path."),
        (".", ". is a directory, not a named pipe or a file."),
        ("log", "log is a socket: write unix://log or unixgram://log."),
        ("udp://a", "'a' names no host and port: write HOST:PORT or [IPV6]:PORT."),
        (
            "http://a",
            "'http://a' is of no known kind: there are unixgram://, unix://, udp://, tcp://, syslog://, journal://, "
            "file://, paths, and - for output.",
        ),
    ],
)
def test_address_that_is_none(address: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is one sentence."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("log")
    with pytest.raises(SenderError) as caught:
        open_sender(address)
    assert str(caught.value) == text


def test_each_sender_has_a_short_name() -> None:
    """But for those that are made of others, or not at all; and for those which several have in common."""
    classes = {kind for kind in vars(senders).values() if inspect.isclass(kind) and issubclass(kind, Sender)}
    unnamed = {kind.__name__ for kind in classes - set(SENDERS.values())}
    assert unnamed == {"ByteSender", "QueuedSender", "Sender", "StreamSender", "ZmqHandshakePubSender", "ZmqPubSender"}


def test_each_sender_is_documented() -> None:
    """docs/metlog.md has each class, and each short name in a table; each scheme of an address too."""
    page = (ROOT / "docs" / "metlog.md").read_text(encoding="utf-8")
    table = page.partition("| Class | Short name |")[2].partition("\n\n")[0]
    classes = {name for name, kind in vars(senders).items() if inspect.isclass(kind) and issubclass(kind, Sender)}
    unsaid = {name for name in classes - {"Sender", "ByteSender"} if f"`{name}(" not in page}
    assert unsaid == set()
    assert [name for name in SENDERS if f"`{name}`" not in table] == []
    assert [scheme for scheme in SCHEMES if f"`{scheme}" not in table] == []


def test_names_of_metlog_py_are_there() -> None:
    """In the modules where that has them, so that `sender_class` needs a new beginning and no more."""
    from pipeline.metlog.senders import dev, logging, udp, zmq

    assert dev.FileSender is FileSender
    assert {"StdOutSender", "StreamSender", "DebugCaptureSender"} <= set(dev.__all__)
    assert udp.UdpSender.__module__ == "pipeline.metlog.senders.udp"
    assert logging.StdLibLoggingSender is StdLibLoggingSender
    assert (zmq.ZmqPubSender, zmq.ZmqHandshakePubSender) == (ZmqPubSender, ZmqHandshakePubSender)


def test_senders_need_the_standard_library_alone() -> None:
    """They work in a Python that has no packages."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import pipeline.metlog.senders; print('fine')"
    command = [sys.executable, "-I", "-S", "-c", script, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, re.findall("No module named.*", done.stderr)) == ("fine\n", [])
