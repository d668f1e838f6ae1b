"""Which bounds of a declaration end a bucket."""

from __future__ import annotations

import pytest

from pipeline.metrics.buckets import divide_bounds


@pytest.mark.parametrize(
    ("declared", "lower", "bounds"),
    [
        ((1, 2), 0.0, (1.0, 2.0)),
        ((0.5, 2, 4), 0.0, (0.5, 2.0, 4.0)),
        ((0, 1, 2), 0.0, (1.0, 2.0)),
        ((-5, -1, 3), -5.0, (-1.0, 3.0)),
        ((), 0.0, ()),
    ],
)
def test_first_bound_of_zero_or_less_is_only_an_edge(
    declared: tuple[float, ...], lower: float, bounds: tuple[float, ...]
) -> None:
    """Above zero it ends a bucket that starts at 0 (spec 12.5, cases 90 and 91)."""
    assert divide_bounds(declared) == (lower, bounds)
