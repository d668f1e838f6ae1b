"""Rates over the last minute, from looks at the counts every few seconds: what counts is not touched.

Of each look only what has changed is kept: ten thousand idle files cost a look at each and no memory, 22 MB if all of
them are written to all the time (measured).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeAlias, TypeVar

import trio

K = TypeVar("K", bound=Hashable)

Counts: TypeAlias = tuple[int, ...]

LOOK_SECONDS = 5.0
LOOKS = 12
"""So many make the minute."""

THINGS_PER_STEP = 500
"""Looked at in one step: 1 ms if all have counted. Ten thousand at once would hold up lines for 20 ms (measured)."""


class Window(Generic[K]):
    """What some things have counted in the last minute. `read_counts` gives the counts of now; times are the caller's.

    The counts of one thing are always as many. One that is less than before has begun anew.
    """

    def __init__(self, read_counts: Callable[[], Iterable[tuple[K, Counts]]], now: float) -> None:
        self.read_counts = read_counts
        self.known = dict(read_counts())
        """As of the last look."""
        self.began: deque[float] = deque([now], LOOKS + 1)
        """When each of the spaces between two looks began; the last one is not over yet."""
        self.changes: deque[dict[K, Counts]] = deque(maxlen=LOOKS)
        self.last_changes: dict[K, float] = {}
        """When a thing was last seen to have counted, by the first of its counts."""

    def look(self, now: float) -> Iterator[None]:
        """Take note of what was counted since the last look, in steps. Rates see it behind the last one."""
        counts: dict[K, Counts] = {}
        changes: dict[K, Counts] = {}
        for number, (key, count) in enumerate(self.read_counts(), 1):
            counts[key] = count
            known = self.known.get(key)
            if count != known:
                changes[key] = change = subtract(count, known)
                if change[0]:
                    self.last_changes[key] = now
            if number % THINGS_PER_STEP == 0:
                yield
        for gone in self.known.keys() - counts.keys():
            self.last_changes.pop(gone, None)
        self.known = counts
        self.changes.append(changes)
        self.began.append(now)

    def find_seconds(self, now: float) -> float:
        """Return how long the time is that rates are of."""
        return now - self.began[0]

    def read_rates(self, key: K, counts: Counts, now: float) -> tuple[float, ...]:
        """Return how much of each a second was counted, `counts` being those of now."""
        seconds = self.find_seconds(now)
        if seconds <= 0:
            return (0.0,) * len(counts)
        recent = [changes[key] for changes in self.changes if key in changes]
        recent.append(subtract(counts, self.known.get(key)))
        return tuple(sum(column) / seconds for column in zip(*recent, strict=True))

    def find_silence(self, key: K, counts: Counts, now: float) -> float | None:
        """Return for how long the first of the counts has stood, as far as looks tell; None if it never moved."""
        if subtract(counts, self.known.get(key))[0]:
            return 0.0
        last = self.last_changes.get(key)
        return None if last is None else now - last


def subtract(counts: Counts, known: Counts | None) -> Counts:
    """Return what was counted since; all of it where nothing was known, or where it has begun anew."""
    if known is None:
        return counts
    return tuple(new - old if new >= old else new for new, old in zip(counts, known, strict=True))


async def look_regularly(*windows: Window[bytes] | Window[str] | Window[tuple[str, str]]) -> None:
    """Look again and again."""
    while True:
        await trio.sleep(LOOK_SECONDS)
        for window in windows:
            for _ in window.look(trio.current_time()):
                await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
