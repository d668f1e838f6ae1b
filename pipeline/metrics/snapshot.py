"""A read-only copy of metrics, for formats: whatever they do, no metric changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.metrics.datum import INT64_LIMIT, Datum, HistogramDatum, wrap_int64
from pipeline.metrics.metric import Kind, Metric, ValueType


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """What a histogram series holds. `counts` is one count per upper bound, then +Inf's; not cumulative."""

    counts: tuple[int, ...]
    total: float
    count: int


# Tuples, because a scrape of 100,000 series makes as many: a frozen dataclass of four fields
# takes 1.2 µs to make, a named tuple 0.6 µs (CPython 3.11).
class SeriesSnapshot(NamedTuple):
    """One series. Int values and times (nanoseconds since 1970) fit 64 bits; expiry 0 is none."""

    labels: tuple[bytes, ...]
    value: int | float | bytes | HistogramValue
    time: int
    expiry: int


@dataclass(frozen=True, slots=True)
class MetricSnapshot:
    """One metric: what it is, and its series in order of creation."""

    name: str
    program: str
    kind: Kind
    value_type: ValueType
    label_names: tuple[str, ...]
    source: str
    help_text: str
    hidden: bool
    limit: int
    lower: float
    bounds: tuple[float, ...]
    series: tuple[SeriesSnapshot, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All metrics, sorted by name; of one name in order of registration."""

    metrics: tuple[MetricSnapshot, ...]

    def select_programs(self) -> Snapshot:
        """Return a snapshot without the daemon's own metrics, as one-shot output is."""
        return Snapshot(tuple(metric for metric in self.metrics if metric.program))


def copy_metric(metric: Metric) -> MetricSnapshot:
    """Return a copy of `metric` as it is now."""
    return MetricSnapshot(
        name=metric.name,
        program=metric.program,
        kind=metric.kind,
        value_type=metric.value_type,
        label_names=metric.label_names,
        source=metric.source,
        help_text=metric.help_text,
        hidden=metric.hidden,
        limit=metric.limit,
        lower=metric.lower,
        bounds=metric.bounds,
        series=copy_data(metric.data.values()),
    )


def copy_data(data: Iterable[Datum | HistogramDatum]) -> tuple[SeriesSnapshot, ...]:
    """Return copies, what has outgrown 64 bits wrapped.

    The loop tests for that before it calls: 0.7 instead of 1.6 µs for each series.
    """
    copies = []
    for datum in data:
        value: int | float | bytes | HistogramValue
        if isinstance(datum, HistogramDatum):
            value = HistogramValue(tuple(datum.counts), datum.total, datum.count)
        else:
            value = datum.value
            if isinstance(value, int) and not -INT64_LIMIT <= value < INT64_LIMIT:
                value = wrap_int64(value)
        time = datum.time
        if not -INT64_LIMIT <= time < INT64_LIMIT:
            time = wrap_int64(time)
        copies.append(SeriesSnapshot(datum.labels, value, time, datum.expiry))
    return tuple(copies)
