"""What the sources share: what a source is, and the way from a descriptor to batches.

A source reads, has the programs run on what it read, and only then reads again. There is no
queue: while programs are busy the kernel's buffer fills and the writer waits. After each batch it
yields, so a busy source starves nobody.

Cancelling a source is how it is stopped in good order: it reads what is available at that moment
(at most `MAX_DRAIN_BYTES`), delivers the unended last line, and closes. None of that waits.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import Protocol

from pipeline.batch import Batch, Deliver
from pipeline.sources.framing import LineFramer
from pipeline.telemetry import SourceCounts

STDIN = 0

STDIN_NAMES = ("-", "/dev/stdin")
"""What an operator may write for standard input."""

READ_BYTES = 256 * 1024
"""One read, and so one batch, at most: some 2,000 lines, of which a program that needs 4 µs a line is through in
8 ms. Larger ones are no cheaper: between 64 KiB and 1 MiB a line of 125 bytes from a full pipe costs
28 ns, read, framed and counted (measured)."""

KEPT_BYTES = 4 * 1024 * 1024
"""What glibc is taught to keep of freed memory is twice this (mallopt(3), M_MMAP_THRESHOLD): it takes a free
of a large piece as a sign that more will come. Untaught, it may give the memory of each batch back to
the kernel and take it again, page by page: then the 28 ns are 120 to 200 (measured)."""


def make_read_buffer() -> bytearray:
    """Return the buffer for reads, after the lesson to glibc."""
    freed_at_once = bytes(KEPT_BYTES)
    del freed_at_once
    return bytearray(READ_BYTES)


READ_BUFFER = make_read_buffer()
"""Every read goes in here, and the framer copies whole lines out of it before anything else happens, so that
one buffer does for all sources, and a read allocates no more than there was to read."""

PIPE_BYTES = 1024 * 1024
"""What we ask a pipe to hold: the most that Linux allows an ordinary user (fs.pipe-max-size). Lines pass
3.5 times faster than through the default 64 KiB (measured)."""

MAX_DRAIN_BYTES = 16 * 1024 * 1024
"""What one source still reads when it is stopped. A writer at full speed could otherwise hold the
stop up for ever; sixteen full pipes take about a second."""


class Source(Protocol):
    """Where lines come from. `name` is what logs and metrics call it; `counts` what it counts."""

    name: str
    counts: SourceCounts

    def prepare(self) -> None:
        """Open or bind, so that writers may come. Raises `SettingError` when that cannot be."""

    async def run(self, deliver: Deliver) -> None:
        """Deliver batches until cancelled, or until the source ends, and close. Call `prepare` before."""

    def close(self) -> None:
        """Let go of all that `prepare` took. A second call does nothing."""


class Intake:
    """One stream of bytes on its way to the programs."""

    __slots__ = ("counts", "deliver", "framer", "origin")

    def __init__(self, counts: SourceCounts, deliver: Deliver, max_line_bytes: int) -> None:
        self.counts = counts
        self.origin = counts.origin
        self.deliver = deliver
        self.framer = LineFramer(max_line_bytes)

    def read(self, descriptor: int) -> int:
        """Read what is there, at most `READ_BYTES`, and deliver the lines that end in it.

        Return how many bytes there were, 0 at the end; raises what `os.read` does.
        """
        size = os.readv(descriptor, (READ_BUFFER,))
        self.feed(READ_BUFFER, size)
        return size

    def feed(self, data: bytes | bytearray, size: int) -> None:
        """Deliver the lines that end in the first `size` bytes of `data`."""
        self.pass_on(self.framer.feed(data, size))

    def finish(self) -> None:
        """Deliver the unended last line, if there is one."""
        self.pass_on(self.framer.finish())

    def pass_on(self, block: bytes) -> None:
        """Count and deliver what the framer gave."""
        if self.framer.truncated:
            self.counts.lines_truncated += self.framer.truncated
            self.framer.truncated = 0
        if block:
            self.deliver(Batch(block, self.origin))


def drain(descriptor: int, intake: Intake) -> None:
    """Feed what a descriptor that never blocks holds now, and deliver the unended last line."""
    remaining = MAX_DRAIN_BYTES
    with suppress(BlockingIOError):
        while remaining > 0 and (size := intake.read(descriptor)):
            remaining -= size
    intake.finish()


def widen_pipe(descriptor: int) -> None:
    """Make the pipe hold `PIPE_BYTES`, or as much as the kernel allows this user."""
    size = PIPE_BYTES
    while size > fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ):
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)
        except PermissionError:
            size //= 2
