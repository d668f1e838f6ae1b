"""The text of a program, and places in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

# What Python's "surrogateescape" makes of a byte that is not UTF-8.
ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a program's text: character offsets, the end exclusive."""

    start: int
    end: int

    def __or__(self, other: Span) -> Span:
        """Return the smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True, slots=True)
class Position:
    """A place as people and editors count: 1-based, columns in UTF-8 bytes."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The name and text of one program. The name is what diagnostics and HELP texts show."""

    name: str
    text: str
    line_starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0]
        starts.extend(index + 1 for index, char in enumerate(self.text) if char == "\n")
        object.__setattr__(self, "line_starts", tuple(starts))

    @classmethod
    def from_bytes(cls, name: str, data: bytes) -> SourceFile:
        """Decode UTF-8; each undecodable byte reads as U+FFFD (spec section 2)."""
        return cls(name, ESCAPED_BYTE.sub("\ufffd", data.decode("utf-8", "surrogateescape")))

    def position(self, offset: int) -> Position:
        """Return where the character at `offset` stands; the end of the text counts as a place."""
        line = bisect_right(self.line_starts, offset)
        before = self.text[self.line_starts[line - 1] : offset]
        return Position(line, len(before.encode()) + 1)

    def line_text(self, line: int) -> str:
        """Return the text of the 1-based `line` without its line feed or carriage return."""
        start = self.line_starts[line - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")

    def describe(self, span: Span) -> str:
        """Return `name:line:column` or `name:line:first-last`, as HELP texts and JSON show it.

        A span of several lines is described by its start.
        """
        start = self.position(span.start)
        last = self.position(max(span.start, span.end - 1))
        columns = f"{start.column}"
        if last.line == start.line and last.column > start.column:
            columns += f"-{last.column}"
        return f"{self.name}:{start.line}:{columns}"
