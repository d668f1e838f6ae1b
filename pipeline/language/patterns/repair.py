"""Subjects with bytes that are not valid UTF-8: each such byte counts as one character, U+FFFD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

REPLACEMENT = "\ufffd".encode()


class SpanMatch(Protocol):
    """A match whose groups have places."""

    def span(self, index: int, /) -> tuple[int, int]: ...

    def groups(self) -> tuple[bytes | None, ...]: ...


def repair(subject: bytes) -> tuple[bytes, Sequence[int]]:
    """Return the subject with invalid bytes replaced, and for each of its bytes the place it came from.

    There is one place more, for the end.
    """
    parts: list[bytes] = []
    offsets: list[int] = []
    place = 0
    for char in subject.decode("utf-8", "surrogateescape"):
        invalid = "\udc80" <= char <= "\udcff"
        text = REPLACEMENT if invalid else char.encode()
        width = 1 if invalid else len(text)
        parts.append(text)
        offsets.extend([place] * len(text))
        place += width
    offsets.append(place)
    return b"".join(parts), offsets


def flatten_subject(subject: bytes) -> tuple[bytes, Sequence[int]]:
    """Return the subject with a byte for each character, 0x80 beyond ASCII, and where each came from."""
    flat = bytearray()
    offsets: list[int] = []
    place = 0
    for char in subject.decode("utf-8", "surrogateescape"):
        flat.append(min(ord(char), 0x80))
        offsets.append(place)
        place += 1 if "\udc80" <= char <= "\udcff" else len(char.encode())
    offsets.append(place)
    return bytes(flat), offsets


class RepairedMatch:
    """A match in a repaired subject that reads groups from the original."""

    __slots__ = ("match", "offsets", "subject")

    def __init__(self, match: SpanMatch, subject: bytes, offsets: Sequence[int]) -> None:
        self.match = match
        self.subject = subject
        self.offsets = offsets

    def __getitem__(self, index: int) -> bytes | None:
        start, end = self.match.span(index)
        return None if start < 0 else self.subject[self.offsets[start] : self.offsets[end]]

    def groups(self) -> tuple[bytes | None, ...]:
        """Return the texts of all groups."""
        return tuple(self[index] for index in range(1, len(self.match.groups()) + 1))
