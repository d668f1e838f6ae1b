"""Values of 64 bits."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import HistogramDatum, HistogramValue, NativeBuckets, NativeCounts, wrap_int64


@given(st.integers(min_value=-(1 << 70), max_value=1 << 70))
def test_int_wraps_as_64_bits_do(value: int) -> None:
    """The C type is the judge."""
    assert wrap_int64(value) == ctypes.c_int64(value).value


@pytest.mark.parametrize(
    ("value", "wrapped"),
    [((1 << 63) - 1, (1 << 63) - 1), (1 << 63, -(1 << 63)), (-(1 << 63), -(1 << 63)), (-(1 << 63) - 1, (1 << 63) - 1)],
)
def test_edges_of_64_bits_are_exact(value: int, wrapped: int) -> None:
    """The last value that fits, and the first that does not, on both sides."""
    assert wrap_int64(value) == wrapped


def test_histogram_starts_empty() -> None:
    """A count for each bucket, at time 0."""
    datum = HistogramDatum((), 3)
    assert (datum.counts, datum.total, datum.count, datum.time, datum.expiry) == ([0, 0, 0], 0.0, 0, 0, 0)


def test_value_of_a_histogram_is_a_copy() -> None:
    """Of its buckets by powers as well, where it has them."""
    assert HistogramDatum((), 1).value == HistogramValue((0,), 0.0, 0, None)
    datum = HistogramDatum((), 1)
    datum.native = NativeCounts()
    before = datum.value
    datum.counts[0] += 1
    datum.native.observe(1.0)
    assert before.native == NativeBuckets(3, 2.0**-128, 0, {}, {})
    assert datum.value.native == NativeBuckets(3, 2.0**-128, 0, {0: 1}, {})
    assert (before.counts, datum.value.counts) == ((0,), (1,))
