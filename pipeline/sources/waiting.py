"""How a source waits for more to read, and lets others work.

Apart from `intake.py`, because `replay` does without Trio.
"""

from __future__ import annotations

import trio

from pipeline.sources.intake import Intake

YIELD_BYTES = 64 * 1024
"""An HTTP request takes some 15 steps of the loop, and between two of them a busy source runs a batch:
with one step a batch a scrape beside a full pipe took 1.0 s, with one for each 64 KiB 0.15 s, and
as many lines passed (measured, 2 cores)."""


async def read_to_end(descriptor: int, intake: Intake) -> None:
    """Feed what comes from a non-blocking descriptor, until its end; leaves the last line unended."""
    while True:
        try:
            size = intake.read(descriptor)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(descriptor)
            continue
        if not size:
            return
        await yield_after(size)


async def yield_after(size: int) -> None:
    """Let the other tasks take some steps after a batch of `size` bytes: the larger it was, the more."""
    for _ in range(1 + size // YIELD_BYTES):
        await trio.lowlevel.checkpoint()
