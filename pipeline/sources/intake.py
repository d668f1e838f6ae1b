"""What the sources share: what a source is, and the way from a descriptor to batches.

A source reads, has the programs run on what it read, and only then reads again. There is no
queue: while programs are busy the kernel's buffer fills and the writer waits. After each batch it
yields, so a busy source starves nobody.

Cancelling a source is how it is stopped in good order: it reads what is available at that moment
(at most `MAX_DRAIN_BYTES`), delivers the unended last line, and closes. None of that waits. Where systemd
keeps the descriptor for the next run, the line begun is left to that run instead.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from pipeline.batch import Batch, Deliver, Rest
from pipeline.sources.framing import LineFramer
from pipeline.sources.records import RecordWay, Spelled, release_records
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

SIZE = struct.Struct("i")
"""What FIONREAD returns (ioctl_tty(2))."""

MAX_DRAIN_BYTES = 16 * 1024 * 1024
"""What one source still reads when it is stopped. A writer at full speed could otherwise hold the
stop up for ever; sixteen full pipes take about a second."""


class Part(Protocol):
    """What one origin's lines come from. `name` is what logs and metrics call it; `counts` what it counts."""

    name: str
    counts: SourceCounts

    @property
    def waiting_bytes(self) -> int | None:
        """How many bytes are there and not read yet; None where nobody knows."""

    @property
    def is_there(self) -> bool:
        """Whether there is something to read from. A path may lead to nothing, for now or because it is misspelled."""


class Source(Protocol):
    """Where lines come from, as one item of `--logs` names it."""

    name: str

    @property
    def parts(self) -> Sequence[Part]:
        """What it consists of: itself, or for a pattern what matches it now."""

    @property
    def position(self) -> object:
        """How far it has been read, as JSON can spell it, for a run to come; None where that has no meaning.

        It is asked for between any two batches, and after `run` has ended.
        """

    @property
    def descriptors(self) -> Sequence[int]:
        """What becomes readable when there is something to read; none where nothing does."""

    def prepare(self) -> None:
        """Open or bind, so that writers may come. Raises `SettingError` when that cannot be."""

    async def run(self, deliver: Deliver) -> None:
        """Deliver batches until cancelled, or until the source ends, and close. Call `prepare` before."""

    def close(self) -> None:
        """Let go of all that `prepare` took. A second call does nothing."""


class Intake:
    """One stream of bytes on its way to the programs. With `records`, lines that belong together are joined there."""

    __slots__ = ("counts", "deliver", "framer", "origin", "records")

    def __init__(
        self,
        counts: SourceCounts,
        deliver: Deliver,
        max_line_bytes: int,
        make_framer: Callable[[int], LineFramer] = LineFramer,
        records: RecordWay | None = None,
    ) -> None:
        self.counts = counts
        self.origin = counts.origin
        self.deliver = deliver
        self.framer = make_framer(max_line_bytes)
        self.records = records

    def resume(self, rest: Rest | None) -> None:
        """Go on with a line, and with records, that the last run has begun, if it has."""
        if rest is not None:
            self.framer.resume(rest)
            self.resume_records(rest.records)

    def resume_records(self, records: Spelled) -> None:
        """Go on with records that were begun; where no lines are joined any more, deliver them."""
        if self.records is not None:
            self.records.resume(records)
        elif block := release_records(records):
            self.deliver(Batch(block, self.origin))

    def follow(self, descriptor: int) -> None:
        """Have records know what more has come: the stream is read from `descriptor` from now on."""
        if self.records is not None:
            self.records.has_more = partial(holds_more, descriptor)

    def read(self, descriptor: int) -> int:
        """Read what is there, at most `READ_BYTES`, and deliver the lines that end in it.

        Return how many bytes there were, 0 at the end; raises what `os.read` does.
        """
        size = os.readv(descriptor, (READ_BUFFER,))
        self.counts.bytes_read += size
        self.feed(READ_BUFFER, size)
        return size

    def feed(self, data: bytes | bytearray, size: int) -> None:
        """Deliver the lines that end in the first `size` bytes of `data`."""
        self.pass_on(self.framer.feed(data, size))

    def end_line(self) -> None:
        """Take the unended last line, if there is one, to have ended."""
        if block := self.framer.finish():
            self.counts.lines_partial += 1
            self.pass_on(block)

    def finish(self) -> None:
        """Deliver all that was begun: the unended last line, and records."""
        self.end_line()
        self.end_records()

    def end_records(self) -> None:
        """Deliver the records that were begun."""
        if self.records is not None:
            self.records.finish()

    @property
    def begun(self) -> Rest:
        """All that was begun, for whom it is left to; then call `forget`."""
        return self.framer.begun._replace(records=self.begun_records)

    @property
    def begun_records(self) -> Spelled:
        """The records that were begun."""
        return () if self.records is None else tuple(self.records.joiner.spell())

    def forget(self) -> None:
        """Throw away what was begun, because somebody else goes on with it."""
        self.framer.finish()
        if self.records is not None:
            self.records.joiner.forget()

    def pass_on(self, block: bytes) -> None:
        """Count and deliver what the framer gave."""
        if self.framer.truncated:
            self.counts.lines_truncated += self.framer.truncated
            self.framer.truncated = 0
        if block and self.records is not None:
            block = self.records.take(block)
        if block:
            self.deliver(Batch(block, self.origin))


def drain(descriptor: int, intake: Intake, may_go_on: Callable[[], bool]) -> bool:
    """Feed what a descriptor that never blocks holds now; return whether its end was reached."""
    remaining = MAX_DRAIN_BYTES
    with suppress(BlockingIOError):
        while remaining > 0 and may_go_on():
            size = intake.read(descriptor)
            if not size:
                return True
            remaining -= size
        intake.counts.bytes_left += count_readable(descriptor)
    return False


def count_readable(descriptor: int) -> int:
    """Return how many bytes a pipe, or a socket that is connected, holds."""
    number: int = SIZE.unpack(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(SIZE.size)))[0]
    return number


def holds_more(descriptor: int) -> bool:
    """Return whether there is something to read; no if that cannot be told."""
    try:
        return count_readable(descriptor) > 0
    except OSError:
        return False


def count_waiting(descriptors: Iterable[int]) -> int | None:
    """Return how many bytes these pipes and connections hold together; None if one cannot tell."""
    try:
        return sum(map(count_readable, descriptors))
    except OSError:
        return None


def widen_pipe(descriptor: int) -> None:
    """Make the pipe hold `PIPE_BYTES`, or as much as the kernel allows this user."""
    size = PIPE_BYTES
    while size > fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ):
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)
        except PermissionError:
            size //= 2
