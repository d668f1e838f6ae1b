"""Bytes to lines, without I/O, with a limit on length.

A line ends at a line feed. If the byte before is a carriage return, that one byte goes too; all
other bytes stay as they are, NUL and invalid UTF-8 included. What follows the last line feed is
kept until its own arrives, or until `finish`, which keeps a final carriage return: without a
line feed it ends nothing. How the bytes were cut into reads never shows.

A line that is longer than the limit is cut: its first bytes are delivered, the rest of it is thrown
away up to its line feed, and it is counted. So a writer that never sends a line feed
costs no more memory than one line.

Lines leave as one block of bytes, in which each is ended by a line feed: most programs ignore most lines,
and a line that nobody looks at need not become an object.
"""

from __future__ import annotations

from pipeline.batch import Rest


class LineFramer:
    """Cuts one stream into blocks of whole lines. `truncated` counts the lines that were cut."""

    __slots__ = ("max_line_bytes", "overrun", "rest", "truncated")

    def __init__(self, max_line_bytes: int) -> None:
        self.max_line_bytes = max_line_bytes
        self.rest = bytearray()
        """The line begun, up to one byte over the limit: that byte may be the carriage return."""
        self.overrun = False
        """Whether bytes of the line begun were thrown away."""
        self.truncated = 0

    def feed(self, data: bytes | bytearray, size: int) -> bytes:
        """Return the lines that end in the first `size` bytes of `data`, each with its line feed; b"" when none does.

        `data` may be a buffer that is filled again: nothing of it is kept. What is returned is copied
        out of it once, together with the line begun before. All is 3 ns a line when there are no carriage
        returns and no over-long lines; carriage returns cost 200 (measured on lines of 125 bytes, 256 KiB a read).
        """
        end = data.rfind(b"\n", 0, size) + 1
        view = memoryview(data)
        if not end:
            self.keep(view[:size])
            return b""
        if self.overrun:
            start = data.find(b"\n") + 1
            block = self.take_rest() + self.tidy(bytes(view[start:end]))
        else:
            block = self.tidy(b"".join((self.rest, view[:end])))
            self.rest.clear()
        if end < size:
            self.keep(view[end:size])
        return block

    def finish(self) -> bytes:
        """Return the unended last line, with a line feed, or b"" if there is none; the framer is then as new."""
        return self.take_rest() if self.rest else b""

    @property
    def begun(self) -> Rest:
        """The line begun."""
        return Rest(bytes(self.rest), self.overrun)

    def resume(self, rest: Rest) -> None:
        """Go on with a line that another framer has begun."""
        self.rest[:] = rest.text
        self.overrun = rest.is_cut

    def keep(self, part: memoryview) -> None:
        """Add `part` to the line begun, as far as it may matter."""
        room = self.max_line_bytes + 1 - len(self.rest)
        if len(part) > room:
            self.overrun = True
            part = part[:room]
        self.rest += part

    def take_rest(self) -> bytes:
        """Return the line begun, cut to the limit, with a line feed, and forget it."""
        line = self.cut(bytes(self.rest)) + b"\n"
        self.rest.clear()
        self.overrun = False
        return line

    def tidy(self, block: bytes) -> bytes:
        """Return `block` without the carriage returns at ends of lines, and with over-long lines cut."""
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if has_long_line(block, self.max_line_bytes):
            block = b"\n".join([self.cut(line) for line in block.split(b"\n")])
        return block

    def cut(self, line: bytes) -> bytes:
        """Return `line`, or its beginning if it is over-long, which is counted."""
        if len(line) <= self.max_line_bytes:
            return line
        self.truncated += 1
        return line[: self.max_line_bytes]


def has_long_line(block: bytes, max_line_bytes: int) -> bool:
    """Return whether one of the lines in `block`, each of which is ended, is over-long.

    Jumps from limit to limit: each step looks back from the farthest place where a line feed must
    have come, so that it reads a few bytes of the limit's many.
    """
    start = 0
    last = len(block) - 1
    while start + max_line_bytes < last:
        feed = block.rfind(b"\n", start, start + max_line_bytes + 1)
        if feed < 0:
            return True
        start = feed + 1
    return False
