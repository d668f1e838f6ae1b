"""Buckets whose bounds are powers: the native histograms of Prometheus, the exponential ones of OTLP.

With schema `s` a bucket of index `i` holds values v with base^(i-1) < v <= base^i, where base is 2^(2^-s), as in
Prometheus; the bounds of negative values are the same, mirrored. OTLP numbers the same bucket i - 1.

Two buckets of one schema are one of the next lower schema: i and i + 1, where i is odd, become (i + 1) / 2. So the
place of a value is found with the finest schema, and halved, rounding up, as often as it takes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from math import frexp, inf, isqrt

FIRST_SCHEMA = 3
"""Each bound is 1.09 times the one before (2^(1/8)), so that a quantile is at most 9 % wrong. That is what
client_golang calls a good trade-off."""

LAST_SCHEMA = -4
"""They grow by 65,536; 146 such buckets hold all that a double can be."""

MAX_NATIVE_BUCKETS = 160
"""As many as an SDK of OpenTelemetry keeps; with the first schema they span 20 octaves, say from 1 ms to 17 minutes."""

ZERO_THRESHOLD = 2.0**-128
"""As in client_golang. Smaller values than this, on either side, are counted as zero."""

STEPS = 1 << FIRST_SCHEMA
BOUNDS = tuple(isqrt(isqrt(isqrt(1 << 8 * 53 - STEPS + step))) / (1 << 53) for step in range(STEPS))
"""The greatest doubles that are not above 2^((step - 8) / 8), so that no value is in the wrong bucket: a double is a
whole number of 2^-53 in this range, and the three roots are rounded down."""

INFINITY_INDEX = 1024 * STEPS + 1
"""Of the bucket behind that of the greatest number, which infinity is counted in, as in client_golang."""

INDICES: dict[int, int] = {}
"""Each index that is in use, once: Python makes a new object of a number each time, and those of times below a second
are a third of what a series takes (measured)."""


@dataclass(frozen=True, slots=True)
class NativeBuckets:
    """What a histogram series holds by powers: a count for each index that has one, and that of values around zero.

    Together the counts are what the series has observed, but for what is not a number: that is in no bucket.
    Indices come in any order. They may lie far apart, up to 17,200 from one end to the other: whoever writes the
    gaps too takes a lower schema first (`merge_buckets`).
    """

    schema: int
    zero_threshold: float
    """Values of this size and less are in none of the other buckets."""
    zero_count: int
    positive: Mapping[int, int]
    negative: Mapping[int, int]


class NativeCounts:
    """The same of a series that goes on counting.

    A value that needs more than MAX_NATIVE_BUCKETS lowers the schema. No later one raises it again: what is merged
    cannot be told apart.
    """

    __slots__ = ("negative", "positive", "shift", "zero_count")

    def __init__(self) -> None:
        self.shift = 0
        """How far the schema is below the first one."""
        self.zero_count = 0
        self.positive: dict[int, int] = {}
        self.negative: dict[int, int] = {}

    def observe(self, value: float) -> None:
        """Count a value in its bucket: 0.25 µs (measured)."""
        if value > ZERO_THRESHOLD:
            counts = self.positive
        elif value < -ZERO_THRESHOLD:
            counts = self.negative
            value = -value
        else:
            self.zero_count += value == value  # what is not a number differs from itself, and is not counted
            return
        if value == inf:
            finest = INFINITY_INDEX
        else:
            fraction, exponent = frexp(value)
            finest = bisect_left(BOUNDS, fraction) + (exponent - 1) * STEPS
        index = -(-finest >> self.shift)
        try:
            counts[index] += 1
        except KeyError:
            counts[INDICES.setdefault(index, index)] = 1
            self.limit_buckets()

    def limit_buckets(self) -> None:
        """Lower the schema until there are few enough buckets. The last schema has no more than that."""
        while len(self.positive) + len(self.negative) > MAX_NATIVE_BUCKETS:
            self.shift += 1
            self.positive = merge_buckets(self.positive, 1)
            self.negative = merge_buckets(self.negative, 1)

    def copy(self) -> NativeBuckets:
        """Return what it holds now."""
        return NativeBuckets(
            FIRST_SCHEMA - self.shift, ZERO_THRESHOLD, self.zero_count, self.positive.copy(), self.negative.copy()
        )

    def add_up(self) -> int:
        """Return how many values are counted."""
        return self.zero_count + sum(self.positive.values()) + sum(self.negative.values())


def merge_buckets(counts: Mapping[int, int], steps: int) -> dict[int, int]:
    """Return the same counts with a schema that is lower by `steps`."""
    merged: dict[int, int] = {}
    for index, count in counts.items():
        place = -(-index >> steps)
        merged[place] = merged.get(place, 0) + count
    return merged
