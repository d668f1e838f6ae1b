"""Messages as records of the standard library's logging. How long that takes is for its handlers to say."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from pipeline.metlog.envelope import Message
from pipeline.metlog.senders.encoding import ENCODING_ERRORS, format_line
from pipeline.metlog.senders.sender import LOOP, NO_JSON, UNWANTED, Sender

ALL = "*"

LEVELS = {
    0: logging.CRITICAL,
    1: logging.CRITICAL,
    2: logging.CRITICAL,
    3: logging.ERROR,
    4: logging.WARNING,
    5: logging.INFO,
    6: logging.INFO,
    7: logging.DEBUG,
}
"""By severity."""


class StdLibLoggingSender(Sender):
    """Logs what it is given, by type: the payload alone, the whole message as JSON, or nothing.

    `*` stands for all types. A handler that sends its records back to a client ends here, so that nothing goes round.
    """

    def __init__(
        self,
        logger_name: str | None = None,
        payload_types: str | Iterable[str] | None = None,
        json_types: str | Iterable[str] | None = None,
    ) -> None:
        super().__init__()
        self.logger = logging.getLogger(logger_name)
        self.payload_types = collect_types(payload_types, "oldstyle")
        self.json_types = collect_types(json_types, ALL)
        self.state = threading.local()

    def send_message(self, message: Message) -> None:
        """Log a message."""
        if getattr(self.state, "is_logging", False):
            self.counts.drop(LOOP)
            return
        try:
            text = self.spell(message)
        except ENCODING_ERRORS as error:
            self.counts.drop(NO_JSON, str(error))
            return
        if text is None:
            self.counts.drop(UNWANTED)
            return
        self.state.is_logging = True
        try:
            self.logger.log(find_level(message.get("severity")), text)
        finally:
            self.state.is_logging = False
        self.counts.sent += 1

    def spell(self, message: Message) -> str | None:
        """Return the text to log, or None if the type is not wanted."""
        kind = message.get("type")
        if includes(self.payload_types, kind):
            return str(message.get("payload", ""))
        return format_line(message) if includes(self.json_types, kind) else None

    def start_anew(self) -> None:
        """Begin as a sender of this process, which was forked."""
        super().start_anew()
        self.state = threading.local()


def collect_types(types: str | Iterable[str] | None, default: str) -> frozenset[str]:
    """Return types as a set; one alone may be given as its name."""
    if types is None:
        types = default
    return frozenset({types} if isinstance(types, str) else types)


def includes(types: frozenset[str], kind: object) -> bool:
    """Return whether a type is among some."""
    return ALL in types or kind in types


def find_level(severity: object) -> int:
    """Return the level of logging that is closest to a severity."""
    return LEVELS.get(severity, logging.WARNING) if isinstance(severity, int) else logging.WARNING
