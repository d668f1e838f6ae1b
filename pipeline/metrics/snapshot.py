"""Metrics as formats see them: whatever they do, no metric changes.

A snapshot holds copies of all series. A view holds the series themselves behind a type that lets nobody
write: to make it takes no time for each series, and a value is that of the moment it is read at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from pipeline.metrics.datum import INT64_LIMIT, Datum, HistogramDatum, HistogramValue, wrap_int64
from pipeline.metrics.exemplars import ExemplarsView, SeriesExemplars, copy_notes
from pipeline.metrics.metric import Kind, Metric, ValueType


class SeriesView(Protocol):
    """One series, to be read. Times are nanoseconds since 1970; expiry 0 is none, and a start of 0 is not known.

    In a snapshot Int values and times fit 64 bits. In a view they may have outgrown them: whoever
    writes them puts them through `wrap_int64`.
    """

    @property
    def labels(self) -> tuple[bytes, ...]: ...

    @property
    def value(self) -> int | float | bytes | HistogramValue: ...

    @property
    def time(self) -> int: ...

    @property
    def expiry(self) -> int: ...

    @property
    def start(self) -> int: ...


# Tuples, because a scrape of 100,000 series makes as many: a frozen dataclass of four fields
# takes 1.2 µs to make, a named tuple 0.6 µs (CPython 3.11).
class SeriesSnapshot(NamedTuple):
    """The copy of one series."""

    labels: tuple[bytes, ...]
    value: int | float | bytes | HistogramValue
    time: int
    expiry: int
    start: int


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
    unit: str
    hidden: bool
    limit: int
    lower: float
    bounds: tuple[float, ...]
    series: tuple[SeriesView, ...] = field(repr=False)
    exemplars: Mapping[tuple[bytes, ...], SeriesExemplars] = field(default_factory=dict, repr=False)
    """Of those series that have some."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All metrics, sorted by name; of one name in order of registration."""

    metrics: tuple[MetricSnapshot, ...]

    def select_programs(self) -> Snapshot:
        """Return a snapshot without the daemon's own metrics, as one-shot output is."""
        return Snapshot(tuple(metric for metric in self.metrics if metric.program))


def copy_metric(metric: Metric) -> MetricSnapshot:
    """Return a copy of `metric` as it is now."""
    exemplars = {} if metric.exemplars is None else ExemplarsView(copy_notes(metric.exemplars))
    return describe_metric(metric, copy_data(metric.data.values()), exemplars)


def view_metric(metric: Metric) -> MetricSnapshot:
    """Return `metric` with the series that it has now; what they hold goes on changing."""
    exemplars = {} if metric.exemplars is None else ExemplarsView(metric.exemplars)
    return describe_metric(metric, tuple(metric.data.values()), exemplars)


def describe_metric(
    metric: Metric, series: tuple[SeriesView, ...], exemplars: Mapping[tuple[bytes, ...], SeriesExemplars]
) -> MetricSnapshot:
    """Return what `metric` is, with `series` and their exemplars."""
    return MetricSnapshot(
        name=metric.name,
        program=metric.program,
        kind=metric.kind,
        value_type=metric.value_type,
        label_names=metric.label_names,
        source=metric.source,
        help_text=metric.help_text,
        unit=metric.unit,
        hidden=metric.hidden,
        limit=metric.limit,
        lower=metric.lower,
        bounds=metric.bounds,
        series=series,
        exemplars=exemplars,
    )


def copy_data(data: Iterable[Datum | HistogramDatum]) -> tuple[SeriesSnapshot, ...]:
    """Return copies, what has outgrown 64 bits wrapped.

    The loop tests for that before it calls: 0.7 instead of 1.6 µs for each series.
    """
    copies = []
    for datum in data:
        value = datum.value
        if isinstance(value, int) and not -INT64_LIMIT <= value < INT64_LIMIT:
            value = wrap_int64(value)
        time = datum.time
        if not -INT64_LIMIT <= time < INT64_LIMIT:
            time = wrap_int64(time)
        copies.append(SeriesSnapshot(datum.labels, value, time, datum.expiry, datum.start))
    return tuple(copies)
