"""The buckets of a histogram: the bounds in force, and where a value goes (spec section 12.5)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import isnan

from pipeline.metrics.datum import HistogramDatum


def divide_bounds(declared: Sequence[float]) -> tuple[float, tuple[float, ...]]:
    """Return the lower edge of the first bucket and the upper bounds, without +Inf.

    A first bound of zero or less is only an edge: no bucket ends there. A first bound above zero
    ends a bucket that starts at 0. The checker has made sure of two or more ascending bounds; none
    at all is a metric that is no histogram.
    """
    if declared and declared[0] <= 0:
        return float(declared[0]), tuple(map(float, declared[1:]))
    return 0.0, tuple(map(float, declared))


def observe_value(datum: HistogramDatum, bounds: tuple[float, ...], value: float) -> None:
    """Count `value` in `datum`. What lies below every edge goes to the first bucket, NaN to none."""
    datum.count += 1
    datum.total += value
    if not isnan(value):
        datum.counts[bisect_left(bounds, value)] += 1
