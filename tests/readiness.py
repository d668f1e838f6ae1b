"""When a daemon in this process is at work."""

from __future__ import annotations

import signal

import trio
from trio.testing import wait_all_tasks_blocked


async def wait_obeying() -> None:
    """Return when it obeys signals and nothing more happens. Before, it may wait for a thread, which is no task."""
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        await trio.lowlevel.checkpoint()
    await wait_all_tasks_blocked()
