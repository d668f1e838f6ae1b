"""Series as records that JSON can spell, and back: how values outlive a run of the daemon.

What is to be saved is captured first, for all metrics at one moment, and spelled out after that, piece by
piece, while lines go on changing the series. So a capture copies what changes and nothing else, in columns.

A record holds up to `MAX_RECORD_SERIES` series of one metric, and says itself which metric that is.
Bytes are text with surrogate escapes, so that any come back as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias, cast

from pipeline.errors import StateError
from pipeline.metrics.datum import Datum, HistogramDatum, wrap_int64
from pipeline.metrics.eviction import Labels, Series
from pipeline.metrics.metric import Kind, Metric, ValueType
from pipeline.metrics.saved_native import NativeCapture, capture_native, read_native

Record: TypeAlias = dict[str, Any]
"""An object of JSON. Before it is read anything may be in it."""

MAX_RECORD_SERIES = 1_000
"""To spell these takes 1 ms, which lines may well wait."""

MAX_NATIVE_SERIES = 100
"""The same where there are buckets by powers."""


def write_bytes(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def read_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def read_int(value: object) -> int:
    """Return a whole number; `TypeError` for anything else."""
    if not isinstance(value, int):
        raise TypeError(value)
    return value


WRITERS: dict[ValueType, Callable[[Any], object]] = {
    ValueType.INT: wrap_int64,
    ValueType.FLOAT: float,
    ValueType.STRING: write_bytes,
}
READERS: dict[ValueType, Callable[[Any], int | float | bytes]] = {
    ValueType.INT: read_int,
    ValueType.FLOAT: float,
    ValueType.STRING: read_bytes,
}


@dataclass(frozen=True, slots=True)
class MetricCapture:
    """The series of one metric at one moment, in columns: a place for each series, of `counts` one for each bucket."""

    metric: Metric
    keys: Sequence[Labels]
    columns: Mapping[str, Sequence[Any]]
    expiries: Mapping[Labels, int]
    """Of those series that have one."""
    native: NativeCapture | None = None


def capture_metric(metric: Metric) -> MetricCapture:
    """Return what the series of `metric` hold now: 5 ms for 100,000 of them, 20 ms for histograms (measured).

    The counts of all histograms go into one list: to make as many lists takes 100 ms, most of it in Python's
    search for garbage.
    """
    columns: dict[str, list[object]] = {
        "times": [series.time for series in metric.data.values()],
        "starts": [series.start for series in metric.data.values()],
    }
    native = None
    if metric.value_type is ValueType.BUCKETS:
        histograms = cast("list[HistogramDatum]", list(metric.data.values()))
        columns["counts"] = list(chain.from_iterable([series.counts for series in histograms]))
        columns["totals"] = [series.total for series in histograms]
        columns["observations"] = [series.count for series in histograms]
        if metric.native:
            native = capture_native([series.native for series in histograms if series.native is not None])
    else:
        columns["values"] = [series.value for series in metric.data.values()]
    expiries = {key: series.expiry for key, series in metric.expiring.items()}
    return MetricCapture(metric, list(metric.data), columns, expiries, native)


def write_records(capture: MetricCapture) -> Iterator[Record]:
    """Yield the records of a capture; none if there are no series."""
    description = describe_metric(capture.metric)
    size = MAX_RECORD_SERIES if capture.native is None else MAX_NATIVE_SERIES
    for start in range(0, len(capture.keys), size):
        part = slice(start, start + size)
        keys = capture.keys[part]
        columns = {name: column[part] for name, column in capture.columns.items()}
        if "counts" in columns:
            width = len(capture.metric.bounds) + 1
            columns["counts"] = capture.columns["counts"][start * width : (start + size) * width]
        columns["times"] = list(map(wrap_int64, columns["times"]))
        if "values" in columns:
            columns["values"] = list(map(WRITERS[capture.metric.value_type], columns["values"]))
        yield {
            **description,
            "keys": [list(map(write_bytes, key)) for key in keys],
            **columns,
            **({} if capture.native is None else {"native": capture.native.write(part)}),
            "expiries": [[place, capture.expiries[key]] for place, key in enumerate(keys) if key in capture.expiries],
        }


def describe_metric(metric: Metric) -> Record:
    """Return what tells whether another metric continues this one (`Metric.continues`)."""
    return {
        "metric": metric.name,
        "program": metric.program,
        "kind": metric.kind.name.lower(),
        "type": metric.value_type.name.lower(),
        "labels": list(metric.label_names),
        "lower": metric.lower,
        "bounds": list(metric.bounds),
    }


class SavedMetrics:
    """The metrics that come back from records."""

    def __init__(self) -> None:
        self.metrics: list[Metric] = []
        self.series_count = 0

    def read_record(self, record: Record) -> None:
        """Take in what `write_records` has given; `StateError` when it is something else."""
        try:
            metric = self.find_metric(make_metric(record))
            series = make_series(metric, record)
            for place, expiry in record["expiries"]:
                series[place].expiry = read_int(expiry)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            raise StateError("it has a record that cannot be read") from error
        metric.data.update((one.labels, one) for one in series)
        metric.expiring.update((one.labels, one) for one in series if one.expiry)
        self.series_count += len(series)

    def find_metric(self, metric: Metric) -> Metric:
        """Return the metric that this one is: the last one, if the record goes on with its series."""
        last = self.metrics[-1] if self.metrics else None
        if last is None or not (last.continues(metric) and metric.continues(last)):
            self.metrics.append(metric)
        return self.metrics[-1]


def make_metric(record: Record) -> Metric:
    """Return the metric that a record names, without series."""
    metric = Metric(
        str(record["metric"]),
        kind=Kind[record["kind"].upper()],
        value_type=ValueType[record["type"].upper()],
        program=str(record["program"]),
        label_names=tuple(map(str, record["labels"])),
        native="native" in record,
    )
    metric.cap_label_values(0)  # which bound the earlier run had is not known
    metric.lower, metric.bounds = float(record["lower"]), tuple(map(float, record["bounds"]))
    return metric


def make_series(metric: Metric, record: Record) -> list[Series]:
    """Return the series of a record."""
    keys = [tuple(map(read_bytes, key)) for key in record["keys"]]
    if any(len(key) != len(metric.label_names) for key in keys):
        raise ValueError(metric.label_names)
    times = map(read_int, record["times"])
    starts = map(read_int, record.get("starts", [0] * len(keys)))
    if metric.value_type is ValueType.BUCKETS:
        width = len(metric.bounds) + 1
        flat = list(map(read_int, record["counts"]))
        if len(flat) != len(keys) * width:
            raise ValueError(width)
        counts = [flat[start : start + width] for start in range(0, len(flat), width)]
        rows = zip(keys, times, counts, record["totals"], record["observations"], starts, strict=True)
        histograms = [make_histogram(*row) for row in rows]
        if metric.native:
            read_native(record["native"], histograms)
        return list(histograms)
    values = map(READERS[metric.value_type], record["values"])
    return [
        Datum(key, value, time, 0, start) for key, time, value, start in zip(keys, times, values, starts, strict=True)
    ]


def make_histogram(
    key: Labels, time: int, counts: list[int], total: float, observations: int, start: int
) -> HistogramDatum:
    """Return one series of a histogram."""
    series = HistogramDatum(key, len(counts), time, 0, start)
    series.counts = counts
    series.total, series.count = float(total), read_int(observations)
    return series
