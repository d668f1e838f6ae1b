"""What is counted and logged of each path."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from operator import itemgetter

from pipeline.errors import describe_os_error
from pipeline.sources.surroundings import Surroundings
from pipeline.telemetry import SourceCounts

logger = logging.getLogger(__name__)

FORGET_SECONDS = 3600.0
"""So long after a file is gone its own series are served, that each scraper sees the last values; then they go, so that
files with dates in their names do not add up."""

MAX_GONE = 1000
"""Of more files that are gone, those that have been gone longest are forgotten sooner: the series of one take 4 KB, and
1 KB of each page."""


@dataclass(slots=True)
class FilePart:
    """One path that lines are named after."""

    name: str
    counts: SourceCounts
    gone_since: float | None = None

    @property
    def waiting_bytes(self) -> int:
        return self.counts.lag_bytes

    @property
    def is_there(self) -> bool:
        return self.gone_since is None


@dataclass(slots=True)
class Parts:
    """All of one source. `kept` is a path of which counts stay for good: the operator named it."""

    surroundings: Surroundings
    retry_seconds: float
    kept: str
    by_path: dict[str, FilePart] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    """The paths of which something was logged that is logged once."""

    def __post_init__(self) -> None:
        if self.kept:
            self.by_path[self.kept] = make_part(self.kept)

    def start(self) -> None:
        """Have all that is known counted."""
        for part in self.by_path.values():
            self.surroundings.add_counts(part.counts)

    def count(self, path: str) -> SourceCounts:
        """Return what is counted of `path`, from now on."""
        if path not in self.by_path:
            self.by_path[path] = make_part(path)
            self.surroundings.add_counts(self.by_path[path].counts)
        return self.by_path[path].counts

    def remove(self, path: str) -> None:
        """Count `path` no longer."""
        if path != self.kept:
            self.surroundings.remove_counts(self.by_path.pop(path).counts)

    def forget_others(self, alive: Collection[str], now: float) -> None:
        """Let go of paths that have not been among those `alive` for long, or are too many."""
        for path, part in self.by_path.items():
            if path in alive:
                part.gone_since = None
            elif part.gone_since is None:
                part.gone_since = now
        gone = [
            (part.gone_since, path)
            for path, part in self.by_path.items()
            if part.gone_since is not None and path != self.kept
        ]
        gone.sort(key=itemgetter(0))
        surplus = len(gone) - MAX_GONE
        for number, (since, path) in enumerate(gone):
            if number < surplus or now - since >= FORGET_SECONDS:
                self.remove(path)

    def say_once(self, path: str, text: str, level: int = logging.WARNING) -> None:
        """Log something of `path` that is worth one message."""
        if path not in self.said:
            self.said.add(path)
            logger.log(level, "%s", text, extra={"source": path})

    def unsay_others(self, paths: Iterable[str]) -> None:
        """Forget what was logged of paths that are no longer there."""
        self.said.intersection_update(paths)

    def report_failure(self, path: str, error: OSError) -> None:
        """Count a failure to open or read; the first of a path is also logged."""
        counts = self.count(path)
        counts.errors += 1
        if counts.errors == 1:
            logger.warning(
                "%s cannot be read: %s. It is tried again every %g s; more failures are only counted.",
                path,
                describe_os_error(error),
                self.retry_seconds,
                extra={"source": path},
            )


def make_part(path: str) -> FilePart:
    """Return a part of which nothing is counted yet."""
    return FilePart(path, SourceCounts(os.fsencode(path)))
