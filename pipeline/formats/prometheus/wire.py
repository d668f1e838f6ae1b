"""The wire format of protocol buffers (protobuf.dev, "Encoding"), as far as our messages need it.

A message is a row of fields, each behind a tag that has its number and says where it ends: a number in groups of
seven bits, lowest first (`varint`), eight bytes, or a length and as many bytes.
"""

from __future__ import annotations

from struct import Struct

VARINT, EIGHT_BYTES, BYTES = 0, 1, 2
"""What may stand behind a tag; the lowest three bits of it say which."""

DOUBLE = Struct("<d")

UINT64_MASK = (1 << 64) - 1

SHORT = tuple(bytes((number,)) for number in range(128))
"""The numbers that are one byte: lengths and counts mostly are. To look one up takes a quarter of making it."""


def spell_varint(number: int) -> bytes:
    """Return a number; of one below zero its two's complement of 64 bits, as the type int64 has it."""
    if 0 <= number < 128:
        return SHORT[number]
    number &= UINT64_MASK
    groups = bytearray()
    while number >= 128:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def spell_zigzag(number: int) -> bytes:
    """Return a number as the types sint32 and sint64 have it, small ones of either sign short."""
    return spell_varint((number << 1) ^ (number >> 63))


def make_tag(field: int, ending: int) -> bytes:
    """Return what stands before a field."""
    return spell_varint(field << 3 | ending)


def wrap(tag: bytes, content: bytes) -> bytes:
    """Return a field that holds text, or another message."""
    return tag + spell_varint(len(content)) + content
