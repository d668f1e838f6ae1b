"""How a source waits for more to read. Apart from `intake.py`, because `replay` does without Trio."""

from __future__ import annotations

import os

import trio

from pipeline.sources.intake import READ_BYTES, Intake


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
