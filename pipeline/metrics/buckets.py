"""The bounds of a histogram's buckets (spec section 12.5)."""

from __future__ import annotations

from collections.abc import Sequence


def divide_bounds(declared: Sequence[float]) -> tuple[float, tuple[float, ...]]:
    """Return the lower edge of the first bucket and the upper bounds, without +Inf.

    A first bound of zero or less is only an edge: no bucket ends there. A first bound above zero
    ends a bucket that starts at 0. The checker has made sure of two or more ascending bounds; none
    at all is a metric that is no histogram.
    """
    if declared and declared[0] <= 0:
        return float(declared[0]), tuple(map(float, declared[1:]))
    return 0.0, tuple(map(float, declared))
