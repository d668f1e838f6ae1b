"""How a busy source lets others work."""

from __future__ import annotations

import trio
import trio.testing

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
    """A small one yields once, so that a trickle of lines costs little."""
    few, many = await count_steps(1), await count_steps(READ_BYTES)
    assert few <= 2
    assert many >= READ_BYTES // YIELD_BYTES


async def test_no_batch_is_a_yield_too() -> None:
    """Otherwise a source that finds nothing could spin."""
    with trio.testing.assert_checkpoints():
        await yield_after(0)
