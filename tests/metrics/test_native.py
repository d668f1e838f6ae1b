"""Buckets by powers: which one a value is in, and how many there are."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics import NativeBuckets, NativeCounts, merge_buckets
from pipeline.metrics.native import (
    BOUNDS,
    FIRST_SCHEMA,
    INFINITY_INDEX,
    LAST_SCHEMA,
    MAX_NATIVE_BUCKETS,
    ZERO_THRESHOLD,
)

FINITE = st.floats(min_value=ZERO_THRESHOLD, exclude_min=True, allow_infinity=False)


def observe(*values: float) -> NativeBuckets:
    counts = NativeCounts()
    for value in values:
        counts.observe(value)
    return counts.copy()


def find_index(value: float) -> int:
    """Return the index of the only bucket of a value above zero, with the first schema."""
    buckets = observe(value)
    assert buckets.schema == FIRST_SCHEMA
    ((index, count),) = buckets.positive.items()
    assert count == 1
    return index


def is_up_to(value: float, index: int, schema: int) -> bool:
    """Tell whether `value` is at most base^index, by whole numbers alone."""
    if schema >= 0:
        return Fraction(value) ** (1 << schema) <= Fraction(2) ** index
    return Fraction(value) <= Fraction(2) ** (index << -schema)


def is_in_bucket(value: float, index: int, schema: int) -> bool:
    return is_up_to(value, index, schema) and not is_up_to(value, index - 1, schema)


@given(FINITE)
def test_value_is_in_the_bucket_whose_bounds_are_around_it(value: float) -> None:
    """Exactly: the bounds are powers of the eighth root of 2, which no double is."""
    assert is_in_bucket(value, find_index(value), FIRST_SCHEMA)


@given(st.integers(-126, 1022), st.integers(0, 7))
def test_values_beside_a_bound_are_in_the_right_bucket(exponent: int, place: int) -> None:
    """The doubles next to it, on both sides."""
    bound = math.ldexp(BOUNDS[place], exponent + 1)
    for value in (math.nextafter(bound, 0), bound, math.nextafter(bound, math.inf)):
        assert is_in_bucket(value, find_index(value), FIRST_SCHEMA)
    assert find_index(math.nextafter(bound, math.inf)) == find_index(bound) + 1


@pytest.mark.parametrize(("value", "index"), [(1.0, 0), (2.0, 8), (4, 16), (0.5, -8), (2.0**-127, -127 * 8), (3, 13)])
def test_power_of_two_ends_its_bucket(value: float, index: int) -> None:
    """An Int counts as the Float that it is."""
    assert find_index(value) == index
    assert observe(-value).negative == {index: 1}


def test_infinity_is_behind_the_greatest_number() -> None:
    """In every schema, as client_golang has it."""
    assert find_index(sys.float_info.max) == INFINITY_INDEX - 1
    assert find_index(math.inf) == INFINITY_INDEX
    assert observe(-math.inf).negative == {INFINITY_INDEX: 1}
    for steps in range(1, FIRST_SCHEMA - LAST_SCHEMA + 1):
        both = merge_buckets({INFINITY_INDEX - 1: 1, INFINITY_INDEX: 1}, steps)
        assert both == {1024 * 8 >> steps: 1, (1024 * 8 >> steps) + 1: 1}


@pytest.mark.parametrize("value", [0.0, -0.0, 0, 5e-324, ZERO_THRESHOLD, -ZERO_THRESHOLD])
def test_what_is_next_to_zero_counts_as_zero(value: float) -> None:
    assert observe(value) == NativeBuckets(FIRST_SCHEMA, ZERO_THRESHOLD, 1, {}, {})


def test_what_is_no_number_is_in_no_bucket() -> None:
    assert observe(math.nan) == observe()


def spread(*numbers: int) -> Iterable[float]:
    """Return a value for each number, each in a bucket of its own."""
    return (BOUNDS[number % 8] * 2.0 ** (number // 8) for number in numbers)


def test_limit_of_buckets_is_kept_by_a_lower_schema() -> None:
    """The last bucket there is room for leaves the schema as it is, the next one does not."""
    counts = NativeCounts()
    for value in spread(*range(MAX_NATIVE_BUCKETS)):
        counts.observe(value)
    assert counts.copy().schema == FIRST_SCHEMA
    counts.observe(-1.0)
    buckets = counts.copy()
    assert buckets.schema == FIRST_SCHEMA - 1
    assert len(buckets.positive) + len(buckets.negative) <= MAX_NATIVE_BUCKETS
    assert counts.add_up() == MAX_NATIVE_BUCKETS + 1


def test_values_apart_leave_the_schema() -> None:
    """What a stranger sends does not make the buckets of usual values coarse."""
    assert observe(*spread(*range(20)), 1e300, -1e-30, math.inf).schema == FIRST_SCHEMA


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_all_numbers_there_are_fit_in_the_last_schema(sign: float) -> None:
    """One value for each power of two, of both signs: then there is one for each bucket."""
    numbers = [sign * 2.0**exponent for exponent in range(-127, 1024)]
    buckets = observe(*numbers, *(-number for number in numbers), math.inf, -math.inf)
    assert buckets.schema == LAST_SCHEMA
    assert len(buckets.positive) == len(buckets.negative) == 73
    assert sum(buckets.positive.values()) == sum(buckets.negative.values()) == len(numbers) + 1


@settings(max_examples=60)
@given(st.lists(st.floats(allow_nan=False), max_size=400), st.integers(0, 300))
def test_every_value_is_counted_where_it_belongs(values: list[float], octaves: int) -> None:
    """With whatever schema has come of them, and however often it was lowered on the way."""
    values += [2.0**exponent for exponent in range(octaves)]
    counts = NativeCounts()
    for value in values:
        counts.observe(value)
    buckets = counts.copy()
    assert counts.add_up() == len(values)
    assert len(buckets.positive) + len(buckets.negative) <= MAX_NATIVE_BUCKETS
    assert buckets.zero_count == sum(abs(value) <= ZERO_THRESHOLD for value in values)
    finest = [NativeCounts() for _ in values]
    for one, value in zip(finest, values, strict=True):
        one.observe(value)
    steps = FIRST_SCHEMA - buckets.schema
    for sign in ("positive", "negative"):
        expected: dict[int, int] = {}
        for one in finest:
            for index in merge_buckets(getattr(one, sign), steps):
                expected[index] = expected.get(index, 0) + 1
        assert getattr(buckets, sign) == expected


@given(FINITE, st.integers(0, FIRST_SCHEMA - LAST_SCHEMA))
def test_merged_bucket_is_that_of_the_lower_schema(value: float, steps: int) -> None:
    (index,) = merge_buckets({find_index(value): 1}, steps)
    assert is_in_bucket(value, index, FIRST_SCHEMA - steps)


@given(st.dictionaries(st.integers(-(1 << 14), 1 << 14), st.integers(1, 1 << 62)), st.integers(0, 7))
def test_merging_loses_no_count(counts: dict[int, int], steps: int) -> None:
    assert sum(merge_buckets(counts, steps).values()) == sum(counts.values())


@given(st.binary(min_size=8, max_size=8))
def test_any_double_can_be_observed(double: bytes) -> None:
    (value,) = struct.unpack("d", double)
    counts = NativeCounts()
    counts.observe(value)
    assert counts.add_up() == (not math.isnan(value))


def test_copy_does_not_follow() -> None:
    counts = NativeCounts()
    counts.observe(1.0)
    before = counts.copy()
    counts.observe(1.0)
    counts.observe(-5.0)
    assert before == observe(1.0)
