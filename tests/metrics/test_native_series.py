"""Series of histograms that keep their observations by powers too: creation, limits, reloads."""

from __future__ import annotations

from copy import deepcopy

import pytest

from pipeline.metrics import HistogramDatum, HistogramValue, Kind, Metric, NativeBuckets, Store, ValueType

NOW = 1_700_000_000_000_000_000


def make_histogram(*, native: bool = True, limit: int = 0, line: int = 1) -> Metric:
    return Metric(
        "h",
        kind=Kind.HISTOGRAM,
        value_type=ValueType.BUCKETS,
        program="a.mtail",
        label_names=("k",),
        source=f"a.mtail:{line}:11",
        limit=limit,
        buckets=(1, 2),
        native=native,
    )


def observe(metric: Metric, value: float, *labels: bytes) -> HistogramDatum:
    """Do what the generated code does, for a value in the last bucket."""
    series = metric.data.get(labels) or metric.new(labels, NOW)
    assert isinstance(series, HistogramDatum)
    series.counts[-1] += 1
    series.count += 1
    series.total += value
    series.time = NOW
    if series.native is not None:
        series.native.observe(value)
    return series


def read(metric: Metric) -> dict[bytes, object]:
    return {labels[0]: series.value for labels, series in metric.data.items()}


def value_of(*indices: int, total: float) -> HistogramValue:
    """Return the value of a series that has observed something in each of some buckets."""
    native = NativeBuckets(3, 2.0**-128, 0, dict.fromkeys(indices, 1), {})
    return HistogramValue((0, 0, len(indices)), total, len(indices), native)


@pytest.mark.parametrize("limit", [0, 5])
def test_native_histogram_has_its_buckets_from_the_start(limit: int) -> None:
    """Others have none, and nothing to keep them in."""
    observe(metric := make_histogram(limit=limit), 4.0, b"x")
    assert read(metric) == {b"x": value_of(16, total=4.0)}
    observe(plain := make_histogram(native=False, limit=limit), 4.0, b"x")
    assert read(plain) == {b"x": HistogramValue((0, 0, 1), 4.0, 1)}


def test_series_that_is_not_kept_can_observe() -> None:
    """The line that writes to it goes on."""
    metric = make_histogram()
    metric.cap_series(1)
    observe(metric, 4.0, b"x")
    assert observe(metric, 4.0, b"y").value == value_of(16, total=4.0)
    assert (list(read(metric)), metric.overflows) == ([b"x"], 1)


@pytest.mark.parametrize("limit", [0, 5])
def test_reload_keeps_native_buckets(limit: int) -> None:
    """And they go on counting."""
    store = Store()
    (old,) = store.register([make_histogram()])
    observe(old, 4.0, b"x")
    (new,) = store.register([make_histogram(limit=limit, line=2)])
    assert read(new) == {b"x": value_of(16, total=4.0)}
    observe(new, 8.0, b"x")
    assert read(new) == {b"x": value_of(16, 24, total=12.0)}


def test_histogram_begins_anew_where_it_gets_native_buckets() -> None:
    """They would not add up with what was counted before."""
    store = Store()
    (old,) = store.register([make_histogram(native=False)])
    observe(old, 4.0, b"x")
    (new,) = store.register([make_histogram()])
    assert read(new) == {}
    assert not new.continues(old)


@pytest.mark.parametrize("limit", [0, 5])
def test_histogram_goes_on_where_it_loses_native_buckets(limit: int) -> None:
    """None are left that would stand still from then on."""
    store = Store()
    (old,) = store.register([make_histogram()])
    observe(old, 4.0, b"x")
    (new,) = store.register([make_histogram(native=False, limit=limit)])
    observe(new, 8.0, b"x")
    assert read(new) == {b"x": HistogramValue((0, 0, 2), 12.0, 2)}


def test_snapshot_has_native_buckets_of_its_moment() -> None:
    store = Store()
    (metric,) = store.register([make_histogram()])
    observe(metric, 4.0, b"x")
    before, view = store.snapshot(), store.view()
    observe(metric, 8.0, b"x")
    assert before.metrics[0].series[0].value == value_of(16, total=4.0)
    assert view.metrics[0].series[0].value == value_of(16, 24, total=12.0)


def test_copy_for_a_trial_counts_for_itself() -> None:
    """As the one that a sieve is checked with."""
    metric = make_histogram()
    observe(metric, 4.0, b"x")
    trial = deepcopy(metric)
    observe(trial, 8.0, b"x")
    assert read(metric) == {b"x": value_of(16, total=4.0)}
    assert read(trial) == {b"x": value_of(16, 24, total=12.0)}
