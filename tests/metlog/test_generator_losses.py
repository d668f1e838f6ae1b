"""What is lost is counted, told on standard error now and then, and in a message once sending works again."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import weakref
from collections.abc import Callable

import pytest

from pipeline.metlog.client import MetlogClient, _report_all_rest, _start_all_anew
from pipeline.metlog.losses import Reporter
from pipeline.metlog.senders import DebugCaptureSender, StdLibLoggingSender
from pipeline.metlog.timers import MAX_RESULTS
from tests.metlog.generator_clients import DroppingSender, FailingSender, Message, make_client, read_messages


def refuse(message: Message) -> bool:
    """Keep nothing."""
    return False


def break_down(message: Message) -> bool:
    """Fail, as a filter may."""
    raise ZeroDivisionError("by zero")


def test_failure_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With the sender and the reason, whatever is in that."""
    sender = FailingSender()
    sender.error = OSError("no\nway")
    client = MetlogClient(sender, "shop")
    for _ in range(5):
        client.incr("x")
    assert capsys.readouterr().err == (
        "metlog: 1 message was lost by the client 'shop', last by FailingSender: 'OSError: no\\nway'\n"
    )
    assert (client.counts.failed, client.counts.sent) == (5, 0)


def test_all_are_told_where_the_interval_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """With 0 seconds, each has its line; with None, no one has."""
    sender = FailingSender()
    client = MetlogClient(sender, "shop", report_seconds=0)
    client.incr("x")
    client.incr("x")
    assert capsys.readouterr().err.count("metlog: 1 message was lost") == 2
    client.setup(sender, "shop", report_seconds=None)
    client.incr("x")
    assert capsys.readouterr().err == ""


def test_rest_is_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """What the sender has dropped at last, too; and nothing twice."""
    sender = DroppingSender()
    client = MetlogClient(sender, "shop")
    client.incr("x")
    client.incr("x")
    sender.counts.drop("no room", "at the end")
    capsys.readouterr()
    _report_all_rest()
    line = "metlog: 2 messages were lost by the client 'shop', last by DroppingSender: 'no room: at the end'\n"
    assert capsys.readouterr().err.count(line) == 1
    client.setup(sender, "shop", report_seconds=None)
    client.incr("x")
    _report_all_rest()
    assert capsys.readouterr().err == ""


def test_client_that_nobody_uses_is_gone() -> None:
    """At once, and its sender with it: nothing refers back to it."""
    client = make_client()
    with client.timer("x"):
        client.incr("x")
    sender = weakref.ref(client.sender)
    for _ in range(MAX_RESULTS):  # a thread or task knows its last results
        with make_client().timer("y"):
            pass
    del client
    assert sender() is None


def test_without_standard_error_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon may have closed it."""
    monkeypatch.setattr("sys.stderr", None)
    client = MetlogClient(FailingSender())
    client.incr("x")
    assert client.counts.failed == 1


def test_standard_error_that_nobody_reads_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be told is told with the next, when it is read again."""
    reader, writer = os.pipe()
    with (
        io.FileIO(reader) as pipe,
        io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True) as stderr,
    ):
        os.set_blocking(writer, False)
        room = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
        assert os.write(writer, b"x" * room) == room
        os.set_blocking(writer, True)
        monkeypatch.setattr("sys.stderr", stderr)
        client = MetlogClient(FailingSender(), "shop", report_seconds=0)
        client.incr("x")
        assert pipe.read(room) == b"x" * room
        client.incr("x")
        assert pipe.read(room).startswith(b"metlog: 2 messages were lost by the client 'shop', ")
    assert client.counts.failed == 2


def test_logger_that_cannot_be_written_is_told_by_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    """And a long one in part: a line of standard error is no place for it."""

    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    for logger in (Rude(), "x" * 10_000):
        client = MetlogClient(FailingSender(), logger, report_seconds=0)  # type: ignore[arg-type]
        client.incr("x")
        client.incr("x")
        assert client.counts.failed == 2
        lines = capsys.readouterr().err.splitlines()
        assert [len(line) < 1_000 and "1 message was lost" in line for line in lines] == [True, True]


def test_losses_are_told_by_a_message_when_sending_works(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, behind the first message that was sent."""
    sender = FailingSender()
    client = MetlogClient(sender, "shop")
    for _ in range(3):
        client.incr("x")
    sender.error = None
    client.incr("y")
    client.incr("z")
    assert [message["type"] for message in sender.messages] == ["counter", "metlog.dropped", "counter"]
    told = sender.messages[1]
    assert (told["severity"], told["payload"], told["logger"]) == (4, "3", "shop")
    assert told["fields"] == {"lost": 3, "failed": 3, "dropped": 0, "reason": "OSError: nobody listens"}
    assert (client.counts.sent, client.counts.failed) == (3, 3)
    capsys.readouterr()


def test_drops_of_the_sender_are_losses(capsys: pytest.CaptureFixture[str]) -> None:
    """They are not counted as sent."""
    sender = DroppingSender()
    client = MetlogClient(sender, "shop", report_seconds=0)
    client.incr("x")
    client.incr("x")
    assert (client.counts.sent, client.counts.dropped, client.counts.failed) == (0, 2, 0)
    assert "last by DroppingSender: 'no room: the queue is full'" in capsys.readouterr().err
    sender.is_away = False
    client.incr("y")
    types = [(message["type"], message["payload"]) for message in read_messages(client)]
    assert types == [("counter", "1"), ("metlog.dropped", "2")]
    assert (client.counts.sent, client.counts.dropped) == (2, 2)


def test_message_about_losses_that_is_lost_is_owed_again(capsys: pytest.CaptureFixture[str]) -> None:
    """It counts as one more."""

    class Moody(DebugCaptureSender):
        turn = 0

        def send_message(self, message: Message) -> None:
            self.turn += 1
            if self.turn in (1, 3):
                raise OSError("moody")
            super().send_message(message)

    client = MetlogClient(Moody(), report_seconds=0)
    for _ in range(3):
        client.incr("x")
    assert [(message["type"], message["payload"]) for message in read_messages(client)] == [
        ("counter", "1"),
        ("counter", "1"),
        ("metlog.dropped", "2"),
    ]
    assert (client.counts.sent, client.counts.failed) == (3, 2)
    capsys.readouterr()


def test_clients_that_share_a_sender_share_its_drops(capsys: pytest.CaptureFixture[str]) -> None:
    """Each drop is counted by one of them."""
    sender = DroppingSender()
    clients = [MetlogClient(sender, name, report_seconds=None) for name in ("a", "b")]
    for _ in range(5):
        for client in clients:
            client.incr("x")
    sender.is_away = False
    for client in clients:
        client.incr("y")
    assert [client.counts.dropped for client in clients] == [5, 5]
    assert sum(client.counts.sent for client in clients) == sender.counts.sent == 4


def test_what_is_not_wanted_is_no_loss() -> None:
    """Neither by a filter nor by a sender for some types."""
    client = make_client(filters=[refuse])
    client.incr("x")
    assert (client.counts.filtered, client.counts.lost) == (1, 0)
    sender = StdLibLoggingSender("tests.metlog.unwanted", payload_types="audit", json_types=["audit"])
    client = MetlogClient(sender)
    client.incr("x")
    assert (client.counts.filtered, client.counts.lost, client.counts.sent) == (1, 0, 0)
    logging.getLogger("tests.metlog.unwanted").setLevel(logging.CRITICAL)
    client.metlog("audit")
    assert client.counts.sent == 1


def test_filter_that_fails_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """The message is not sent: nobody has said yes."""
    client = make_client(filters=[break_down])
    client.incr("x")
    assert client.counts.failed == 1
    assert "ZeroDivisionError: by zero" in capsys.readouterr().err


def test_losses_are_told_past_the_filters(capsys: pytest.CaptureFixture[str]) -> None:
    """They would be lost a second time."""
    sender = FailingSender()
    client = MetlogClient(sender, filters=[lambda message: message["type"] == "counter"])
    client.incr("x")
    sender.error = None
    client.incr("x")
    assert [message["type"] for message in sender.messages] == ["counter", "metlog.dropped"]
    capsys.readouterr()


@pytest.mark.parametrize("find", [Reporter.find_line, Reporter.find_message], ids=["line", "message"])
def test_losses_are_told_once_in_an_interval(find: Callable[[Reporter, int, float], int]) -> None:
    """The first at once, then those of the interval together."""
    reporter = Reporter(60.0)
    assert find(reporter, 1, 1000.0) == 1
    reporter.told = 1
    assert find(reporter, 5, 1059.9) == 0
    assert find(reporter, 7, 1060.0) == 6


def test_message_about_losses_that_is_dropped_is_owed_again() -> None:
    """As one that fails."""

    class Picky(DroppingSender):
        def send_message(self, message: Message) -> None:
            self.is_away = message["type"] != "counter" and self.counts.dropped < 2
            super().send_message(message)

    client = MetlogClient(Picky(), report_seconds=0)
    client.metlog("audit")
    client.incr("x")
    client.incr("x")
    assert [(message["type"], message["payload"]) for message in read_messages(client)] == [
        ("counter", "1"),
        ("counter", "1"),
        ("metlog.dropped", "2"),
    ]


def test_losses_within_a_minute_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither is there a second line, nor a second message."""
    sender = FailingSender()
    client = MetlogClient(sender, "shop")
    client.incr("x")
    sender.error = None
    client.incr("x")
    sender.error = OSError("again")
    client.incr("x")
    sender.error = None
    client.incr("x")
    assert [message["type"] for message in sender.messages] == ["counter", "metlog.dropped", "counter"]
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("counts", [None, object()], ids=["none", "others"])
def test_sender_may_be_any_object_and_count_nothing(counts: object) -> None:
    """One that nothing can refer to weakly, or that is equal to others."""

    class Bare:
        __slots__ = ("counts",)
        __hash__ = None  # type: ignore[assignment]

        def send_message(self, message: Message) -> None:
            """Keep nothing."""

    sender = Bare()
    setattr(sender, "counts", counts)  # noqa: B010 - slots are no attributes to mypy
    client = MetlogClient(sender)
    client.incr("x")
    assert client.counts.sent == 1


def test_exception_that_fails_to_speak_is_told_by_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    """It is the sender's own."""

    class RudeError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    sender = FailingSender()
    sender.error = RudeError()
    client = MetlogClient(sender)
    client.incr("x")
    assert capsys.readouterr().err.endswith("last by FailingSender: 'RudeError'\n")


def test_counts_begin_anew_in_a_process_that_was_forked() -> None:
    """What the parent has lost is the parent's to tell."""
    sender = DroppingSender()
    client = MetlogClient(sender, report_seconds=None)
    client.incr("x")
    sender.counts.clear()  # as every sender does, before its clients do
    _start_all_anew()
    sender.is_away = False
    client.incr("x")
    assert (client.counts.sent, client.counts.lost) == (1, 0)
    assert [message["type"] for message in read_messages(client)] == ["counter"]


def test_interrupt_passes_through() -> None:
    """What is no exception of the sending is for the application."""

    class Interrupted:
        def send_message(self, message: Message) -> None:
            raise KeyboardInterrupt

    client = MetlogClient(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        client.incr("x")
