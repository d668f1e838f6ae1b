"""What keeps Trio's clock from jumping over the work of threads, which are no tasks and on a busy machine wait.

A clock that jumps goes on to the next deadline as soon as all tasks wait, also those that wait for a thread which
resolves a name or writes a file: what that has to say would come too late.
"""

from __future__ import annotations

import math
from typing import Any

import trio
from trio.testing import MockClock

IDLE_SECONDS = 0.01
"""Real connections take a moment."""


class PatientThreads:
    """Runs in a thread what is to run in one, and lets the clock jump while there is none."""

    def __init__(self, clock: MockClock) -> None:
        self.clock = clock
        self.run_sync = trio.to_thread.run_sync
        self.running = 0
        clock.autojump_threshold = IDLE_SECONDS

    async def run(self, *arguments: Any, **options: Any) -> object:  # noqa: ANN401 - as in Trio
        """Stand for `trio.to_thread.run_sync`. A thread that is left behind is waited for no longer."""
        self.running += 1
        self.clock.autojump_threshold = math.inf
        try:
            return await self.run_sync(*arguments, **options)
        finally:
            self.running -= 1
            if not self.running:
                self.clock.autojump_threshold = IDLE_SECONDS
