"""One message that waits, and how it stands in a spool: a line of text with a checksum.

::

    6a1d33f0 42 1700000000000000000 {"type":"counter",…}

That is the CRC-32 of what follows, the number of the message, when it was taken, and its line. So whatever happens to a
file, the records that are whole are found again behind the next line feed, and an operator can read it.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple
from zlib import crc32

CRC_DIGITS = 8

IDENTITY_BYTES = 16


class Entry(NamedTuple):
    """A message that waits. Frozen dataclasses take twice as long to make, and each message has one (measured)."""

    number: int
    """Numbers grow from message to message, over restarts too where there is a spool."""
    time: int
    """When it was taken, in ns since 1970."""
    line: bytes


def spell_record(entry: Entry) -> bytes:
    """Return an entry as a line with its line feed."""
    rest = b"%d %d %b" % entry
    return b"%08x %b\n" % (crc32(rest), rest)


def read_record(text: bytes) -> Entry | None:
    """Return the entry that a line without its line feed spells; None if it is damaged."""
    rest = text[CRC_DIGITS + 1 :]
    if text[: CRC_DIGITS + 1] != b"%08x " % crc32(rest):
        return None
    number, _, behind = rest.partition(b" ")
    time, _, line = behind.partition(b" ")
    return Entry(int(number), int(time), line) if number.isdigit() and time.isdigit() else None


def make_identity() -> bytes:
    """Return what tells the numbers of one backlog from those of all others."""
    return secrets.token_bytes(IDENTITY_BYTES)
