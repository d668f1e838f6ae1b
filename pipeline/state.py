"""Keeps the state file: writes it at intervals, when somebody waits for it, and at the end.

One task writes. What waits for the disk it has done in a thread, as an fsync may take seconds; to spell the
state out takes turns with everything else. A write that fails is tried again, and the file that is there stays.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from pipeline.errors import describe_os_error
from pipeline.new_file import NewFile
from pipeline.settings import StateSettings
from pipeline.state_file import Capture, write_lines
from pipeline.telemetry import StateCounts

logger = logging.getLogger(__name__)

PIECE_BYTES = 1024 * 1024
"""What is handed to a thread at once: the way there and back takes some 0.1 ms."""

RETRY_SECONDS = 10.0
"""When one who waits for the disk tries again after a failure: there may be room by then."""


@dataclass(slots=True)
class Turn:
    """One write to come. All who ask for it before it begins share it."""

    asked: trio.Event = field(default_factory=trio.Event)
    done: trio.Event = field(default_factory=trio.Event)
    succeeded: bool = False


class StateKeeper:
    """Writes what `capture` returns to the state file. `run` must run, for anybody else to be served."""

    def __init__(
        self, path: Path, settings: StateSettings, capture: Callable[[], Capture], read_clock: Callable[[], int]
    ) -> None:
        self.path = path
        self.interval = settings.state_interval_seconds or math.inf
        self.capture = capture
        self.read_clock = read_clock
        self.counts = StateCounts()
        self.turn = Turn()
        self.failing = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write at once, at each interval, and whenever somebody asks.

        At once, because a crash before the first interval has passed shall find where the reading of files began:
        it has started when that has been tried.
        """
        if self.interval < math.inf:
            await self.write()
        task_status.started()
        while True:
            with trio.move_on_after(self.interval):
                await self.turn.asked.wait()
            turn, self.turn = self.turn, Turn()
            turn.succeeded = await self.write()
            turn.done.set()

    async def ask(self) -> bool:
        """Have the state of now, or a later one, written; return whether that went well."""
        turn = self.turn
        turn.asked.set()
        await turn.done.wait()
        return turn.succeeded

    async def save(self) -> None:
        """Return when what has been counted so far is on the disk, however often that takes to be tried."""
        succeeded = await self.ask()
        while not succeeded:
            await trio.sleep(RETRY_SECONDS)
            succeeded = await self.ask()

    async def finish(self, seconds: float) -> None:
        """Write for the last time; it may take so long."""
        with trio.move_on_after(seconds) as scope:
            await self.ask()
        if scope.cancelled_caught:
            logger.error(
                "The state was not written to %s within %.1f s. What was counted since the last time is lost.",
                self.path,
                seconds,
            )

    async def write(self) -> bool:
        """Write once; return whether that went well."""
        now = self.read_clock()
        try:
            await write_state(self.path, self.capture())
        except OSError as error:
            self.report_failure(describe_os_error(error))
            return False
        self.counts.last_write = now
        if self.failing:
            logger.info("The state is written to %s again.", self.path)
        self.failing = False
        return True

    def report_failure(self, text: str) -> None:
        """Count a failure, and log the first of several."""
        self.counts.write_failures += 1
        if not self.failing:
            when = f"every {self.interval:g} s" if self.interval < math.inf else "at the end"
            logger.error(
                "The state cannot be written to %s: %s. The last one stays. It is tried again %s.",
                self.path,
                text,
                when,
            )
        self.failing = True


async def write_state(path: Path, capture: Capture) -> None:
    """Put the state into its place; raises `OSError`.

    When it is cancelled a thread may be in the middle of it, so the file in the making is left as it is.
    """
    new = NewFile(path)
    try:
        await run_in_thread(new.create)
        piece = bytearray()
        for line in write_lines(capture):
            piece += line
            await trio.lowlevel.checkpoint()
            if len(piece) >= PIECE_BYTES:
                await run_in_thread(partial(new.write, bytes(piece)))
                piece.clear()
        await run_in_thread(partial(new.write, bytes(piece)))
        await run_in_thread(new.put_in_place)
    except OSError:
        new.discard()
        raise


async def run_in_thread(work: Callable[[], None]) -> None:
    """Do what waits for the disk. An end that has no time left does not wait for it."""
    await trio.to_thread.run_sync(work, abandon_on_cancel=True)
