"""Sets of bytes as integers of 256 bits, and what sets of characters look like in them.

A character beyond ASCII is two bytes or more, all of 0x80 and above. A set that holds all of those
characters, or none, is the same set of bytes; one that holds some is `partial`, and then its bytes
are those of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pipeline.language.regex.classes import MAX_CHAR, fold_char
from pipeline.language.regex.tree import CharRanges

ALL_BYTES = (1 << 256) - 1
HIGH_BYTES = ALL_BYTES ^ ((1 << 128) - 1)
LINE_FEED = 1 << 10


@lru_cache(maxsize=1024)
def mask_of(ranges: CharRanges) -> int:
    """Return the bytes that the characters of the set may begin or consist of."""
    mask = 0
    for low, high in ranges:
        if low < 0x80:
            mask |= (1 << (min(high, 0x7F) + 1)) - (1 << low)
        if high >= 0x80:
            mask |= HIGH_BYTES
    return mask


def is_partial(ranges: CharRanges) -> bool:
    """Whether the set holds some of the characters beyond ASCII, but not all."""
    beyond = [(low, high) for low, high in ranges if high >= 0x80]
    return bool(beyond) and not (len(beyond) == 1 and beyond[0][0] <= 0x80 and beyond[0][1] == MAX_CHAR)


def mask_of_char(char: str, *, fold: bool) -> int:
    """Return the bytes that a character, or any of its cases, may begin with."""
    return mask_of(tuple((code, code) for code in (fold_char(ord(char)) if fold else (ord(char),))))


def write_byte_class(mask: int) -> bytes:
    """Return the set as a class of a regular expression over bytes."""
    return b"[%s]" % b"".join(write_range(low, high) for low, high in byte_ranges(mask))


def byte_ranges(mask: int) -> Iterable[tuple[int, int]]:
    """Yield the ranges of the set, ascending."""
    low: int | None = None
    for byte in range(257):
        inside = mask >> byte & 1
        if inside and low is None:
            low = byte
        elif not inside and low is not None:
            yield low, byte - 1
            low = None


def write_range(low: int, high: int) -> bytes:
    return b"\\x%02x" % low if low == high else b"\\x%02x-\\x%02x" % (low, high)
