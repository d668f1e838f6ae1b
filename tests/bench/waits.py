"""How long chunks of a paced stream wait in a pipe until they are read: pure arithmetic, and the histogram."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200)


@dataclass(slots=True)
class WaitingChunks:
    """Chunks that are due in a pipe, and not wholly read. A wait begins when its chunk is due.

    Not when it could be written: a chunk that a full pipe keeps out waits as well.
    """

    due: deque[tuple[int, float]] = field(default_factory=deque)
    waits: list[float] = field(default_factory=list)

    def add(self, end: int, time: float) -> None:
        """A chunk that ends at byte `end` of the stream is due at `time`, in seconds."""
        self.due.append((end, time))

    def note_read(self, position: int, now: float) -> None:
        """All up to byte `position` of the stream has been read by `now`."""
        while self.due and self.due[0][0] <= position:
            self.waits.append(now - self.due.popleft()[1])


def count_buckets(waits: Sequence[float]) -> list[int]:
    """Return how many waits, in seconds, fall into each bucket: up to each bound, and above the last."""
    counts = [0] * (len(BOUNDS_MS) + 1)
    for wait in waits:
        counts[bisect_left(BOUNDS_MS, wait * 1e3)] += 1
    return counts
