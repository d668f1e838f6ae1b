"""Metrics of a program, made by hand, for the tests of formats and pushers."""

from __future__ import annotations

from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Snapshot, Store, ValueType

NOW = 1_700_000_000 * 10**9 + 999_999_999
BEGAN = NOW - 60 * 10**9
"""When the daemon of a test began; all series are younger unless a test says otherwise."""


def make_metric(name: str = "m", labels: tuple[str, ...] = (), kind: Kind = Kind.COUNTER, **rest: object) -> Metric:
    """Return a metric of a program."""
    types = {Kind.TEXT: ValueType.STRING, Kind.HISTOGRAM: ValueType.BUCKETS, Kind.GAUGE: ValueType.FLOAT}
    facts = {"value_type": types.get(kind, ValueType.INT), "program": "a.mtail", **rest}
    return Metric(name, kind=kind, label_names=labels, **facts)  # type: ignore[arg-type]


def put(metric: Metric, *labels: bytes, value: float | bytes = 1, time: int = NOW, start: int = NOW) -> Datum:
    """Give a metric a series."""
    metric.data[labels] = series = Datum(labels, value, time, 0, start)
    return series


def put_histogram(metric: Metric, *labels: bytes, counts: list[int], total: float = 0.0) -> HistogramDatum:
    """Give a histogram a series."""
    metric.data[labels] = series = HistogramDatum(labels, len(counts), NOW, 0, NOW)
    series.counts[:] = counts
    series.count, series.total = sum(counts), total
    return series


def snap(*metrics: Metric) -> Snapshot:
    """Return a snapshot of some metrics."""
    store = Store()
    store.register(metrics)
    return store.snapshot()
