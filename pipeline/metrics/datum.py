"""One value and its time, for one set of label values.

Hot code changes these objects directly (`datum.value += 1`), so they check nothing. An Int value or
a time may therefore leave 64 bits; it is wrapped (`wrap_int64`) when a snapshot is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.metrics.native import NativeBuckets, NativeCounts

INT64_LIMIT = 1 << 63
UINT64_SPAN = 1 << 64


def wrap_int64(value: int) -> int:
    """Return `value` as two's complement of 64 bits keeps it (spec sections 7.1 and 10.7)."""
    if -INT64_LIMIT <= value < INT64_LIMIT:
        return value
    return (value + INT64_LIMIT) % UINT64_SPAN - INT64_LIMIT


class Datum:
    """A series that holds a number or a text. Times are nanoseconds since 1970; expiry 0 is none.

    `start` is when it began by the wall clock, 0 if that is not known: what it counts came since.
    """

    __slots__ = ("expiry", "labels", "start", "time", "value")

    def __init__(
        self, labels: tuple[bytes, ...], value: int | float | bytes, time: int, expiry: int = 0, start: int = 0
    ) -> None:
        self.labels = labels
        self.value = value
        self.time = time
        self.expiry = expiry
        self.start = start


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """What a histogram series holds. `counts` is one count per upper bound, then +Inf's; not cumulative."""

    counts: tuple[int, ...]
    total: float
    count: int
    native: NativeBuckets | None = None
    """The same observations by powers, where they are kept."""


class HistogramDatum:
    """A series of buckets. `counts` holds one count per upper bound, then +Inf's; it is not cumulative.

    `native` holds the same observations by powers, where they are kept.
    """

    __slots__ = ("count", "counts", "expiry", "labels", "native", "start", "time", "total")

    def __init__(
        self,
        labels: tuple[bytes, ...],
        buckets: int,
        time: int = 0,
        expiry: int = 0,
        start: int = 0,
        native: NativeCounts | None = None,
    ) -> None:
        """Start empty with `buckets` counts, +Inf's included."""
        self.labels = labels
        self.counts = [0] * buckets
        self.total: float = 0.0
        self.count = 0
        self.time = time
        self.expiry = expiry
        self.start = start
        self.native = native

    @property
    def value(self) -> HistogramValue:
        """A copy of what it holds."""
        native = None if self.native is None else self.native.copy()
        return HistogramValue(tuple(self.counts), self.total, self.count, native)
