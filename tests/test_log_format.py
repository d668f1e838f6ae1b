"""The daemon's own log."""

from __future__ import annotations

import io
import logging
import os
import sys

import pytest

from pipeline.journal_log import JournalHandler
from pipeline.log_format import LineFormatter, start_logging


def test_line_is_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, without colour where that is no terminal."""
    start_logging(0)
    logging.getLogger("pipeline.x").info("Program %s is loaded.", "a.mtail")
    logging.getLogger("pipeline.x").debug("Not shown.")
    assert capsys.readouterr() == ("", "INFO Program a.mtail is loaded.\n")


def test_debug_messages_are_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """From --v=1 on."""
    start_logging(1)
    logging.getLogger("pipeline.x").debug("Shown.")
    assert capsys.readouterr().err == "DEBUG Shown.\n"


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11"])
def test_requests_of_pushes_are_never_logged(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """There is one every minute, and a password in its headers. What is wrong with them is."""
    start_logging(1)
    logging.getLogger(name).info("authorization: secret")
    logging.getLogger(name).warning("Broken.")
    assert capsys.readouterr().err == "WARNING Broken.\n"


def test_log_follows_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress bar stands in for it for a while."""
    start_logging(0)
    stand_in = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stand_in)
    logging.getLogger("pipeline.x").error("Seen.")
    assert stand_in.getvalue() == "ERROR Seen.\n"


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (logging.ERROR, "\x1b[31mERROR\x1b[0m m"),
        (logging.WARNING, "\x1b[33mWARNING\x1b[0m m"),
        (logging.INFO, "INFO m"),
    ],
)
def test_level_has_colour_on_a_terminal(level: int, text: str) -> None:
    """What went as asked needs none."""
    record = logging.LogRecord("x", level, "", 0, "m", (), None)
    assert LineFormatter(in_colour=True).format(record) == text


def test_unexpected_error_shows_its_traceback() -> None:
    """It is a mistake of ours, and must be found."""
    try:
        raise KeyError("x")
    except KeyError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "m", (), (KeyError, error, error.__traceback__))
    first, *rest = LineFormatter(in_colour=False).format(record).splitlines()
    assert (first, rest[0], rest[-1]) == ("ERROR m", "Traceback (most recent call last):", "KeyError: 'x'")


def test_log_goes_to_the_journal_where_standard_error_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message without its level, which is a field there."""
    status = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    start_logging(0)
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, JournalHandler)
    assert handler.format(logging.LogRecord("x", logging.INFO, "", 0, "m", (), None)) == "m"
