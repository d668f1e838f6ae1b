"""Messages as syslog daemons read them (RFC 5424).

::

    <14>1 2024-05-01T12:00:00.000000Z host application 42 oldstyle [metlog@32473 name="value"] the payload

Whatever a message holds, it makes one such line: what a field of the head cannot have becomes `_`, and control
characters are written in octal behind `#`, as rsyslog does it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice

from pipeline.decoders import Value
from pipeline.metlog.endpoints.message import spell_value

# What rsyslog takes by default (maxMessageSize); RFC 5424 section 6.1 asks for 2 KiB at least.
MAX_BYTES = 8 * 1024
MAX_DATA_BYTES = 4 * 1024
"""Of the structured data. Fields that have no room are left out, so that the payload has some."""
MAX_FIELDS = 1024
"""As many are looked at. There is room for fewer, and a stranger may send a hundred thousand."""

MAX_HOST = 255
MAX_APP = 48
MAX_PROCESS = 128
MAX_TYPE = 32
MAX_NAME = 32
"""RFC 5424 section 6: HOSTNAME, APP-NAME, PROCID, MSGID, SD-NAME."""

NOT_PRINTABLE = re.compile(r"[^!-~]")
NOT_IN_NAMES = re.compile(r'[^!-~]|[=\]"]')
ESCAPED = re.compile(r'[\\"\]]')
# Also those of ISO 8859-1, and what stands in for bytes that are no UTF-8.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SURROGATES = re.compile(r"[\ud800-\udfff]")

NIL = "-"
FIRST_SECOND = 0
LAST_SECOND = 253_402_300_799
"""From 1970 to 9999."""
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SyslogForm:
    """What is the same for all messages."""

    facility: int
    enterprise: int
    host: str
    """Of messages that name none."""

    def write(self, record: Mapping[str, Value], time: int) -> bytes:
        """Return a message; `time` is in ns since 1970."""
        severity = record["severity"]
        assert isinstance(severity, int), "it is an envelope"
        head = " ".join(
            (
                f"<{self.facility * 8 + severity}>1",
                spell_time(time),
                spell_head(record["metlog_hostname"] or self.host, MAX_HOST),
                spell_head(record["logger"], MAX_APP),
                spell_head(record["metlog_pid"], MAX_PROCESS),
                spell_head(record["type"], MAX_TYPE),
            )
        )
        data = self.write_data(record["fields"])
        # What is cut off in the end need not be escaped: nothing becomes shorter by that.
        text = escape_control(spell_value(record["payload"])[:MAX_BYTES]).encode("utf-8", "replace")
        whole = f"{head} {data}".encode() + (b" " + text if text else b"")
        return whole if len(whole) <= MAX_BYTES else cut_text(whole)

    def write_data(self, fields: Value) -> str:
        """Return the structured data."""
        if not isinstance(fields, Mapping) or not fields:
            return NIL
        parts = [f"[metlog@{self.enterprise}"]
        size = len(parts[0]) + 1
        for name, value in islice(fields.items(), MAX_FIELDS):
            text = spell_value(value)
            if len(text) > MAX_DATA_BYTES:
                continue
            part = f'{spell_name(name)}="{escape_parameter(text)}"'
            needed = len(part.encode()) + 1
            if size + needed <= MAX_DATA_BYTES:
                parts.append(part)
                size += needed
        return " ".join(parts) + "]"


def spell_time(time: int) -> str:
    """Return a time in UTC with microseconds, more of which RFC 5424 does not allow; nil for one without a year."""
    seconds, rest = divmod(time, NANOSECONDS)
    return f"{spell_second(seconds)}.{rest // 1000:06}Z" if FIRST_SECOND <= seconds <= LAST_SECOND else NIL


@lru_cache(maxsize=64)
def spell_second(seconds: int) -> str:
    """Return a time without its fraction. Messages that follow each other share it."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def spell_head(value: Value, size: int) -> str:
    """Return a field of the head: printable, without blanks, and not too long."""
    return NOT_PRINTABLE.sub("_", spell_value(value)[:size]) or NIL


def spell_name(name: str) -> str:
    """Return the name of a parameter."""
    return NOT_IN_NAMES.sub("_", name[:MAX_NAME]) or "_"


def escape_parameter(text: str) -> str:
    """Return the value of a parameter (RFC 5424 section 6.3.3): three characters are escaped, all others stand."""
    return ESCAPED.sub(r"\\\g<0>", escape_control(text))


def escape_control(text: str) -> str:
    """Return a text that is one line, in UTF-8."""
    if text.isprintable():  # which spares two thirds of the time (measured)
        return text
    text = CONTROL.sub(lambda found: f"#{ord(found[0]):03o}", text)
    return SURROGATES.sub("\ufffd", text)


def cut_text(whole: bytes) -> bytes:
    """Return a message that is not too long, without a part of a character at its end."""
    return whole[:MAX_BYTES].decode("utf-8", "ignore").encode()
