"""What the tests of sources share: a source that runs, and what it delivers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from pipeline.batch import Batch
from pipeline.settings import SourceSettings
from pipeline.sources import Source

SETTINGS = SourceSettings(logs=())

PATIENCE_SECONDS = 20
"""After this a test has failed. No test waits for it."""


@dataclass(slots=True)
class Collector:
    """Takes batches as the programs would."""

    batches: list[Batch] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    arrival: trio.Event = field(default_factory=trio.Event)

    def __call__(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.lines.extend(batch.lines)
        self.arrival.set()

    async def wait_lines(self, count: int) -> None:
        """Wait until so many lines have come in all."""
        with trio.fail_after(PATIENCE_SECONDS):
            while len(self.lines) < count:
                self.arrival = trio.Event()
                await self.arrival.wait()


@asynccontextmanager
async def running(source: Source) -> AsyncIterator[Collector]:
    """Open and run `source`, and at the end stop it in good order: what it then still delivers is collected too."""
    source.prepare()
    async with running_prepared(source) as collector:
        yield collector


@asynccontextmanager
async def running_prepared(source: Source) -> AsyncIterator[Collector]:
    """Run a source that is open already."""
    collector = Collector()
    async with trio.open_nursery() as nursery:
        await nursery.start(source.run, collector)
        yield collector
        nursery.cancel_scope.cancel()


def number_lines(count: int, name: str = "line") -> list[bytes]:
    """Return `count` different lines."""
    return [b"%s %d" % (name.encode(), number) for number in range(count)]


def join_lines(lines: list[bytes]) -> bytes:
    """Return `lines` as a writer writes them."""
    return b"".join(line + b"\n" for line in lines)
