"""One schedule for all destinations: interval, deadline, jitter, back-off, and the last values at the end.

Each destination has a task of its own, so that none waits for another, and nothing waits for any of them. The task
pushes one time after the other, so that a push never begins while one is under way. Nothing is kept for a destination
that fails: the next push carries newer values. One that wants every sample keeps them itself, and is shown the values
at each interval while it is left alone.

- The first push comes after one interval, like mtail's, and after up to a tenth of it more, so that many daemons
  that were started together do not push at the same moment. The others follow at the interval.
- A push that takes longer than the interval makes the next ones fall out that should have begun meanwhile.
- After a failure the pause doubles with each one, up to `MAX_PAUSE_SECONDS` or the interval if that is longer.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Sequence

import trio

from pipeline.errors import PushError, describe_os_error
from pipeline.metrics import Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers.pusher import Pusher
from pipeline.telemetry import PushCounts

logger = logging.getLogger(__name__)

NANOSECONDS = 1_000_000_000

# Whoever mends a destination sees values again within this time.
MAX_PAUSE_SECONDS = 300.0

# TLS says goodbye to a peer that may not listen.
DISCONNECT_SECONDS = 1.0

MAX_JITTER_SHARE = 0.1
MAX_JITTER_SECONDS = 10.0


class PushTask:
    """Pushes to one destination. `take_snapshot` gives what to push, `read_clock` ns since 1970."""

    def __init__(
        self,
        pusher: Pusher,
        settings: PushSettings,
        take_snapshot: Callable[[], Snapshot],
        read_clock: Callable[[], int],
        jitter: float = 0.0,
    ) -> None:
        """`jitter`, from 0 to 1, says how far into the jitter that there may be this task is."""
        self.pusher = pusher
        self.interval = settings.metric_push_interval_seconds
        self.deadline = settings.metric_push_write_deadline_seconds
        self.take_snapshot = take_snapshot
        self.read_clock = read_clock
        self.delay = jitter * min(self.interval * MAX_JITTER_SHARE, MAX_JITTER_SECONDS)
        self.counts = pusher.counts
        self.failure = ""
        """Why the last push failed; empty if it did not, or if there was none yet."""
        self.told = ""
        """The failure that stands in the log, and need not be told again."""
        self.failures_in_a_row = 0
        self.asked_pause = 0.0
        """How long the destination that failed has asked to be left alone."""
        self.last_series = 0
        self.last_time = 0
        """When the last push ended, well or not, in ns since 1970; 0 before the first."""
        self.last_seconds = 0.0
        self.due = math.inf
        """When the next push begins, by Trio's clock."""
        self.tick = math.inf
        """When the interval ends; behind a failure the next push is due later."""
        self.ending = trio.Event()
        self.has_ended = False
        """The last values have been pushed, or could not be."""

    async def run(self) -> None:
        """Push at the interval; when `ending` is set, once more, and return."""
        self.due = trio.current_time() + self.interval + self.delay
        try:
            is_last = False
            while not is_last:
                await self.wait_due()
                is_last = self.ending.is_set()
                if is_last:
                    self.told = ""  # what fails now is lost
                begun = self.due
                await self.push()
                self.due = self.find_next(begun, trio.current_time())
                self.tick = self.find_tick(begun, trio.current_time())
            await self.finish()
            self.has_ended = True
        finally:
            await self.disconnect()

    async def wait_due(self) -> None:
        """Wait until the next push is due, or `ending` is set. Have samples kept meanwhile, where they are wanted."""
        while self.pusher.wants_every_sample and self.due - self.tick > self.interval / 2:
            with trio.move_on_at(self.tick):
                await self.ending.wait()
                return
            await self.pusher.keep(self.take_snapshot())
            self.tick = self.find_tick(self.tick, trio.current_time())
        with trio.move_on_at(self.due):
            await self.ending.wait()

    async def finish(self) -> None:
        """Have the pusher do what is to be done behind the last push."""
        try:
            with trio.fail_after(self.deadline):
                await self.pusher.finish()
        except (PushError, OSError, trio.TooSlowError) as error:
            self.note_failure(describe_failure(error, self.deadline))

    async def disconnect(self) -> None:
        """Give up the way to the destination, also when this task is cancelled."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + DISCONNECT_SECONDS):
            await self.pusher.disconnect()

    def find_next(self, due: float, now: float) -> float:
        """Return when the next push begins after one that was due at `due` and has ended at `now`."""
        return now + self.find_pause() if self.failures_in_a_row else self.find_tick(due, now)

    def find_tick(self, tick: float, now: float) -> float:
        """Return when the interval that began at `tick` ends, or the one that is under way `now`."""
        return tick + self.interval * max(math.ceil((now - tick) / self.interval), 1)

    def find_pause(self) -> float:
        """Return how long a destination that fails is left alone."""
        doubled = self.interval * 2.0 ** min(self.failures_in_a_row - 1, 32)
        return min(max(doubled, self.asked_pause), max(self.interval, MAX_PAUSE_SECONDS))

    async def push(self) -> None:
        """Push once. However it fails, only this task knows."""
        begun = trio.current_time()
        try:
            series = await self.attempt()
        except (PushError, OSError) as error:
            self.count(begun)
            self.asked_pause = error.pause_seconds if isinstance(error, PushError) else 0.0
            self.note_failure(describe_failure(error, self.deadline))
        else:
            self.count(begun)
            self.note_success(series)

    async def attempt(self) -> int:
        """Connect and write, each within the deadline; return how many series were written."""
        is_reached = False
        try:
            with trio.fail_after(self.deadline):
                await self.pusher.connect()
            is_reached = True
            with trio.fail_after(self.deadline):
                return await self.pusher.write(self.take_snapshot())
        except BaseException as error:
            is_reached = is_reached and self.pusher.is_reached
            await self.disconnect()
            if isinstance(error, trio.TooSlowError):
                step = "it did not take everything" if is_reached else "it could not be reached"
                raise PushError(f"{step} within {self.deadline:g} s") from error
            raise

    def count(self, begun: float) -> None:
        """Count a push that has ended."""
        self.last_seconds = trio.current_time() - begun
        self.last_time = self.read_clock()
        self.counts.pushes += 1
        self.counts.durations.observe(round(self.last_seconds * NANOSECONDS))

    def note_success(self, series: int) -> None:
        """Remember how many series were written, and log if the last push had failed."""
        self.counts.series += series
        self.counts.last_success = self.read_clock()
        self.last_series = series
        if self.failures_in_a_row:
            logger.info(
                "Push to %s at %s works again, after %d failures.",
                self.pusher.name,
                self.pusher.address,
                self.failures_in_a_row,
            )
        self.failures_in_a_row = 0
        self.failure = self.told = ""

    def note_failure(self, text: str) -> None:
        """Count a failure; log it, but not one like the last."""
        self.counts.failures += 1
        self.failures_in_a_row += 1
        if text != self.told:
            then = self.describe_end() if self.ending.is_set() else f"The next push is in {self.find_pause():g} s"
            logger.warning("Push to %s at %s failed: %s. %s.", self.pusher.name, self.pusher.address, text, then)
        self.failure = self.told = text

    def describe_end(self) -> str:
        """Return what the failure of the last push means."""
        return "There is no further one" + (", and what waits is lost" if self.counts.spooled_bytes else "")


def describe_failure(error: PushError | OSError | trio.TooSlowError, deadline: float) -> str:
    """Return why a push failed, for the end of a sentence."""
    if isinstance(error, trio.TooSlowError):
        return f"it did not end within {deadline:g} s"
    return str(error) if isinstance(error, PushError) else describe_os_error(error)


class Pushes:
    """All destinations. `run` them; `finish` ends them, with the last values."""

    def __init__(
        self,
        pushers: Sequence[Pusher],
        settings: PushSettings,
        take_snapshot: Callable[[], Snapshot],
        read_clock: Callable[[], int],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.tasks = [PushTask(pusher, settings, take_snapshot, read_clock, draw()) for pusher in pushers]
        self.ended = trio.Event()

    @property
    def counts(self) -> list[PushCounts]:
        """What is counted about each destination."""
        return [task.counts for task in self.tasks]

    def begin(self) -> None:
        """Show all pushers what an earlier run has left. To be called before any line is counted."""
        for task in self.tasks:
            task.pusher.begin(task.take_snapshot())

    async def run(self) -> None:
        """Push to all destinations until `finish`."""
        async with trio.open_nursery() as nursery:
            for task in self.tasks:
                logger.info("Metrics are pushed to %s at %s.", task.pusher.name, task.pusher.address)
                nursery.start_soon(task.run)
        self.ended.set()

    async def finish(self, seconds: float) -> None:
        """Have each destination get the values of now, after what is under way; it may take so long."""
        for task in self.tasks:
            task.ending.set()
        with trio.move_on_after(seconds):
            await self.ended.wait()
        late = [task.pusher.name for task in self.tasks if not task.has_ended]
        if late:
            logger.warning("The last values were not pushed to %s within %.1f s.", ", ".join(late), seconds)
