"""What the calls of a client send, and that they never fail."""

from __future__ import annotations

import os
import random
import threading
from collections import UserDict
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo

import pytest

from pipeline.metlog import client as client_module
from pipeline.metlog.client import SEVERITY, MetlogClient
from pipeline.metlog.senders import DebugCaptureSender
from tests.metlog.generator_clients import make_client, read_fields, read_message, read_messages


class Rude:
    """An object that fails at whatever it is asked."""

    def fail(self, *_: object) -> object:
        """Fail."""
        raise RuntimeError("no")

    __str__ = __repr__ = __float__ = __iter__ = __bool__ = __eq__ = __len__ = __format__ = fail  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Masked:
    """An object that does not even say of what class it is."""

    __class__ = property(Rude.fail)


class RudeZone(tzinfo):
    """A time zone of the application that fails."""

    utcoffset = tzname = dst = Rude.fail  # type: ignore[assignment]


@pytest.fixture
def client() -> MetlogClient:
    """A client with a ring of messages."""
    return make_client()


def test_counter_has_its_number_as_payload(client: MetlogClient) -> None:
    """Name and rate are fields, beside those of the caller."""
    client.incr("logins", 3, fields={"way": "oauth"})
    message = read_message(client)
    assert (message["type"], message["payload"]) == ("counter", "3")
    assert message["fields"] == {"way": "oauth", "name": "logins", "rate": 1.0}


def test_gauge_has_its_number_as_payload(client: MetlogClient) -> None:
    """It may have a fraction."""
    client.gauge("load", 0.25, logger="host", severity=7)
    message = read_message(client)
    assert [message[name] for name in ("type", "payload", "logger", "severity")] == ["gauge", "0.25", "host", 7]
    assert message["fields"] == {"name": "load", "rate": 1.0}


def test_timer_that_was_measured_elsewhere_is_always_sent(client: MetlogClient) -> None:
    """Its rate is told, and nothing is left to chance."""
    for _ in range(50):
        client.timer_send("query", 17, rate=0.01)
    messages = read_messages(client)
    assert len(messages) == 50
    assert (messages[0]["type"], messages[0]["payload"]) == ("timer", "17")
    assert messages[0]["fields"] == {"name": "query", "rate": 0.01}


@pytest.mark.parametrize(
    ("number", "payload"),
    [(-3, "-3"), (1e300, "1e+300"), (2**70, str(2**70)), (10**5000, "<number of 16610 bits>"), ("7", "7"), (None, "")],
    ids=range(6),
)
def test_number_is_written_whatever_it_is(client: MetlogClient, number: object, payload: str) -> None:
    """What is none, the router refuses."""
    client.incr("x", number)  # type: ignore[arg-type]
    assert read_message(client)["payload"] == payload


def test_name_of_a_metric_is_the_one_of_the_call(client: MetlogClient) -> None:
    """A field of the same name does not change it."""
    client.incr("logins", fields={"name": "x", "rate": 9})
    assert read_fields(client) == {"name": "logins", "rate": 1.0}


def test_rate_is_the_share_that_is_sent(client: MetlogClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message says it, and what is left out is counted."""
    monkeypatch.setattr(client_module, "_RANDOM", random.Random(7))
    for _ in range(2000):
        client.incr("hits", rate=0.25)
        client.gauge("level", 1, rate=0.25)
    sent, left_out = client.counts.sent, client.counts.sampled_out
    assert sent + left_out == 4000
    assert 850 < sent < 1150
    rates = [message["fields"]["rate"] for message in client.sender.messages]  # type: ignore[attr-defined]
    assert set(rates) == {0.25}


@pytest.mark.parametrize(
    ("rate", "sent"), [(1, 1.0), (2.0, 1.0), ("no", 1.0), (None, 1.0), (float("nan"), 1.0), (0, None), (-1, None)]
)
def test_rate_is_between_none_and_all(client: MetlogClient, rate: object, sent: float | None) -> None:
    """What is no rate means all; 0 means none."""
    client.incr("hits", rate=rate)  # type: ignore[arg-type]
    assert [message["fields"] for message in read_messages(client)] == (
        [] if sent is None else [{"name": "hits", "rate": sent}]
    )


def test_sampling_leaves_the_numbers_of_the_application_alone(client: MetlogClient) -> None:
    """One that seeds Python's generator gets what it expects."""
    random.seed(1)
    expected = random.random()
    random.seed(1)
    client.incr("hits", rate=0.5)
    assert random.random() == expected


LEVELS = [
    ("debug", SEVERITY.DEBUG),
    ("info", SEVERITY.INFORMATIONAL),
    ("warn", SEVERITY.WARNING),
    ("warning", SEVERITY.WARNING),
    ("error", SEVERITY.ERROR),
    ("critical", SEVERITY.CRITICAL),
    ("exception", SEVERITY.ALERT),
]


@pytest.mark.parametrize(("method", "severity"), LEVELS)
def test_level_is_a_severity(client: MetlogClient, method: str, severity: int) -> None:
    """All are of the type `oldstyle`."""
    getattr(client, method)("hello")
    message = read_message(client)
    assert (message["type"], message["severity"], message["payload"]) == ("oldstyle", severity, "hello")


@pytest.mark.parametrize(
    ("args", "payload"),
    [
        (("100%",), "100%"),
        (("%s of %d", "a", 2), "a of 2"),
        (("%(user)s in", {"user": "ann"}), "ann in"),
        (("%s", {}), "{}"),
        (("%d", "x"), "%d x"),
        (("no place", 1), "no place 1"),
        ((b"%s", 1), "b'1'"),
        ((5,), "5"),
        ((None,), ""),
        (("%s", Rude()), "%s <Rude>"),
        ((Rude(), 1), "<Rude> 1"),
    ],
    ids=range(11),
)
def test_text_is_formatted_if_there_are_arguments(client: MetlogClient, args: tuple[object, ...], payload: str) -> None:
    """A wrong format shows what was given."""
    client.info(*args)
    assert read_message(client)["payload"] == payload


def test_fields_and_logger_of_old_style_messages(client: MetlogClient) -> None:
    """`extra` is the word of the standard library's logging."""
    client.info("x", fields={"a": 1}, extra={"b": 2}, logger="till")
    message = read_message(client)
    assert (message["logger"], message["fields"]) == ("till", {"a": 1, "b": 2})


def raise_deeply(depth: int) -> None:
    """Raise below so many frames."""
    if depth:
        raise_deeply(depth - 1)
    raise LookupError("no such user")


@pytest.mark.parametrize("way", ["exception", "flag", "instance", "triple", "positional"])
def test_exception_is_text_and_field(client: MetlogClient, way: str) -> None:
    """However it is handed over."""
    try:
        raise_deeply(1)
    except LookupError as caught:
        error = caught
        calls: dict[str, Callable[[], None]] = {
            "exception": lambda: client.exception("%s failed", "login"),
            "flag": lambda: client.error("%s failed", "login", exc_info=True),
            "instance": lambda: client.error("%s failed", "login", exc_info=error),
            "triple": lambda: client.error("%s failed", "login", exc_info=(type(error), error, error.__traceback__)),
            "positional": lambda: client.exception("login failed", (type(error), error, error.__traceback__)),
        }
        calls[way]()
    message = read_message(client)
    payload, fields = message["payload"], message["fields"]
    assert isinstance(payload, str)
    assert isinstance(fields, dict)
    assert payload.startswith("login failed\nTraceback (most recent call last):\n")
    assert payload.endswith("\nLookupError: no such user")
    told = fields["exception"]
    assert (told["type"], told["module"], told["value"]) == ("LookupError", "builtins", "no such user")
    assert [frame["function"] for frame in told["traceback"]][-2:] == ["raise_deeply", "raise_deeply"]
    assert told["traceback"][-1]["code"] == 'raise LookupError("no such user")'
    assert told["traceback"][-1]["file"] == __file__


@pytest.mark.parametrize("exc_info", [False, None, (None, None, None), (1, 2), True])
def test_no_exception_adds_nothing(client: MetlogClient, exc_info: object) -> None:
    """Outside a handler there is none."""
    client.exception("over", exc_info=exc_info)
    message = read_message(client)
    assert (message["payload"], message["fields"]) == ("over", {})


def test_deep_stack_keeps_its_innermost_frames(client: MetlogClient) -> None:
    """In the text, too."""
    try:
        raise_deeply(200)
    except LookupError:
        client.exception("deep")
    message = read_message(client)
    fields = message["fields"]
    assert isinstance(fields, dict)
    assert len(fields["exception"]["traceback"]) == 50
    assert len(str(message["payload"])) < 10_000


def test_exception_that_fails_to_speak_is_sent(client: MetlogClient) -> None:
    """By its class alone."""

    class RudeError(Exception):
        __str__ = Rude.fail  # type: ignore[assignment]

    client.error("x", exc_info=RudeError())
    fields = read_fields(client)
    assert "RudeError" in str(fields["exception"])


CALLS: list[Callable[[MetlogClient, object], object]] = [
    lambda client, rude: client.metlog(rude, rude, rude, rude, rude, rude),  # type: ignore[arg-type]
    lambda client, rude: client.incr(rude, rude, rude, rude, rude, rude),  # type: ignore[arg-type]
    lambda client, rude: client.gauge(rude, rude, rude, rude, rude, rude),  # type: ignore[arg-type]
    lambda client, rude: client.timer_send(rude, rude, rude, rude, rude, rude),  # type: ignore[arg-type]
    lambda client, rude: client.timer(rude, rude, rude, rude, rude).__enter__().__exit__(None, None, None),  # type: ignore[arg-type]
    lambda client, rude: client.info(rude, rude, rude),
    lambda client, rude: client.exception(rude, rude, exc_info=rude, extra=rude, fields=rude, logger=rude),
    lambda client, rude: client.send_message(rude),  # type: ignore[arg-type]
    lambda client, rude: client.send_message(dict.fromkeys(["type", "fields", "severity"], rude)),
]


RUDE = [
    Rude(),
    Rude,
    None,
    b"\xff",
    {Rude: Rude()},
    "\ud800",
    [[]],
    1j,
    Masked(),
    datetime(2026, 3, 5, tzinfo=RudeZone()),
]
"""By their numbers: pytest looks closer at its parameters than some of them bear."""


@pytest.mark.parametrize("call", CALLS, ids=range(len(CALLS)))
@pytest.mark.parametrize("number", range(len(RUDE)))
def test_no_call_fails(call: Callable[[MetlogClient, object], object], number: int) -> None:
    """Whatever it is given: it is sent somehow, or counted as a failure."""
    client = MetlogClient(DebugCaptureSender(), disabled_timers=["another"], report_seconds=None)
    call(client, RUDE[number])
    counts = client.counts
    assert counts.sent + counts.failed == 1
    assert counts.dropped == 0
    assert len(read_messages(client)) == counts.sent


class RudeMapping(UserDict[str, object]):
    """A mapping that cannot be read."""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")


@pytest.mark.parametrize("method", ["incr", "gauge", "timer_send"])
def test_fields_that_cannot_be_read_are_a_failure(client: MetlogClient, method: str) -> None:
    """And none of the application's."""
    getattr(client, method)("name", 5, fields=RudeMapping())
    assert client.counts.failed == 1


def test_exception_that_cannot_be_written_is_sent_by_its_class(client: MetlogClient) -> None:
    """Its text is lost, the message is not."""

    class RudeError(Exception):
        @property
        def __cause__(self) -> BaseException | None:  # type: ignore[override]
            raise RuntimeError("no")

    client.error("failed", exc_info=RudeError())
    message = read_message(client)
    assert message["payload"] == "failed"
    assert str(message["fields"]).endswith("RudeError'}}")


def test_digits_of_timers_are_a_whole_number() -> None:
    """Whatever way they are written: rounding to 2.0 digits would fail where a timer ends."""
    client = make_client(timer_digits=2.0)
    with client.timer("x") as timer:
        pass
    assert timer.result is not None
    assert client.counts.sent == 1


def test_sender_is_there_or_not() -> None:
    """A client without one is not active, until it is set up."""
    client = MetlogClient(None, report_seconds=None)
    states = [client.is_active]
    client.incr("lost")
    client.setup(DebugCaptureSender(), "shop", 3, report_seconds=None)
    assert [*states, client.is_active] == [False, True]
    client.metlog("audit")
    message = read_messages(client)[0]
    assert (message["logger"], message["severity"]) == ("shop", 3)
    assert client.counts.failed == 1


def test_method_of_a_plugin_is_bound_by_its_name(client: MetlogClient) -> None:
    """The name is an attribute of the function."""

    def greet(self: MetlogClient, name: str) -> str:
        self.metlog("greeting", payload=name)
        return name.upper()

    greet.metlog_name = "hello"  # type: ignore[attr-defined]
    client.add_method(greet)
    assert client.hello("ann") == "ANN"  # type: ignore[attr-defined]
    assert read_message(client)["type"] == "greeting"


@pytest.mark.parametrize("name", ["incr", "logger", "twice"])
def test_method_takes_no_place_without_leave(client: MetlogClient, name: str) -> None:
    """Neither that of the client's own, nor that of another plugin."""

    def plugin(self: MetlogClient) -> str:
        return "plugin"

    plugin.metlog_name = "twice"  # type: ignore[attr-defined]
    client.add_method(plugin)
    plugin.metlog_name = name  # type: ignore[attr-defined]
    with pytest.raises(SyntaxError, match=f"something of the name '{name}'"):
        client.add_method(plugin)
    client.add_method(plugin, override=True)
    assert getattr(client, name)() == "plugin"


def test_method_takes_the_place_that_is_named(client: MetlogClient) -> None:
    """By `override`, which may be a name."""

    def plugin(self: MetlogClient, *args: object) -> str:
        return "plugin"

    client.add_method(plugin, override="incr")
    assert client.incr("x") == "plugin"  # type: ignore[func-returns-value]


def test_subclass_sees_each_message() -> None:
    """All calls go through `metlog` and `send_message`, as in metlog-py."""

    class Loud(MetlogClient):
        def metlog(self, type: str, *args: object, **kwargs: object) -> None:  # noqa: A002 - as there
            super().metlog(type.upper(), *args, **kwargs)  # type: ignore[arg-type]

    client = Loud(DebugCaptureSender())
    client.incr("x")
    client.info("x")
    client.timer_send("x", 1)
    assert [message["type"] for message in read_messages(client)] == ["COUNTER", "OLDSTYLE", "TIMER"]


def test_threads_share_a_client() -> None:
    """No message is lost, none is mixed with another, and the counts are right."""

    class KeepingSender:
        messages: list[dict[str, object]] = []  # noqa: RUF012 - one sender

        def send_message(self, message: dict[str, object]) -> None:
            self.messages.append(message)

    client = MetlogClient(KeepingSender())

    def work(number: int) -> None:
        for turn in range(500):
            client.incr(f"n{number}", turn, fields={"turn": turn, "thread": number})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.counts.sent == 4000
    seen = {(message["payload"], message["fields"]["thread"]) for message in KeepingSender.messages}  # type: ignore[index]
    assert seen == {(str(turn), number) for turn in range(500) for number in range(8)}
    assert all(
        message["fields"]["name"] == f"n{message['fields']['thread']}"  # type: ignore[index]
        for message in KeepingSender.messages
    )


def test_child_of_a_fork_is_a_process_of_its_own(client: MetlogClient) -> None:
    """It has its own number and its own counts, and other random numbers than its siblings."""
    client.incr("before")
    reading, writing = os.pipe()
    for _ in range(2):
        if (child := os.fork()) == 0:
            client.metlog("audit")
            message = list(client.sender.messages)[-1]  # type: ignore[attr-defined]
            told = f"{message['metlog_pid'] == os.getpid()} {client.counts.sent} {client_module._RANDOM.random()}\n"
            os.write(writing, told.encode())
            os._exit(0)
        os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        rows = [line.split() for line in answers]
    assert [row[:2] for row in rows] == [["True", "1"], ["True", "1"]]
    assert rows[0][2] != rows[1][2]
    assert client.counts.sent == 1
    assert client.pid == os.getpid()


def test_sender_is_flushed_and_closed_by_its_client(client: MetlogClient) -> None:
    """One that knows neither has nothing to do."""
    calls: list[object] = []

    class Known(DebugCaptureSender):
        def flush(self, timeout_seconds: float = 1.0) -> bool:
            calls.append(timeout_seconds)
            return False

        def close(self) -> None:
            calls.append("close")

    client.sender = Known()
    assert not client.flush(0.5)
    client.close()
    assert calls == [0.5, "close"]

    class Unknown:
        def send_message(self, message: object) -> None:
            """Keep nothing."""

    client.sender = Unknown()
    assert client.flush()
    client.close()
    assert calls == [0.5, "close"]
