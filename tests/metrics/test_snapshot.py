"""Copies for formats."""

from __future__ import annotations

from pipeline.metrics import Datum, HistogramDatum, HistogramValue, Kind, Metric, SeriesSnapshot, Store, ValueType

NOW = 1_700_000_000_000_000_000


def test_snapshot_copies_what_a_metric_is() -> None:
    """Every field that a format may show."""
    store = Store()
    metric = Metric(
        "g",
        kind=Kind.GAUGE,
        value_type=ValueType.FLOAT,
        program="a.mtail",
        label_names=("k",),
        source="a.mtail:1:7",
        help_text="How much.",
        unit="bytes",
        hidden=True,
        limit=7,
    )
    store.register([metric])
    series = metric.new((b"x",), NOW)
    assert isinstance(series, Datum)
    series.value = 2.5
    metric.expire_after((b"x",), 9)
    (copy,) = store.snapshot().metrics
    assert (copy.name, copy.program, copy.kind, copy.value_type) == ("g", "a.mtail", Kind.GAUGE, ValueType.FLOAT)
    assert (copy.label_names, copy.source) == (("k",), "a.mtail:1:7")
    assert (copy.help_text, copy.unit) == ("How much.", "bytes")
    assert (copy.hidden, copy.limit, copy.lower, copy.bounds) == (True, 7, 0.0, ())
    assert copy.series == (SeriesSnapshot((b"x",), 2.5, NOW, 9, NOW),)


def test_snapshot_does_not_change_with_the_metric() -> None:
    """It shows the moment it was taken at."""
    store = Store()
    (metric,) = store.register(
        [Metric("h", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, program="a.mtail", buckets=(-1, 1, 2))]
    )
    series = metric.data[()]
    assert isinstance(series, HistogramDatum)
    before = store.snapshot()
    series.counts[1] += 1
    series.count += 1
    series.total += 1.5
    (copy,), (now,) = before.metrics, store.snapshot().metrics
    assert (copy.lower, copy.bounds) == (-1.0, (1.0, 2.0))
    assert copy.series[0].value == HistogramValue((0, 0, 0), 0.0, 0)
    assert now.series[0].value == HistogramValue((0, 1, 0), 1.5, 1)


def test_snapshot_wraps_what_outgrew_64_bits() -> None:
    """Ints and stamps; a Float has no such border."""
    store = Store()
    ints = Metric("i", kind=Kind.GAUGE, value_type=ValueType.INT, program="a.mtail")
    floats = Metric("f", kind=Kind.GAUGE, value_type=ValueType.FLOAT, program="a.mtail")
    store.register([ints, floats])
    for metric, value in ((ints, 1 << 63), (floats, 1e30)):
        series = metric.new((), -(1 << 63) - 1)
        assert isinstance(series, Datum)
        series.value = value
    floats_copy, ints_copy = store.snapshot().metrics
    assert ints_copy.series == (SeriesSnapshot((), -(1 << 63), (1 << 63) - 1, 0, -(1 << 63) - 1),)
    assert floats_copy.series == (SeriesSnapshot((), 1e30, (1 << 63) - 1, 0, -(1 << 63) - 1),)


def test_snapshot_can_leave_out_the_daemons_own_metrics() -> None:
    """One-shot output has those of programs only."""
    store = Store()
    store.register([Metric("own", kind=Kind.COUNTER, value_type=ValueType.INT)])
    store.register([Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail")])
    snapshot = store.snapshot()
    assert [metric.name for metric in snapshot.metrics] == ["c", "own"]
    assert [metric.name for metric in snapshot.select_programs().metrics] == ["c"]


def test_text_of_a_snapshot_has_no_series() -> None:
    """A page of 100,000 does not end up in a message."""
    store = Store()
    store.register([Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail")])
    assert "series" not in repr(store.snapshot())


def test_view_has_the_series_of_its_moment_and_the_values_of_now() -> None:
    """What comes later is not in it, and what goes stays in it."""
    store = Store()
    counter = Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("k",))
    (metric,) = store.register([counter])
    for key in (b"x", b"y"):
        metric.new((key,), NOW)
    (view,) = store.view().metrics
    assert (view.name, view.kind, view.label_names) == ("c", Kind.COUNTER, ("k",))
    series = metric.data[(b"x",)]
    assert isinstance(series, Datum)
    series.value, series.time = 7, NOW + 1
    metric.delete((b"y",))
    metric.new((b"z",), NOW)
    assert [(one.labels, one.value, one.time) for one in view.series] == [((b"x",), 7, NOW + 1), ((b"y",), 0, NOW)]


def test_value_of_a_histogram_in_a_view_is_a_copy() -> None:
    """Made when it is asked for: buckets, sum and count are those of one moment."""
    store = Store()
    (metric,) = store.register(
        [Metric("h", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, program="a.mtail", buckets=(1, 2))]
    )
    series = metric.data[()]
    assert isinstance(series, HistogramDatum)
    (view,) = store.view().metrics
    series.counts[0], series.count, series.total = 1, 1, 0.5
    value = view.series[0].value
    series.counts[0], series.count, series.total = 2, 2, 1.0
    assert value == HistogramValue((1, 0, 0), 0.5, 1)
