"""How a source waits for more to read, and lets others work.

Apart from `intake.py`, because `replay` does without Trio.
"""

from __future__ import annotations

from contextlib import suppress

import trio

from pipeline.sources.intake import Intake
from pipeline.sources.surroundings import WaitRoom

YIELD_BYTES = 64 * 1024
"""An HTTP request takes some 15 steps of the loop, and between two of them a busy source runs a batch:
with one step a batch a scrape beside a full pipe took 1.0 s, with one for each 64 KiB 0.15 s, and
as many lines passed (measured, 2 cores)."""


async def read_to_end(
    descriptor: int, intake: Intake, *, partial_seconds: float = 0.0, idle_seconds: float = 0.0
) -> None:
    """Feed what comes from a non-blocking descriptor, until its end; leaves the last line unended.

    A line begun is delivered when its end does not come within `partial_seconds`, and after `idle_seconds` of
    silence that is taken for the end; 0 is for ever.

    It waits after each read, although a busy writer seldom makes it: a read that fails for want of bytes, and a
    step of the loop before it, cost more. A line that comes alone costs a quarter less this way: some 25 µs (measured).
    """
    intake.follow(descriptor)
    while True:
        with suppress(BlockingIOError):
            if not (size := intake.read(descriptor)):
                return
            await yield_after(size)
        if partial_seconds and intake.framer.rest and not await wait_readable(descriptor, partial_seconds):
            intake.end_line()
        if not idle_seconds:
            await trio.lowlevel.wait_readable(descriptor)
        elif not await wait_readable(descriptor, idle_seconds):
            return


async def wait_readable(descriptor: int, seconds: float) -> bool:
    """Wait until there is something to read; return whether there was within `seconds`."""
    with trio.move_on_after(seconds) as scope:
        await trio.lowlevel.wait_readable(descriptor)
    return not scope.cancelled_caught


async def yield_after(size: int, wait_room: WaitRoom | None = None) -> None:
    """Let the other tasks take some steps after a batch of `size` bytes: the larger it was, the more.

    After a small one it is none, because waiting for the next one gives them a step already. With `wait_room`, wait
    for that too.
    """
    for _ in range(size // YIELD_BYTES):
        await trio.lowlevel.checkpoint()
    if wait_room is not None:
        await wait_room()
