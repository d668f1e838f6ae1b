"""Our own log as entries of the journal, with fields, where systemd has connected standard error to it.

What systemd reads from standard error has lines and a priority; what is sent to the journal itself
(sd_journal_sendv(3)) keeps a message of several lines in one piece, and has fields to search by.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

IDENTIFIER = "syslog-pipeline"

SOCKET = Path("/run/systemd/journal/socket")
"""Where journald listens. Where it is not, libsystemd says nothing and drops the message (sd_journal_sendv(3))."""

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))
"""Levels and the priorities of syslog(3), each for its level and those above."""

FIELDS = {"program": "SYSLOG_PIPELINE_PROGRAM", "source": "SYSLOG_PIPELINE_SOURCE"}
"""What a record may tell besides its message, by the name in its `extra`, and the field that holds it."""

Send: TypeAlias = Callable[..., None]
"""Sends fields as one entry; raises `OSError`."""


class JournalHandler(logging.Handler):
    """Sends records to the journal, and those that it does not take to another handler."""

    def __init__(self, send: Send, other: logging.Handler) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter())  # the message alone; without one, basicConfig adds another
        self.send = send
        self.other = other

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        with suppress(OSError):
            if SOCKET.exists():
                self.send(*make_fields(record, self.format(record)))
                return
        self.other.emit(record)


def make_fields(record: logging.LogRecord, message: str) -> list[bytes]:
    """Return what the journal is told of a record: systemd.journal-fields(7), and our own."""
    told = {
        "MESSAGE": message,
        "PRIORITY": next(priority for level, priority in PRIORITIES if record.levelno >= level),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "CODE_FILE": record.pathname,
        "CODE_LINE": record.lineno,
        "CODE_FUNC": record.funcName,
        "LOGGER": record.name,
    }
    told.update({field: getattr(record, name) for name, field in FIELDS.items() if hasattr(record, name)})
    return [f"{field}={value}".encode("utf-8", "surrogateescape") for field, value in told.items()]


def make_journal_handler(other: logging.Handler) -> JournalHandler | None:
    """Return a handler for the journal; None if standard error does not lead there, or the package is missing."""
    if not is_journal(os.environ.get("JOURNAL_STREAM", "")):
        return None
    try:
        from systemd.journal import sendv
    except ImportError:
        return None
    return JournalHandler(sendv, other)


def is_journal(stream: str) -> bool:
    """Return whether standard error is the stream that `stream` names, `DEVICE:INODE` (systemd.exec(5))."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"
