"""Logs from their start to their end, then one push to each destination: `push-once`, for batch jobs.

All destinations are pushed to at once, when everything has been read. One that fails is tried again until it takes the
values, says that it never will, or the time is over.
"""

from __future__ import annotations

import logging
import math
import os
import time
from dataclasses import dataclass

import trio

from pipeline.errors import PushError, SettingError
from pipeline.metrics import Snapshot
from pipeline.pushers import PushContext, Pusher, PushTask, describe_failure, make_pushers
from pipeline.replay import Replay
from pipeline.settings import PushOnceSettings, ReplaySettings
from pipeline.wiring import make_prometheus_options

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 10.0
"""How long a destination that fails is left alone: twice as long each time, from the one to the other."""


@dataclass(slots=True)
class Delivery:
    """How it went with one destination. `failure` is why it did not take the values, or empty."""

    name: str
    address: str
    series: int = 0
    attempts: int = 0
    failure: str = ""

    def describe(self) -> str:
        """Return what became of it."""
        if not self.failure:
            return f"{self.series} series were pushed to {self.name} at {self.address}."
        tried = "once" if self.attempts == 1 else f"{self.attempts} times"
        return f"{self.describe_failure()} It was tried {tried}."

    def describe_failure(self) -> str:
        """Return a sentence about the last attempt."""
        return f"Push to {self.name} at {self.address} failed: {self.failure}."


class PushOnce:
    """The destinations, the programs and the logs, ready to run; `SettingError` when one is missing."""

    def __init__(self, settings: PushOnceSettings) -> None:
        context = PushContext(os.uname().nodename, make_prometheus_options(settings.formats), time.time_ns)
        self.pushers = make_pushers(settings.push, context)
        if not self.pushers:
            raise SettingError("No destination is set. Name one, for example with --pushgateway_url.")
        self.settings = settings
        self.replay = Replay(
            ReplaySettings(
                programs=settings.programs,
                sources=settings.sources,
                store=settings.store,
                formats=settings.formats,
                format_name="prometheus",
            )
        )

    @property
    def has_programs(self) -> bool:
        """Whether any program could be loaded. If none could, an empty page would take the place of good values."""
        return bool(self.replay.report.loaded)

    def push(self) -> list[Delivery]:
        """Push what has been read, and return how that went."""
        try:
            # At checkpoints alone: between them httpcore has coroutines that nobody awaits once it is interrupted.
            return trio.run(self.deliver_all, restrict_keyboard_interrupt_to_checkpoints=True)
        except BaseExceptionGroup as group:
            if group.split(KeyboardInterrupt)[1] is None:  # Ctrl-C, with what it has interrupted around it
                raise KeyboardInterrupt from None
            raise

    async def deliver_all(self) -> list[Delivery]:
        """Push to all destinations at once."""
        deliveries = [Delivery(pusher.name, pusher.address) for pusher in self.pushers]
        async with trio.open_nursery() as nursery:
            for pusher, delivery in zip(self.pushers, deliveries, strict=True):
                nursery.start_soon(self.deliver, pusher, delivery)
        return deliveries

    async def deliver(self, pusher: Pusher, delivery: Delivery) -> None:
        """Push to one destination, until it has the values or there is no use in it."""
        task = PushTask(pusher, self.settings.push, self.take_snapshot, time.time_ns)
        seconds = self.settings.push_timeout_seconds
        delivery.failure = f"it did not take everything within {seconds:g} s"
        told, pause = "", 0.0
        try:
            with trio.move_on_after(seconds) as scope:
                while (failure := await attempt(task, delivery)) is not None:
                    pause = find_pause(failure, pause)
                    if trio.current_time() + pause >= scope.deadline:
                        break
                    if delivery.failure != told:
                        logger.warning("%s It is tried again in %g s.", delivery.describe_failure(), pause)
                    told = delivery.failure
                    await trio.sleep(pause)
        finally:
            await task.disconnect()

    def take_snapshot(self) -> Snapshot:
        """Return a view of the metrics of programs."""
        return self.replay.store.view().select_programs()


async def attempt(task: PushTask, delivery: Delivery) -> PushError | OSError | None:
    """Push, with what is to be done behind a last push; return why that failed."""
    delivery.attempts += 1
    unwanted = task.counts.rejected
    try:
        delivery.series = await task.attempt()
        before = task.counts.series
        with trio.fail_after(task.deadline):
            await task.pusher.finish()
        delivery.series += task.counts.series - before
        unwanted = task.counts.rejected - unwanted
        if unwanted:
            raise PushError(f"it did not want {unwanted} of the series", is_final=True)
    except trio.TooSlowError as error:
        failure: PushError | OSError = PushError(describe_failure(error, task.deadline))
    except (PushError, OSError) as error:
        failure = error
    else:
        delivery.failure = ""
        return None
    delivery.failure = describe_failure(failure, task.deadline)
    return failure


def find_pause(failure: PushError | OSError, last: float) -> float:
    """Return how long to leave a destination alone after a failure, when the pause before was `last`."""
    own = min(max(last * 2, FIRST_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
    if not isinstance(failure, PushError):
        return own
    return math.inf if failure.is_final else max(own, failure.pause_seconds)
