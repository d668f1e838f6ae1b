"""One item of `--logs` that is a path or a pattern: what it matches is found, read and followed.

One task reads all files of a source, in turns of one batch, so that a thousand idle ones cost a thousand looks
at each interval and no more. inotify only says which of them to look at sooner. Named pipes have tasks of their own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import trio

from pipeline.batch import Deliver
from pipeline.errors import describe_os_error
from pipeline.settings import SourceSettings
from pipeline.sources.files.pattern import PathPattern
from pipeline.sources.files.pipes import Pipes
from pipeline.sources.files.roster import Roster
from pipeline.sources.files.tail import Tail
from pipeline.sources.files.watcher import News, Watcher
from pipeline.sources.intake import MAX_DRAIN_BYTES, Part
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.waiting import yield_after

logger = logging.getLogger(__name__)

WAKE_SECONDS = 0.02
"""The shortest time between two awakenings by inotify: a busy writer wakes us 50 times a second, however many lines it
writes; each time they are read at once."""

SCAN_SHARE = 0.05
"""At most this share of the time goes into looks at the pattern. One at a thousand files takes 8 ms (measured)."""

LOOKS_AT_ONCE = 100
"""After looks at so many files without news other tasks get a step: some 0.5 ms."""


class PathSource:
    """Reads what a pattern matches."""

    def __init__(
        self, pattern: PathPattern, settings: SourceSettings, surroundings: Surroundings | None = None
    ) -> None:
        self.name = pattern.text
        self.settings = settings
        self.surroundings = surroundings or Surroundings()
        self.roster = Roster(pattern, settings, self.surroundings)
        self.pipes = Pipes(settings, self.surroundings)
        self.watcher = Watcher()
        self.is_new = True
        self.next_scan = self.next_look = -math.inf
        self.next_waking = self.earliest_scan = -math.inf
        self.is_watching = True

    @property
    def parts(self) -> Sequence[Part]:
        return [*self.roster.parts.by_path.values(), *(pipe.source for pipe in self.pipes.by_path.values())]

    @property
    def position(self) -> object:
        return self.roster.position if self.settings.read_positions else None

    @property
    def descriptors(self) -> Sequence[int]:
        return [number for pipe in self.pipes.by_path.values() for number in pipe.source.descriptors]

    def prepare(self) -> None:
        """Open what is there. What cannot be opened is no error: it is tried again and again."""
        goes_on = self.is_new and self.settings.read_positions
        pipes = self.roster.start(self.surroundings.positions if goes_on else {})
        self.is_new = False
        self.pipes.update(pipes)
        self.watch()
        self.next_scan = self.next_look = -math.inf

    def watch(self) -> None:
        """Have inotify watch the folders in which something may happen that concerns us."""
        folders = self.roster.expansion.folders | {path.rpartition("/")[0] or "/" for path in self.roster.places}
        try:
            self.watcher.watch(folders)
            self.is_watching = True
        except OSError as error:
            if self.is_watching:
                logger.warning(
                    "%s: changes are not told of by inotify: %s. They are looked for every %g s.",
                    self.name,
                    describe_os_error(error),
                    self.settings.poll_interval_seconds,
                    extra={"source": self.name},
                )
            self.is_watching = False

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self.roster.deliver_to(deliver)
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                await self.follow(nursery)
        finally:
            self.close()

    async def follow(self, nursery: trio.Nursery) -> None:
        """Find files and read them until cancelled; then read what they still hold."""
        news: list[Tail] = []
        try:
            while True:
                now = trio.current_time()
                if now >= max(self.next_scan, self.earliest_scan):
                    self.scan(now, nursery)
                if now >= self.next_look:
                    self.next_look = now + self.settings.poll_interval_seconds
                    news = list(self.roster.tails.values())
                news = await self.read(news)
                if not news:
                    news = await self.wait()
                elif now >= self.next_waking:
                    news = list(dict.fromkeys([*news, *self.sort_out(self.watcher.read())]))
        except trio.Cancelled:
            self.drain()
            raise

    def scan(self, now: float, nursery: trio.Nursery) -> None:
        """Look for files and pipes that are new or gone; then all are looked at."""
        self.pipes.update(self.roster.scan(now))
        self.pipes.start(nursery, self.roster.deliver)
        self.watch()
        self.next_scan = now + self.settings.poll_log_interval_seconds
        self.next_look = now
        self.earliest_scan = find_earliest_scan(now, trio.current_time())
        # What was at a path and was renamed before this look found another file there has to be read first.
        self.sort_out(self.watcher.read())

    async def read(self, tails: Sequence[Tail]) -> list[Tail]:
        """Read one batch of each; return those that had one."""
        busy = []
        known = len(self.roster.tails)
        for number, tail in enumerate(tails):
            if size := self.roster.turn(tail, trio.current_time()):
                busy.append(tail)
                await trio.lowlevel.checkpoint()
                await yield_after(size, self.surroundings.wait_room)
            elif number % LOOKS_AT_ONCE == LOOKS_AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
        if len(self.roster.tails) > known:
            self.next_look = -math.inf  # the copy of a file that was truncated has been found
        return busy

    async def wait(self) -> list[Tail]:
        """Wait until it is time to look at everything, or until something happens; return the files to read."""
        with trio.move_on_at(min(max(self.next_scan, self.earliest_scan), self.next_look)):
            await trio.sleep_until(self.next_waking)
            return self.sort_out(await self.watcher.wait())
        return []

    def sort_out(self, news: News) -> list[Tail]:
        """Return the files that have grown; anything else that concerns us calls for a scan."""
        self.next_waking = trio.current_time() + WAKE_SECONDS
        self.roster.trace(news.renames)
        grown: dict[Tail, None] = {}
        for change in news.changes:
            tail = self.roster.places.get(change.path)
            if change.is_content and tail is not None:
                grown[tail] = None
            elif not change.path or tail is not None or self.roster.pattern.covers(change.path):
                self.next_scan = -math.inf
        return list(grown)

    def drain(self) -> None:
        """Read what there is, also in files that nobody has seen yet, and deliver the unended last lines."""
        now = trio.current_time()
        self.roster.scan(now)
        remaining = MAX_DRAIN_BYTES
        while remaining > 0 and self.surroundings.may_drain():
            known, before = len(self.roster.tails), remaining
            for tail in list(self.roster.tails.values()):
                if remaining > 0 and self.surroundings.may_drain():
                    remaining -= self.roster.turn(tail, now)
            if remaining == before and len(self.roster.tails) <= known:
                break
        self.roster.finish()

    def close(self) -> None:
        self.roster.close()
        self.pipes.close()
        self.watcher.close()


def find_earliest_scan(began: float, ended: float) -> float:
    """Return when the next look at the pattern may begin, after one that took so long."""
    return began + (ended - began) / SCAN_SHARE
