"""How our own log looks: one line each on standard error, `LEVEL Message.`; in the journal, entries with fields."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from pipeline.journal_log import make_journal_handler

COLOURS = {logging.DEBUG: "\x1b[2m", logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m"}
PLAIN = "\x1b[0m"

HTTP_CLIENT = ("httpx", "httpcore")
"""Who log each request, and each header, passwords included."""


class LineFormatter(logging.Formatter):
    """Writes `LEVEL Message.`, the level in colour on a terminal."""

    def __init__(self, *, in_colour: bool) -> None:
        super().__init__()
        self.in_colour = in_colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; the traceback of an unexpected error follows it."""
        level = record.levelname
        if self.in_colour and record.levelno in COLOURS:
            level = f"{COLOURS[record.levelno]}{level}{PLAIN}"
        text = f"{level} {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment: a progress bar puts itself before it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def start_logging(verbosity: int) -> None:
    """Log to standard error, or to the journal it leads to: INFO and above, and DEBUG too from verbosity 1 on."""
    handler = StderrHandler(sys.stderr)
    handler.setFormatter(LineFormatter(in_colour=sys.stderr.isatty()))
    level = logging.DEBUG if verbosity > 0 else logging.INFO
    logging.basicConfig(level=level, handlers=[make_journal_handler(handler) or handler], force=True)
    for name in HTTP_CLIENT:
        logging.getLogger(name).setLevel(logging.WARNING)
