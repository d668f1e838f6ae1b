"""What a source is, and how one waits.

A source reads, has the programs run on what it read, and only then reads again. There is no
queue: while programs are busy the kernel's buffer fills and the writer waits. After each batch it
yields, so a busy source starves nobody.

Cancelling a source is how it is stopped in good order: it reads what is available at that moment
(at most `MAX_DRAIN_BYTES`), delivers the unended last line, and closes. None of that waits.
"""

from __future__ import annotations

import os
from typing import Protocol

import trio

from pipeline.batch import Deliver
from pipeline.sources.intake import READ_BYTES, Intake
from pipeline.telemetry import SourceCounts


class Source(Protocol):
    """Where lines come from. `name` is what logs and metrics call it; `counts` what it counts."""

    name: str
    counts: SourceCounts

    def prepare(self) -> None:
        """Open or bind, so that writers may come. Raises `SettingError` when that cannot be."""

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Deliver batches until cancelled, or until the source ends, and close. Call `prepare` before."""

    def close(self) -> None:
        """Let go of all that `prepare` took. A second call does nothing."""


async def read_to_end(descriptor: int, intake: Intake) -> None:
    """Feed what comes from a non-blocking descriptor, until its end; leaves the last line unended."""
    while True:
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(descriptor)
            continue
        if not data:
            return
        intake.feed(data)
        await trio.lowlevel.checkpoint()
