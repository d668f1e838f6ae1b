"""How a busy source lets others work."""

from __future__ import annotations

import trio

from pipeline.sources.intake import READ_BYTES
from pipeline.sources.waiting import YIELD_BYTES, yield_after


async def count_steps(size: int) -> int:
    """Return how many steps another task can take while a source yields."""
    steps = 0

    async def step() -> None:
        nonlocal steps
        while True:
            await trio.lowlevel.checkpoint()
            steps += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(step)
        await trio.lowlevel.checkpoint()
        before = steps
        await yield_after(size)
        taken = steps - before
        nursery.cancel_scope.cancel()
    return taken


async def test_larger_batch_lets_others_take_more_steps() -> None:
    """A small one lets them take none, so that a trickle of lines costs little."""
    none, many = await count_steps(YIELD_BYTES - 1), await count_steps(READ_BYTES)
    assert none == 0
    assert many >= READ_BYTES // YIELD_BYTES - 1  # Trio draws lots for who is first
