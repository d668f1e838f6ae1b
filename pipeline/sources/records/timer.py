"""The task that has records delivered which have waited long enough."""

from __future__ import annotations

import math

import trio

from pipeline.sources.records.way import RecordWatch

LATE_SHARE = 0.05
"""So much of its time a record may wait longer: thousands of them are looked at together, and not one by one."""


async def expire_records(watch: RecordWatch, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Do so until cancelled. While nothing is held back there is nothing to wake up for."""
    woken = trio.Event()

    def wake() -> None:
        woken.set()

    watch.wake = wake
    watch.next_look = math.inf if not watch.ways else -math.inf
    task_status.started()
    while True:
        seconds = watch.next_look - watch.read_clock()
        if seconds > 0:
            woken = trio.Event()
            with trio.move_on_after(seconds):
                await woken.wait()
        else:
            await trio.lowlevel.checkpoint()
        now = watch.read_clock()
        await deliver_late(watch, now)
        watch.next_look = find_next_look(watch, now)


async def deliver_late(watch: RecordWatch, now: float) -> None:
    """Have delivered what is due, and let others work between the batches."""
    for way in list(watch.ways):
        while way.expire(now):
            await trio.lowlevel.checkpoint()


def find_next_look(watch: RecordWatch, now: float) -> float:
    """Return when to look again, and let go of the ways that hold nothing."""
    next_look = math.inf
    for way in list(watch.ways):
        deadline = way.find_deadline()
        if deadline is None:
            del watch.ways[way]
        else:
            next_look = min(next_look, max(deadline, now + way.timeout_seconds * LATE_SHARE))
    return next_look
