"""Messages to a syslog daemon, over its unix datagram socket.

RFC 5424 section 6, with no structured data, as that takes a number of one's own:

    SYSLOG-MSG = "<" PRIVAL ">" VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP "-" SP MSG

/dev/log wants what syslog(3) writes, `<PRIVAL>APP[PROCID]: MSG`: rsyslog and journald would take a header of RFC 5424
for text there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Literal

from pipeline.metlog.envelope import Message, encode_message
from pipeline.metlog.senders.datagram import UnixDatagramSender
from pipeline.metlog.senders.logging import collect_types, includes
from pipeline.metlog.senders.patience import TIMEOUT_SECONDS
from pipeline.metlog.senders.sender import SenderError

DEV_LOG = "/dev/log"

# What rsyslog takes, unless it is told otherwise (maxMessageSize).
MAX_BYTES = 8 * 1024

NAMES = ("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp")
UNUSUAL_NAMES = ("audit", "alert", "clock", *(f"local{number}" for number in range(8)))

FACILITIES = {name: number for number, name in enumerate((*NAMES, *UNUSUAL_NAMES))}
"""RFC 5424 section 6.2.1, by the names of syslog.conf(5)."""

WRONG_SEVERITY = 4

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
NOT_PRINTABLE = re.compile(r"[^!-~]")
NOT_IN_TAG = re.compile(r"[^!-~]|[\[\]:]")

Protocol = Literal["rfc5424", "local"]


class SyslogSender(UnixDatagramSender):
    """Sends the payload of log messages, and messages of other types as JSON.

    `app` is the name of the application; by default it is the message's `logger`. `protocol` is `rfc5424`, or `local`
    for what syslog(3) writes; by default it is what the socket wants.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = DEV_LOG,
        *,
        facility: str | int = "user",
        app: str = "",
        protocol: Protocol | None = None,
        payload_types: str | Iterable[str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(path, timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        if protocol not in (None, "rfc5424", "local"):
            raise SenderError(f"The protocol of a syslog socket is rfc5424 or local, not {protocol!r}.")
        self.facility = find_facility(facility)
        self.app = app
        self.is_local = protocol == "local" or (protocol is None and os.fspath(path) == DEV_LOG)
        self.payload_types = collect_types(payload_types, "oldstyle")

    def encode(self, message: Message) -> bytes:
        """Return a message with its header."""
        header = self.spell_local(message) if self.is_local else self.spell_header(message)
        if includes(self.payload_types, message.get("type")):
            text = CONTROL.sub(escape, str(message.get("payload", "")))
            return header.encode() + text.encode("utf-8", "replace")
        return header.encode() + encode_message(message)

    def spell_priority(self, message: Message) -> str:
        """Return `<PRIVAL>`."""
        severity = message.get("severity")
        return f"<{self.facility * 8 + (severity if severity in range(8) else WRONG_SEVERITY)}>"  # type: ignore[operator]

    def spell_header(self, message: Message) -> str:
        """Return the header of RFC 5424, with all that is in front of the message."""
        words = [
            (message.get("timestamp"), 32),
            (message.get("metlog_hostname"), 255),
            (self.app or message.get("logger"), 48),
            (message.get("metlog_pid"), 128),
            (message.get("type"), 32),
        ]
        return f"{self.spell_priority(message)}1 {' '.join(spell_word(*word) for word in words)} - "

    def spell_local(self, message: Message) -> str:
        """Return what syslog(3) writes in front of the message; the receiver knows the time and the host."""
        tag = NOT_IN_TAG.sub("_", str(self.app or message.get("logger") or "metlog"))[:32]
        return f"{self.spell_priority(message)}{tag}[{message.get('metlog_pid', os.getpid())}]: "


def find_facility(facility: str | int) -> int:
    """Return the number of a facility; raises `SenderError`."""
    number = FACILITIES.get(facility, -1) if isinstance(facility, str) else facility
    if not 0 <= number < len(FACILITIES):
        raise SenderError(f"There is no facility {facility!r}: there are {', '.join(FACILITIES)}.")
    return number


def spell_word(value: object, most: int) -> str:
    """Return a word of the header, with `_` for what it must not have, or the dash of one that is absent."""
    return NOT_PRINTABLE.sub("_", str(value))[:most] if value not in (None, "") else "-"


def escape(found: re.Match[str]) -> str:
    """Return a control character as rsyslog writes it: its number in octal. A line feed would begin a new line."""
    return f"#{ord(found[0]):03o}"
