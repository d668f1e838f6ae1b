"""What the sources share: what a source is, and the way from a descriptor to batches.

A source reads, has the programs run on what it read, and only then reads again. There is no
queue: while programs are busy the kernel's buffer fills and the writer waits. After each batch it
yields, so a busy source starves nobody.

Cancelling a source is how it is stopped in good order: it reads what is available at that moment
(at most `MAX_DRAIN_BYTES`), delivers the unended last line, and closes. None of that waits.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Protocol

from pipeline.batch import Batch, Deliver
from pipeline.sources.framing import LineFramer, make_batch
from pipeline.telemetry import SourceCounts

STDIN = 0

STDIN_NAMES = ("-", "/dev/stdin")
"""What an operator may write for standard input."""

READ_BYTES = 1024 * 1024
"""One read, and so one batch: as much as a pipe holds at most unless root allows more."""

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

    def feed(self, data: bytes) -> None:
        """Deliver the lines that end in `data`."""
        lines = self.framer.feed(data)
        self.count_truncated()
        if lines:
            self.deliver(make_batch(lines, data, self.origin))

    def finish(self) -> None:
        """Deliver the unended last line, if there is one."""
        lines = self.framer.finish()
        self.count_truncated()
        if lines:
            self.deliver(Batch(lines, self.origin, lines[0].isascii()))

    def count_truncated(self) -> None:
        """Take over what the framer counted since the last call."""
        self.counts.lines_truncated += self.framer.truncated
        self.framer.truncated = 0


def drain(descriptor: int, intake: Intake) -> None:
    """Feed what a descriptor that never blocks holds now, and deliver the unended last line."""
    remaining = MAX_DRAIN_BYTES
    with suppress(BlockingIOError):
        while remaining > 0 and (data := os.read(descriptor, READ_BYTES)):
            intake.feed(data)
            remaining -= len(data)
    intake.finish()
