"""Buckets by powers that become records of JSON and come back."""

from __future__ import annotations

import json
import math
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import StateError
from pipeline.metrics import HistogramDatum, Metric, Record, SavedMetrics, Store, capture_metric, write_records
from pipeline.metrics.native import MAX_NATIVE_BUCKETS
from pipeline.metrics.saved import MAX_NATIVE_SERIES
from tests.metrics.test_native import spread
from tests.metrics.test_native_series import make_histogram, observe, read


def write_all(metric: Metric) -> list[Record]:
    """Return the records of a metric, through JSON."""
    return [json.loads(json.dumps(record)) for record in write_records(capture_metric(metric))]


def read_all(*records: Record) -> Metric:
    """Return the only metric that records hold."""
    saved = SavedMetrics()
    for record in records:
        saved.read_record(record)
    (metric,) = saved.metrics
    return metric


@settings(max_examples=40)
@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=200), min_size=1, max_size=4))
def test_native_buckets_come_back(observed: list[list[float]]) -> None:
    """Each with its series, whatever schema it has, and they go on counting."""
    metric = make_histogram()
    for number, values in enumerate(observed):
        metric.new((b"%d" % number,), 0)
        for value in values:
            observe(metric, value, b"%d" % number)
    back = read_all(*write_all(metric))
    assert read(back) == read(metric)
    (live,) = Store().register([make_histogram()], [back])
    for each in (live, metric):
        observe(each, 5.0, b"0")
    assert read(live) == read(metric)


def test_what_is_no_number_comes_back_in_no_bucket() -> None:
    """The sum is no number any more, so the buckets need not add up."""
    metric = make_histogram()
    for value in (math.nan, 4.0):
        observe(metric, value, b"x")
    (series,) = read_all(*write_all(metric)).data.values()
    assert isinstance(series, HistogramDatum)
    assert series.native is not None
    assert (series.native.copy().positive, series.count) == ({16: 1}, 2)


def test_many_series_are_several_records_of_native_buckets() -> None:
    """The columns of each hold what is its series'."""
    metric = make_histogram()
    for number in range(MAX_NATIVE_SERIES * 2 + 1):
        for value in islice(spread(*range(number, number + 5)), number % 5):
            observe(metric, value if number % 2 else -value, b"%d" % number)
        metric.data.get((b"%d" % number,)) or metric.new((b"%d" % number,), 0)
    records = write_all(metric)
    assert [len(record["native"]["shifts"]) for record in records] == [MAX_NATIVE_SERIES, MAX_NATIVE_SERIES, 1]
    assert read(read_all(*records)) == read(metric)


def test_capture_of_native_buckets_is_of_one_moment() -> None:
    metric = make_histogram()
    observe(metric, 4.0, b"x")
    before = read(metric)
    capture = capture_metric(metric)
    observe(metric, 4.0, b"x")
    observe(metric, -1.0, b"x")
    assert read(read_all(*write_records(capture))) == before


@pytest.mark.parametrize("saved", [False, True])
def test_state_goes_on_without_native_buckets(saved: bool) -> None:
    """One that an earlier version wrote, or a run that had them."""
    metric = make_histogram(native=saved)
    observe(metric, 4.0, b"x")
    records = write_all(metric)
    assert [("native" in record) for record in records] == [saved]
    (taken_up,) = Store().register([make_histogram(native=False)], [read_all(*records)])
    series = observe(taken_up, 8.0, b"x")
    assert (series.count, series.native) == (2, None)


def test_state_without_native_buckets_begins_anew_with_them() -> None:
    metric = make_histogram(native=False)
    observe(metric, 4.0, b"x")
    (live,) = Store().register([make_histogram()], [read_all(*write_all(metric))])
    assert read(live) == {}


def test_records_with_and_without_native_buckets_are_two_metrics() -> None:
    """Neither order lets a series come to a metric whose others are of another form."""
    records = []
    for native in (True, False):
        observe(metric := make_histogram(native=native), 4.0, b"x")
        records += write_all(metric)
    for pair in (records, records[::-1]):
        saved = SavedMetrics()
        for record in pair:
            saved.read_record(record)
        assert [metric.native for metric in saved.metrics] == ["native" in record for record in pair]


@pytest.mark.parametrize(
    "change",
    [
        {"shifts": []},
        {"shifts": [8]},
        {"shifts": [-1]},
        {"shifts": [0.5]},
        {"zeros": [1]},
        {"zeros": [0, 0]},
        {"zeros": [-1], "positive_counts": [3]},
        {"positive_widths": [2]},
        {"positive_widths": [0], "positive_indices": [], "positive_counts": []},
        {"positive_counts": ["2"]},
        {"positive_counts": [1]},
        {"positive_indices": [8194]},
        {"positive_indices": [None]},
        {"negative_widths": [0, 0]},
        {"negative_widths": 0},
        {
            "positive_widths": [MAX_NATIVE_BUCKETS + 1],
            "positive_indices": [*range(MAX_NATIVE_BUCKETS + 1)],
            "positive_counts": [2, *[0] * MAX_NATIVE_BUCKETS],
        },
    ],
)
def test_native_buckets_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    """Nothing of such a record is taken."""
    metric = make_histogram()
    for _ in range(2):
        observe(metric, 4.0, b"x")
    (record,) = write_all(metric)
    saved = SavedMetrics()
    with pytest.raises(StateError):
        saved.read_record(record | {"native": record["native"] | change})
    assert saved.series_count == 0
