"""An entry of the journal → a line. Pure.

The line looks as rsyslog's traditional file format has it, so that programs written for its files match:
`Mmm dd hh:mm:ss HOST IDENTIFIER[PID]: MESSAGE`, the time that of this machine. The identifier and the process
are those that the sender named, else those that the journal found out, as rsyslog's imjournal takes them.

A message may hold any bytes. What would break a line is escaped as rsyslog does on reception
(`parser.escapeControlCharactersOnReceive`): a line feed becomes `#012`. One at the end is dropped.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import NamedTuple

MICROSECONDS = 1_000_000

MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")

CONTROLS = bytes(range(32))
CONTROL = re.compile(rb"[\x00-\x1f]")
ESCAPES = {bytes([code]): b"#%03o" % code for code in CONTROLS}


class Entry(NamedTuple):
    """What a line is made of; what the journal does not know is empty. `time` is in microseconds since 1970."""

    time: int
    host: bytes
    identifier: bytes
    process: bytes
    message: bytes


class LineWriter:
    """Writes entries as lines, without line feeds. It remembers the last second: many entries share one."""

    def __init__(self, zone: tzinfo, *, message_only: bool) -> None:
        self.zone = zone
        self.message_only = message_only
        self.second = -1
        self.stamp = b""

    def write(self, entry: Entry) -> bytes:
        """Return the line."""
        message = entry.message.removesuffix(b"\0").removesuffix(b"\n")
        if self.message_only:
            return escape_controls(message)
        second = entry.time // MICROSECONDS
        if second != self.second:
            self.second = second
            self.stamp = format_stamp(datetime.fromtimestamp(second, self.zone))
        process = b"[%b]" % entry.process if entry.process else b""
        identifier = entry.identifier or b"unknown"
        return escape_controls(b"%b %b %b%b: %b" % (self.stamp, entry.host or b"-", identifier, process, message))


def format_stamp(time: datetime) -> bytes:
    """Return `Mmm dd hh:mm:ss`, the day with a blank before its one digit (RFC 3164 section 4.1.2)."""
    return b"%b %2d %02d:%02d:%02d" % (MONTHS[time.month - 1], time.day, time.hour, time.minute, time.second)


def escape_controls(text: bytes) -> bytes:
    """Return `text` with each byte below 32 as `#` and three octal digits."""
    if len(text.translate(None, CONTROLS)) == len(text):
        return text
    return CONTROL.sub(lambda found: ESCAPES[found[0]], text)
