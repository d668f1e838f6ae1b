"""Our log as entries of the journal. That the real journald takes them is shown in tests/e2e/test_journal.py."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from pipeline import journal_log
from pipeline.journal_log import JournalHandler, is_journal, make_fields, make_journal_handler


class Kept(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.records.append(record)


@pytest.fixture
def stderr_stream() -> str:
    """Return what JOURNAL_STREAM would hold if standard error led to the journal."""
    status = os.fstat(2)
    return f"{status.st_dev}:{status.st_ino}"


def make_record(level: int = logging.INFO, message: str = "Done.", **extra: object) -> logging.LogRecord:
    """Return a record."""
    return logging.getLogger("pipeline.x").makeRecord(
        "pipeline.x", level, "/x/y.py", 7, message, (), None, "work", extra
    )


def test_record_has_fields() -> None:
    """The journal's own names for what it knows, ours for the rest; what is no UTF-8 stays as it is."""
    record = make_record(logging.ERROR, "one\ntwo", program="a.mtail", source="/run/\udcff")
    assert make_fields(record, record.getMessage()) == [
        b"MESSAGE=one\ntwo",
        b"PRIORITY=3",
        b"SYSLOG_IDENTIFIER=syslog-pipeline",
        b"CODE_FILE=/x/y.py",
        b"CODE_LINE=7",
        b"CODE_FUNC=work",
        b"LOGGER=pipeline.x",
        b"SYSLOG_PIPELINE_PROGRAM=a.mtail",
        b"SYSLOG_PIPELINE_SOURCE=/run/\xff",
    ]


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.CRITICAL, b"2"),
        (logging.ERROR, b"3"),
        (logging.WARNING, b"4"),
        (logging.INFO, b"6"),
        (logging.DEBUG, b"7"),
        (logging.NOTSET, b"7"),
    ],
)
def test_level_is_a_priority(level: int, priority: bytes) -> None:
    """As syslog(3) names them."""
    assert b"PRIORITY=" + priority in make_fields(make_record(level), "")


def test_unexpected_error_is_part_of_the_message() -> None:
    """With its traceback, in one entry."""
    record = make_record()
    try:
        raise KeyError("x")
    except KeyError as error:
        record.exc_info = (KeyError, error, error.__traceback__)
    handler = JournalHandler(print, Kept())
    text = handler.format(record)
    assert text.startswith("Done.\nTraceback (most recent call last):\n")
    assert text.endswith("KeyError: 'x'")


def test_what_the_journal_does_not_take_goes_to_standard_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where journald does not listen, and where it refuses."""
    other, taken = Kept(), []
    record = make_record()

    def send(*fields: bytes) -> None:
        taken.append(fields)
        if len(taken) > 1:
            raise ConnectionRefusedError

    monkeypatch.setattr(journal_log, "SOCKET", tmp_path / "socket")
    JournalHandler(send, other).emit(record)
    assert (taken, other.records) == ([], [record])
    (tmp_path / "socket").touch()
    handler = JournalHandler(send, other)
    handler.emit(record)
    assert (len(taken), len(other.records)) == (1, 1)
    handler.emit(record)
    assert (len(taken), len(other.records)) == (2, 2)


@pytest.mark.parametrize("stream", ["", "x", "1", "8:1", "8:1:1"])
def test_standard_error_that_is_not_the_stream_is_no_journal(stream: str) -> None:
    """A shell started from a service has the variable, and its own standard error."""
    assert not is_journal(stream)


def test_standard_error_that_is_the_stream_is_the_journal(stderr_stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd names its device and inode."""
    monkeypatch.setenv("JOURNAL_STREAM", stderr_stream)
    other = Kept()
    handler = make_journal_handler(other)
    assert handler is not None
    assert handler.other is other


def test_without_the_variable_or_the_package_there_is_no_journal(
    stderr_stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log then is text on standard error."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    assert make_journal_handler(Kept()) is None
    monkeypatch.setenv("JOURNAL_STREAM", stderr_stream)
    monkeypatch.setitem(sys.modules, "systemd.journal", None)
    assert make_journal_handler(Kept()) is None


def test_closed_standard_error_is_no_journal() -> None:
    """It is a stream of nothing."""
    kept = os.dup(2)
    os.close(2)
    try:
        assert not is_journal("8:1")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
