"""Keeps the sources running: one that fails is opened again, and the others do not notice."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import trio

from pipeline.batch import Deliver
from pipeline.errors import SettingError, describe_os_error, find_first
from pipeline.sources import Source

logger = logging.getLogger(__name__)

NOTHING_ELSE: Mapping[Source, Deliver] = MappingProxyType({})

MIN_RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 60.0
"""After a failure a source is opened again: soon at first, for it may be a moment's trouble, then less and less
often. One that has run for longer than the longest pause begins anew."""


class Supervisor:
    """Runs sources that have been prepared. Each hands its batches to `deliver`, or to what `others` has for it."""

    def __init__(
        self, sources: Sequence[Source], deliver: Deliver, others: Mapping[Source, Deliver] = NOTHING_ELSE
    ) -> None:
        self.sources = sources
        self.deliver = deliver
        self.others = others
        self.reading: list[Source] = []
        """Those that run now."""
        self.failing: list[Source] = []
        """Those that have failed and are to be opened again."""
        self.failures: dict[str, str] = {}
        """Why, by their names."""

    async def run(self) -> None:
        """Run all sources to their end."""
        async with trio.open_nursery() as nursery:
            for source in self.sources:
                nursery.start_soon(self.run_source, source)

    async def run_source(self, source: Source) -> None:
        """Run one source to its end; when it fails it is opened again after a pause."""
        pause = MIN_RETRY_SECONDS
        began = trio.current_time()
        while (failure := await self.read(source)) is not None:
            self.failing.append(source)
            if trio.current_time() - began > MAX_RETRY_SECONDS:
                pause = MIN_RETRY_SECONDS
            self.report_failure(source, describe_os_error(failure), pause)
            await trio.sleep(pause)
            pause = min(2 * pause, MAX_RETRY_SECONDS)
            while not self.reopen(source, pause):
                await trio.sleep(pause)
                pause = min(2 * pause, MAX_RETRY_SECONDS)
            self.failing.remove(source)
            self.failures.pop(source.name, None)
            began = trio.current_time()
        logger.info("%s has ended.", source.name, extra={"source": source.name})

    async def read(self, source: Source) -> OSError | None:
        """Run one source until it ends or fails; return its failure."""
        failure = None
        self.reading.append(source)
        try:
            await source.run(self.others.get(source, self.deliver))
        except* OSError as failures:
            failure = find_first(failures)
        finally:
            self.reading.remove(source)
        return failure

    def reopen(self, source: Source, pause: float) -> bool:
        """Open a source that has failed; return whether that went well. If not, the next attempt is after `pause`."""
        try:
            source.prepare()
        except SettingError as error:
            self.report_failure(source, str(error).removesuffix("."), pause)
            return False
        logger.info("%s is read again.", source.name, extra={"source": source.name})
        return True

    def report_failure(self, source: Source, text: str, pause: float) -> None:
        """Count and log a failure of a source."""
        for part in source.parts:
            part.counts.errors += 1
        self.failures[source.name] = text
        extra = {"source": source.name}
        logger.error("%s failed: %s. It is opened again in %g s.", source.name, text, pause, extra=extra)
