"""The standard library's logging goes to a client, a client to it, and nothing goes round."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.logging import MetlogHandler, hook_logger
from pipeline.metlog.registry import CLIENT_HOLDER
from pipeline.metlog.senders import DebugCaptureSender, StdLibLoggingSender
from tests.metlog.generator_clients import make_client, read_message, read_messages

NAME = "tests.metlog.bridge"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of its own."""
    logger = logging.getLogger(NAME)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.handlers.clear()


@pytest.fixture
def client() -> MetlogClient:
    """A client with a ring of messages."""
    return make_client()


def test_record_is_sent_with_its_arguments(logger: logging.Logger, client: MetlogClient) -> None:
    """And with where it comes from, when it came, and what was added to it."""
    hook_logger(NAME, client)
    logger.warning("%s of %d", "a", 2, extra={"user": "ann"})
    message = read_message(client)
    assert [message[name] for name in ("type", "logger", "severity", "payload")] == ["oldstyle", "shop", 4, "a of 2"]
    fields = message["fields"]
    assert isinstance(fields, dict)
    assert fields.pop("line") > 0
    assert fields == {
        "user": "ann",
        "logger_name": NAME,
        "function": "test_record_is_sent_with_its_arguments",
        "file": __file__,
    }


def test_time_is_that_of_the_record(client: MetlogClient) -> None:
    """It may have waited in a queue."""
    record = logging.makeLogRecord({"msg": "hello", "created": 0.25, "levelno": 20})
    MetlogHandler(client).emit(record)
    assert read_message(client)["timestamp"] == "1970-01-01T00:00:00.250000Z"


@pytest.mark.parametrize(
    ("level", "severity"),
    [(1, 7), (10, 7), (15, 7), (20, 6), (24, 6), (25, 5), (30, 4), (35, 4), (40, 3), (50, 2), (99, 2)],
)
def test_level_is_a_severity(logger: logging.Logger, client: MetlogClient, level: int, severity: int) -> None:
    """Those between two are the lower one; in the middle between INFO and WARNING is NOTICE."""
    logger.setLevel(1)
    hook_logger(NAME, client)
    logger.log(level, "x")
    assert read_message(client)["severity"] == severity


def test_exception_is_text_and_field(logger: logging.Logger, client: MetlogClient) -> None:
    """As with the client's own methods."""
    hook_logger(NAME, client)
    try:
        raise LookupError("no")
    except LookupError:
        logger.exception("failed")
    message = read_message(client)
    assert str(message["payload"]).startswith("failed\nTraceback ")
    assert message["fields"]["exception"]["value"] == "no"  # type: ignore[index]


def test_handler_has_formatters_and_levels(logger: logging.Logger, client: MetlogClient) -> None:
    """As all handlers have."""
    handler = MetlogHandler(client, level="ERROR")
    handler.setFormatter(logging.Formatter("[%(name)s] %(message)s"))
    logger.addHandler(handler)
    logger.info("hidden")
    logger.error("shown")
    assert read_message(client)["payload"] == f"[{NAME}] shown"


def test_thread_that_hangs_holds_up_no_other(logger: logging.Logger) -> None:
    """As the lock of other handlers would. Filters of the handler are asked, as of any other."""
    is_reached, may_go = threading.Event(), threading.Event()

    class HangingSender(DebugCaptureSender):
        def send_message(self, message: dict[str, object]) -> None:
            if message["payload"] == "first":
                is_reached.set()
                may_go.wait(60)
            super().send_message(message)

    client = MetlogClient(HangingSender(), report_seconds=None)
    hook_logger(logger.name, client)
    handler = logger.handlers[-1]
    handler.addFilter(lambda record: record.msg != "unwanted")
    threads = [threading.Thread(target=logger.error, args=(text,)) for text in ("first", "second", "unwanted")]
    threads[0].start()
    assert is_reached.wait(60)
    for thread in threads[1:]:
        thread.start()
        thread.join(60)
    assert [message["payload"] for message in read_messages(client)] == ["second"]
    may_go.set()
    threads[0].join(60)


def test_logger_is_hooked_once(logger: logging.Logger, client: MetlogClient) -> None:
    """For each client."""
    other = make_client()
    for _ in range(2):
        hook_logger(NAME, client)
        hook_logger(NAME, other)
    logger.info("x")
    assert len(read_messages(client)) == len(read_messages(other)) == 1


def test_client_is_the_default_one(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the time of the record; before there is one, nothing is sent."""
    monkeypatch.setattr(CLIENT_HOLDER, "_clients", {})
    monkeypatch.setattr(CLIENT_HOLDER, "global_config", {})
    hook_logger(NAME)
    logger.info("lost")
    client = CLIENT_HOLDER.get_client("shop")
    client.sender = DebugCaptureSender()
    logger.info("kept")
    assert read_message(client)["payload"] == "kept"


def test_record_that_cannot_be_formatted_is_told_as_logging_does(
    client: MetlogClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """The application goes on."""
    MetlogHandler(client).handle(logging.makeLogRecord({"msg": "%d", "args": ("x",), "levelno": 20}))
    assert "--- Logging error ---" in capsys.readouterr().err
    assert read_messages(client) == []


class Seeing(logging.Handler):
    """A handler that keeps what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append((record.levelno, record.getMessage()[:18]))


def test_messages_go_to_logging(logger: logging.Logger) -> None:
    """Text as text, the rest as JSON."""
    logger.addHandler(seeing := Seeing())
    client = MetlogClient(StdLibLoggingSender(NAME), "shop")
    client.error("%s failed", "it")
    client.incr("x")
    assert seeing.records == [
        (logging.ERROR, "it failed"),
        (logging.INFO, '{"type":"counter",'),
    ]


def test_nothing_goes_round(logger: logging.Logger) -> None:
    """From logging to a client that logs, and from a client to a logger that sends."""
    client = MetlogClient(StdLibLoggingSender(NAME), "shop", report_seconds=None)
    hook_logger(NAME, client)
    logger.addHandler(seeing := Seeing())
    logger.error("logged")
    client.error("sent")
    assert seeing.records == [(logging.ERROR, "logged"), (logging.ERROR, "logged"), (logging.ERROR, "sent")]
    assert client.counts.lost == 0


def test_what_a_sender_logs_is_not_sent(logger: logging.Logger) -> None:
    """It would be with each message, again and again."""

    class Talking(DebugCaptureSender):
        def send_message(self, message: dict[str, object]) -> None:
            logger.info("sending")
            super().send_message(message)

    client = MetlogClient(Talking(), "shop")
    hook_logger(NAME, client)
    logger.info("x")
    assert [message["payload"] for message in read_messages(client)] == ["x"]
    client.info("y")
    assert "y" in [message["payload"] for message in read_messages(client)]
