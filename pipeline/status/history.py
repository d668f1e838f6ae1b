"""Rates over the last minute, from looks at the counts every few seconds: what counts is not touched.

Of each look only what has changed is kept, so that ten thousand idle files cost a look at each and no memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeAlias, TypeVar

import trio

K = TypeVar("K", bound=Hashable)

Counts: TypeAlias = tuple[int, ...]

LOOK_SECONDS = 5.0
LOOKS = 12
"""So many make the minute."""


class Window(Generic[K]):
    """What some things have counted in the last minute. `read_counts` gives the counts of now; times are the caller's.

    The counts of one thing are always as many, and never go down.
    """

    def __init__(self, read_counts: Callable[[], Mapping[K, Counts]], now: float) -> None:
        self.read_counts = read_counts
        self.known: Mapping[K, Counts] = read_counts()
        """As of the last look."""
        self.began: deque[float] = deque([now], LOOKS + 1)
        """When each of the spaces between two looks began; the last one is not over yet."""
        self.changes: deque[dict[K, Counts]] = deque(maxlen=LOOKS)
        self.last_changes: dict[K, float] = {}
        """When a thing that has counted anything was last seen to."""

    def look(self, now: float) -> None:
        """Take note of what was counted since the last look."""
        counts = self.read_counts()
        changed = {key: count for key, count in counts.items() if count != self.known.get(key)}
        self.changes.append({key: subtract(count, self.known.get(key)) for key, count in changed.items()})
        self.last_changes.update(dict.fromkeys(changed, now))
        for gone in self.known.keys() - counts.keys():
            self.last_changes.pop(gone, None)
        self.known = counts
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
        """Return for how long nothing was counted, as far as looks tell; None if nothing ever was."""
        if counts != self.known.get(key) and any(counts):
            return 0.0
        last = self.last_changes.get(key)
        return None if last is None else now - last


def subtract(counts: Counts, known: Counts | None) -> Counts:
    """Return what was counted since; all of it where nothing was known."""
    return counts if known is None else tuple(new - old for new, old in zip(counts, known, strict=True))


async def look_regularly(*windows: Window[bytes] | Window[str]) -> None:
    """Look again and again."""
    while True:
        await trio.sleep(LOOK_SECONDS)
        for window in windows:
            window.look(trio.current_time())
            await trio.lowlevel.checkpoint()
