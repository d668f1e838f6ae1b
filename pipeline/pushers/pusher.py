"""What a destination is to the schedule."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import trio

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Snapshot
from pipeline.telemetry import PushCounts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PushContext:
    """What all pushers know of the daemon."""

    host: str
    """The name of this host."""
    options: PrometheusOptions
    """What the flags say about labels and time stamps."""
    read_clock: Callable[[], int]
    """Gives the time in ns since 1970."""


class Pusher(ABC):
    """The way to one destination.

    The schedule calls `connect`, then `write`, never two at once, and limits the time of each. Whatever goes wrong in
    them, cancelling included, it calls `disconnect`; so the next push begins afresh. A failure is a `PushError` or an
    `OSError`.
    """

    wants_every_sample: ClassVar[bool] = False
    """Whether it keeps what it could not send. Then it is given a sample at each interval, also behind failures."""
    name: str
    """The destination, as it is called in flags, metrics and messages: `graphite`."""
    address: str
    """Where it is, for people: without a password."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.counts = PushCounts(name)
        self.problems: tuple[str, ...] = ()
        """What the last push could not tell as it is, a sentence each: for the log and the status page."""

    def begin(self, snapshot: Snapshot) -> None:  # noqa: B027 - most have nothing to do
        """Take note of what there is before any line is counted: an earlier run has left it. It must not take long."""

    @property
    def is_reached(self) -> bool:
        """Whether there is a way to the destination, when `connect` has come to its end."""
        return True

    @abstractmethod
    async def connect(self) -> None:
        """Have a way to the destination: a new one, or the one that is there and still good."""

    @abstractmethod
    async def write(self, snapshot: Snapshot) -> int:
        """Send all of `snapshot`, which holds the metrics of programs; return how many series that were."""

    async def keep(self, snapshot: Snapshot) -> None:  # noqa: B027 - those who want every sample have their own
        """Keep `snapshot` for the next push. It is called where every sample is wanted, while a pause goes on."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Give up the way, if there is one. It may take a moment, and is not cut short by cancelling."""

    async def finish(self) -> None:
        """Do what is to be done behind the last push: nothing, for most. It has a deadline of its own."""
        await trio.lowlevel.checkpoint()

    def report(self, problems: Sequence[str]) -> None:
        """Take note of what a push could not tell; log each sentence when it begins."""
        for problem in dict.fromkeys(problems):
            if problem not in self.problems:
                logger.warning("%s", problem)
        self.problems = tuple(dict.fromkeys(problems))
