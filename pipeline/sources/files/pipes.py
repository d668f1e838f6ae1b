"""The named pipes that a pattern matches, each read by a task of its own."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import trio

from pipeline.batch import Deliver
from pipeline.errors import SettingError, describe_os_error, find_first
from pipeline.settings import SourceSettings
from pipeline.sources.fifo import FifoSource
from pipeline.sources.surroundings import Surroundings

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Pipe:
    """One of them. `scope` is around its task, once there is one."""

    source: FifoSource
    is_open: bool = False
    scope: trio.CancelScope | None = None


@dataclass(slots=True)
class Pipes:
    """Opens those that are there, and closes those that are not any more."""

    settings: SourceSettings
    surroundings: Surroundings
    by_path: dict[str, Pipe] = field(default_factory=dict)

    def update(self, paths: Collection[str]) -> None:
        """Open the pipes at `paths`, and let others go."""
        for path in self.by_path.keys() - set(paths):
            self.remove(path)
        for path in paths:
            if path not in self.by_path:
                self.by_path[path] = Pipe(FifoSource(Path(path), self.settings, self.surroundings, makes=False))
            pipe = self.by_path[path]
            if not pipe.is_open:
                self.open(pipe)

    def open(self, pipe: Pipe) -> None:
        """Open a pipe; what cannot be opened is tried again at the next look."""
        try:
            pipe.source.prepare()
            pipe.is_open = True
        except SettingError as error:
            self.report_failure(pipe, str(error).removesuffix("."))

    def report_failure(self, pipe: Pipe, text: str) -> None:
        """Count a failure; the first of a pipe is also logged."""
        pipe.source.counts.errors += 1
        if pipe.source.counts.errors == 1:
            pause = self.settings.poll_log_interval_seconds
            extra = {"source": pipe.source.name}
            logger.warning(
                "%s. It is tried again every %g s; more failures are only counted.", text, pause, extra=extra
            )

    def start(self, nursery: trio.Nursery, deliver: Deliver) -> None:
        """Read those that are open and not read yet."""
        for pipe in self.by_path.values():
            if pipe.is_open and pipe.scope is None:
                pipe.scope = trio.CancelScope()
                nursery.start_soon(self.read, pipe, pipe.scope, deliver)

    async def read(self, pipe: Pipe, scope: trio.CancelScope, deliver: Deliver) -> None:
        """Read one pipe until it is let go of."""
        try:
            with scope:
                await pipe.source.run(deliver)
        except* OSError as failures:
            self.report_failure(pipe, f"{pipe.source.name} failed: {describe_os_error(find_first(failures))}")
        pipe.is_open, pipe.scope = False, None
        if self.by_path.get(pipe.source.name) is not pipe:
            self.surroundings.remove_counts(pipe.source.counts)

    def remove(self, path: str) -> None:
        """Let go of a pipe that is gone, with what is counted of it."""
        pipe = self.by_path.pop(path)
        if pipe.scope is not None:
            pipe.scope.cancel()
        else:
            pipe.source.close()
            self.surroundings.remove_counts(pipe.source.counts)

    def close(self) -> None:
        for pipe in self.by_path.values():
            pipe.source.close()
            pipe.is_open, pipe.scope = False, None
