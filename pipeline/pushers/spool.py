"""What waits for a destination that wants every sample, while it cannot be reached: the newest, up to a size."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.telemetry import PushCounts


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request, ready to be sent, and how many series it holds."""

    body: bytes
    series: int


class Spool:
    """Parcels in order, the oldest first. One that finds no room makes the oldest go, which is counted.

    What is put in last is always kept: it is what there would be without a spool.
    """

    def __init__(self, max_bytes: int, counts: PushCounts) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.counts = counts
        self.parcels: deque[Parcel] = deque()

    def __len__(self) -> int:
        return len(self.parcels)

    def put(self, parcels: list[Parcel]) -> None:
        """Add the parcels of one push."""
        self.parcels.extend(parcels)
        self.add_bytes(sum(len(parcel.body) for parcel in parcels))
        while self.bytes > self.max_bytes and len(self.parcels) > len(parcels):
            self.counts.spool_dropped += self.take_out().series

    @property
    def first(self) -> Parcel:
        """The parcel to be sent next. There must be one."""
        return self.parcels[0]

    def take_out(self) -> Parcel:
        """Take out that parcel: it was sent, or never can be."""
        parcel = self.parcels.popleft()
        self.add_bytes(-len(parcel.body))
        return parcel

    def split_first(self, parts: Sequence[Parcel]) -> None:
        """Have other parcels in the place of the first one, which hold the same."""
        self.take_out()
        self.parcels.extendleft(reversed(parts))
        self.add_bytes(sum(len(part.body) for part in parts))

    def add_bytes(self, size: int) -> None:
        """Count what comes and goes. A destination may have several spools, which are counted together."""
        self.bytes += size
        self.counts.spooled_bytes += size
