"""Series of one metric: creation, limits, expiry."""

from __future__ import annotations

import pytest

from pipeline.errors import LineError
from pipeline.metrics import (
    DEFAULT_MAX_LABEL_VALUE_BYTES,
    DEFAULT_MAX_SERIES,
    Datum,
    HistogramDatum,
    Kind,
    Metric,
    ValueType,
)

NOW = 1_700_000_000_000_000_000


def make_gauge(*, limit: int = 0) -> Metric:
    return Metric("g", kind=Kind.GAUGE, value_type=ValueType.INT, label_names=("k",), limit=limit, source="a.mtail:1:7")


def fill(metric: Metric, *names: bytes) -> None:
    """Create a series for each name, stamped one after the other."""
    for time, name in enumerate(names, len(metric.data)):
        metric.new((name,), NOW + time)


def names_of(metric: Metric) -> list[bytes]:
    return [key[0] for key in metric.data]


@pytest.mark.parametrize(("value_type", "zero"), [(ValueType.INT, 0), (ValueType.FLOAT, 0.0), (ValueType.STRING, b"")])
@pytest.mark.parametrize("limit", [0, 5])
def test_new_series_holds_the_zero_of_its_type(value_type: ValueType, zero: object, limit: int) -> None:
    """It is stamped with the clock, and kept."""
    metric = Metric("g", kind=Kind.GAUGE, value_type=value_type, label_names=("k",), limit=limit)
    series = metric.new((b"x",), NOW)
    assert isinstance(series, Datum)
    assert (series.labels, series.time, series.expiry) == ((b"x",), NOW, 0)
    assert series.value == zero
    assert type(series.value) is type(zero)
    assert metric.data == {(b"x",): series}


@pytest.mark.parametrize("limit", [0, 5])
def test_new_histogram_series_is_empty_at_time_0(limit: int) -> None:
    """One count per upper bound, and one for +Inf; the first bound of 0 has none."""
    metric = Metric("h", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, limit=limit, buckets=(0, 1, 2))
    series = metric.new((), NOW)
    assert isinstance(series, HistogramDatum)
    assert (series.counts, series.time) == ([0, 0, 0], 0)
    series.time = NOW
    assert series.time == NOW


def test_series_keep_their_order_of_creation() -> None:
    """A series that is deleted and created again is the newest (spec 12.4, case 96)."""
    metric = make_gauge()
    fill(metric, b"b", b"a", b"c")
    metric.delete((b"b",))
    fill(metric, b"b")
    assert names_of(metric) == [b"a", b"c", b"b"]


def test_deletion_of_a_missing_series_does_nothing() -> None:
    """Case 97."""
    metric = make_gauge()
    metric.delete((b"x",))
    assert metric.data == {}


@pytest.mark.parametrize(
    ("kind", "value_type", "label_names", "exists"),
    [
        (Kind.COUNTER, ValueType.INT, (), True),
        (Kind.HISTOGRAM, ValueType.BUCKETS, (), True),
        (Kind.GAUGE, ValueType.INT, (), False),
        (Kind.TIMER, ValueType.FLOAT, (), False),
        (Kind.TEXT, ValueType.STRING, (), False),
        (Kind.COUNTER, ValueType.INT, ("k",), False),
        (Kind.HISTOGRAM, ValueType.BUCKETS, ("k",), False),
    ],
)
def test_scalar_counters_and_histograms_exist_from_the_start(
    kind: Kind, value_type: ValueType, label_names: tuple[str, ...], exists: bool
) -> None:
    """At time 0 (spec 12.3, case 89)."""
    metric = Metric("m", kind=kind, value_type=value_type, label_names=label_names)
    metric.initialize(NOW)
    assert [series.time for series in metric.data.values()] == ([0] if exists else [])


def test_initial_series_does_not_replace_one() -> None:
    """What exists keeps its value."""
    metric = Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT)
    series = metric.new((), NOW)
    metric.initialize(NOW)
    assert metric.data[()] is series


def test_limit_evicts_the_oldest_stamp_at_creation() -> None:
    """The steps of case 95: lines whose own times are out of order."""
    metric = make_gauge(limit=2)
    for name, time in [(b"x", 100), (b"y", 50), (b"z", 200), (b"w", 300), (b"y", 10), (b"q", 5)]:
        series = metric.data.get((name,)) or metric.new((name,), NOW)
        series.time = time
    assert names_of(metric) == [b"w", b"q"]
    assert metric.evictions == 4


def test_limit_evicts_the_first_created_of_equal_stamps() -> None:
    """Spec 12.6: ties."""
    metric = make_gauge(limit=2)
    for name in (b"b", b"a", b"c"):
        metric.new((name,), NOW)
    assert names_of(metric) == [b"a", b"c"]


def test_limit_holds_for_histograms() -> None:
    """Series of buckets are evicted like others, by the stamp of their last observation."""
    metric = Metric("h", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, label_names=("k",), limit=2, buckets=(1, 2))
    kept = []
    for name, time in [(b"a", 30), (b"b", 20), (b"a", 10), (b"c", 40), (b"b", 5), (b"d", 50)]:
        series = metric.data.get((name,)) or metric.new((name,), NOW)
        series.time = time
        kept.append(b"".join(names_of(metric)))
    assert kept == [b"a", b"ab", b"ab", b"bc", b"bc", b"cd"]


@pytest.mark.parametrize("limit", [0, -3])
def test_limit_of_zero_or_less_is_none(limit: int) -> None:
    """Spec 12.1."""
    metric = make_gauge(limit=limit)
    fill(metric, b"a", b"b", b"c")
    assert (len(metric.data), metric.evictions) == (3, 0)


def test_eviction_takes_a_series_with_its_expiry() -> None:
    """Nothing is left that could expire."""
    metric = make_gauge(limit=1)
    fill(metric, b"a")
    metric.expire_after((b"a",), 5)
    fill(metric, b"b")
    assert metric.next_expiry() is None


def test_series_over_the_cap_are_not_kept_but_usable() -> None:
    """The line goes on with a series of its own; old series stay, and each attempt is counted."""
    metric = make_gauge()
    metric.cap_series(2)
    fill(metric, b"a", b"b")
    lost = metric.new((b"c",), NOW)
    assert isinstance(lost, Datum)
    assert (lost.labels, lost.value, lost.time) == ((b"c",), 0, NOW)
    metric.new((b"c",), NOW)
    assert names_of(metric) == [b"a", b"b"]
    assert (metric.overflows, metric.evictions) == (2, 0)


def test_series_that_was_not_kept_needs_no_expiry() -> None:
    """A line that wrote to it does not fail for asking that it expire."""
    metric = make_gauge()
    metric.cap_series(1)
    fill(metric, b"a")
    metric.new((b"b",), NOW)
    metric.expire_after((b"b",), 5)
    assert metric.next_expiry() is None


def test_room_under_the_cap_is_used_again() -> None:
    """After a deletion a new series is kept."""
    metric = make_gauge()
    metric.cap_series(1)
    fill(metric, b"a")
    metric.delete((b"a",))
    fill(metric, b"b")
    assert (names_of(metric), metric.overflows) == ([b"b"], 0)


def test_cap_of_zero_is_none() -> None:
    """The operator can lift it."""
    metric = make_gauge()
    assert metric.capacity == DEFAULT_MAX_SERIES
    metric.cap_series(0)
    assert metric.capacity > 1 << 60


@pytest.mark.parametrize("limit", [0, 1])
def test_series_with_a_long_label_value_is_not_kept_but_usable(limit: int) -> None:
    """It takes nobody's place; one at the bound is kept."""
    metric = make_gauge(limit=limit)
    metric.cap_label_values(3)
    fill(metric, b"abc")
    lost = metric.new((b"abcd",), NOW)
    assert isinstance(lost, Datum)
    lost.value, lost.time = 7, NOW - 1
    metric.expire_after((b"abcd",), 5)
    metric.sweep(NOW + 10)
    assert names_of(metric) == [b"abc"]
    assert (metric.values_too_long, metric.overflows, metric.evictions) == (1, 0, 0)


def test_any_label_value_may_be_the_long_one() -> None:
    """Of a histogram too."""
    metric = Metric("h", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, label_names=("a", "b"), buckets=(1, 2))
    metric.cap_label_values(1)
    for key in ((b"x", b"yy"), (b"xx", b"y"), (b"x", b"y")):
        assert isinstance(metric.new(key, NOW), HistogramDatum)
    assert (list(metric.data), metric.values_too_long) == ([(b"x", b"y")], 2)


def test_bound_of_zero_for_label_values_is_none() -> None:
    """The operator can lift it."""
    metric = make_gauge()
    fill(metric, b"x" * DEFAULT_MAX_LABEL_VALUE_BYTES, b"x" * (DEFAULT_MAX_LABEL_VALUE_BYTES + 1))
    assert len(metric.data) == 1
    metric.cap_label_values(0)
    fill(metric, b"x" * 100_000)
    assert len(metric.data) == 2


def test_limit_of_the_program_goes_before_the_cap() -> None:
    """Its author said how many, be it more."""
    metric = make_gauge(limit=3)
    metric.cap_series(1)
    fill(metric, b"a", b"b", b"c", b"d")
    assert (names_of(metric), metric.overflows) == ([b"b", b"c", b"d"], 0)


def test_expiry_of_a_missing_series_fails() -> None:
    """Case 97; the text names metric and labels."""
    metric = make_gauge()
    with pytest.raises(LineError) as caught:
        metric.expire_after((b"n\xff",), 5)
    assert str(caught.value) == "`del … after` found no series [n\ufffd] of metric `g`"


@pytest.mark.parametrize("duration", [0, -1])
def test_expiry_that_is_not_positive_deletes_at_once(duration: int) -> None:
    """Case 98."""
    metric = make_gauge()
    fill(metric, b"a")
    metric.expire_after((b"a",), duration)
    assert metric.data == {}


def test_sweep_deletes_what_is_older_than_its_expiry() -> None:
    """Exactly as old is not older; a series without expiry stays (spec 12.7)."""
    metric = make_gauge()
    for name in (b"a", b"b", b"c"):
        metric.new((name,), NOW)
    metric.expire_after((b"a",), 10)
    metric.expire_after((b"b",), 11)
    metric.sweep(NOW + 10)
    assert names_of(metric) == [b"a", b"b", b"c"]
    metric.sweep(NOW + 11)
    assert names_of(metric) == [b"b", b"c"]


def test_write_puts_the_expiry_off() -> None:
    """It counts from the stamp of the last write, also when that is in the past."""
    metric = make_gauge()
    series = metric.new((b"a",), NOW)
    metric.expire_after((b"a",), 10)
    series.time = NOW + 100
    metric.sweep(NOW + 110)
    assert names_of(metric) == [b"a"]
    series.time = 5
    metric.sweep(NOW + 110)
    assert metric.data == {}


def test_created_again_a_series_has_no_expiry() -> None:
    """The expiry went with the old one."""
    metric = make_gauge()
    fill(metric, b"a")
    metric.expire_after((b"a",), 10)
    metric.delete((b"a",))
    metric.new((b"a",), 0)
    metric.sweep(NOW)
    assert names_of(metric) == [b"a"]


def test_next_expiry_is_when_a_sweep_finds_something() -> None:
    """Not a nanosecond earlier."""
    metric = make_gauge()
    for name, duration in [(b"a", 20), (b"b", 10)]:
        metric.new((name,), NOW)
        metric.expire_after((name,), duration)
    when = metric.next_expiry()
    assert when == NOW + 11
    metric.sweep(when - 1)
    assert len(metric.data) == 2
    metric.sweep(when)
    assert names_of(metric) == [b"a"]


def test_sweep_enforces_the_limit() -> None:
    """For series that came from an older version of the program."""
    metric = make_gauge(limit=2)
    old = make_gauge()
    fill(old, b"a", b"b", b"c")
    metric.adopt(old)
    assert len(metric.data) == 3
    metric.sweep(NOW)
    assert names_of(metric) == [b"b", b"c"]


def test_metric_shows_where_it_is_declared() -> None:
    """In a debugger and in failing tests."""
    assert repr(make_gauge()) == "<Metric g gauge at a.mtail:1:7 with 0 series>"


@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.HISTOGRAM])
def test_empty_metric_has_the_declaration_and_no_series(kind: Kind) -> None:
    """What is counted in it changes nothing in the other."""
    value_type = ValueType.BUCKETS if kind is Kind.HISTOGRAM else ValueType.INT
    metric = Metric(
        "m",
        kind=kind,
        value_type=value_type,
        program="a.mtail",
        label_names=("k",),
        limit=7,
        buckets=(-1, 1, 2),
        native=kind is Kind.HISTOGRAM,
        has_exemplars=True,
    )
    metric.new((b"x",), NOW)
    empty = metric.make_empty()
    assert empty.continues(metric)
    assert (empty.limit, empty.native, empty.exemplars) == (7, metric.native, {})
    assert empty.data == {}
    empty.new((b"y",), NOW)
    assert list(metric.data) == [(b"x",)]
