"""Rows: one look finds the series of several metrics, and never one that a metric has deleted."""

from __future__ import annotations

from copy import deepcopy

import pytest

from pipeline.metrics import Kind, Metric, Rows, ValueType, rows, share_rows

KEY = (b"a",)


def make_metric(name: str) -> Metric:
    return Metric(name, kind=Kind.COUNTER, value_type=ValueType.INT, label_names=("k",))


def test_row_is_made_empty_and_filled_by_finders() -> None:
    """A look at a row creates no series."""
    first, second = make_metric("first"), make_metric("second")
    shared = share_rows((first, second))
    row = shared[KEY]
    assert row == [None, None]
    assert not first.data
    series = shared.make_finder(1)(row, KEY, 5)
    assert shared[KEY] == [None, series]
    assert (second.data, first.data) == ({KEY: series}, {})


def test_finder_enters_a_series_that_exists() -> None:
    """It may have come from elsewhere."""
    metric = make_metric("first")
    series = metric.new(KEY, 5)
    shared = share_rows((metric, make_metric("second")))
    assert shared.make_finder(0)(shared[KEY], KEY, 6) is series
    assert shared[KEY][0] is series


def test_deleted_series_is_in_no_row() -> None:
    """Whichever metric deletes it, the row is made anew."""
    first, second = make_metric("first"), make_metric("second")
    shared = share_rows((first, second))
    find_first, find_second = shared.make_finder(0), shared.make_finder(1)
    kept = find_first(shared[KEY], KEY, 5)
    gone = find_second(shared[KEY], KEY, 5)
    second.delete(KEY)
    assert KEY not in shared
    assert find_first(shared[KEY], KEY, 6) is kept
    assert find_second(shared[KEY], KEY, 6) is not gone


def test_series_beyond_the_limit_is_in_no_row() -> None:
    """It is new again each time, and counted."""
    metric = make_metric("first")
    metric.cap_series(1)
    shared = share_rows((metric, make_metric("second")))
    find = shared.make_finder(0)
    find(shared[KEY], KEY, 5)
    other = (b"b",)
    assert find(shared[other], other, 5) is not find(shared[other], other, 5)
    assert shared[other] == [None, None]
    assert metric.overflows == 2


def test_row_of_a_long_label_value_is_forgotten() -> None:
    """Its series are kept by no metric, and the value not by the rows."""
    metric, other = make_metric("first"), make_metric("second")
    for each in (metric, other):
        each.cap_label_values(3)
    shared = share_rows((metric, other))
    long = (b"long",)
    row = shared[long]
    shared.make_finder(0)(row, long, 5)
    shared.make_finder(1)(row, long, 5)
    assert row == [None, None]
    assert not shared
    assert (metric.values_too_long, other.values_too_long) == (1, 1)


def test_too_many_rows_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's lines cannot make ever more of them."""
    monkeypatch.setattr(rows, "MAX_ROWS", 2)
    shared = share_rows((make_metric("first"), make_metric("second")))
    for letter in (b"a", b"b", b"c"):
        shared[letter,]
    assert list(shared) == [(b"c",)]


def test_rows_are_those_of_the_same_metrics_only() -> None:
    """Another set of metrics, or another order, has rows of its own."""
    first, second, third = make_metric("first"), make_metric("second"), make_metric("third")
    shared = share_rows((first, second))
    assert share_rows((first, second)) is shared
    other = share_rows((second, first))
    assert other is not shared
    assert share_rows((second, first, third)).members == (second, first, third)
    assert share_rows((first, second)) is not shared


def test_copies_of_metrics_have_rows_of_their_own() -> None:
    """That of a copy finds no series of the original."""
    members = [make_metric("first"), make_metric("second")]
    shared = share_rows((members[0], members[1]))
    series = shared.make_finder(0)(shared[KEY], KEY, 5)
    first, second = deepcopy(members)
    copied = share_rows((first, second))
    assert isinstance(first.rows, Rows)
    assert copied is first.rows
    assert copied.make_finder(0)(copied[KEY], KEY, 6) is first.data[KEY]
    assert first.data[KEY] is not series
