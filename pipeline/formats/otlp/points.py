"""The data points of one metric: what a series holds, as the messages of OTLP have it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never, cast

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2

from pipeline.formats.otlp.families import DataType, clean_text
from pipeline.formats.prometheus.selection import PrometheusOptions, has_prog_label
from pipeline.formats.text import decode_text
from pipeline.metrics import (
    Exemplar,
    HistogramValue,
    MetricSnapshot,
    NativeBuckets,
    SeriesView,
    ValueType,
    merge_buckets,
    wrap_int64,
)

# As many as an SDK of OpenTelemetry keeps. A double needs no more than 146 with the coarsest schema of Prometheus.
MAX_EXPONENTIAL_BUCKETS = 160

TRACE_ID = re.compile("(?!0+$)[0-9a-fA-F]{32}")
SPAN_ID = re.compile("(?!0+$)[0-9a-fA-F]{16}")

REPLACED = "\ufffd"

Point: TypeAlias = (
    metrics_pb2.NumberDataPoint | metrics_pb2.HistogramDataPoint | metrics_pb2.ExponentialHistogramDataPoint
)


@dataclass(frozen=True, slots=True)
class Clock:
    """What time a data point has: `now`, or that of its series, if it has one. All in ns since 1970."""

    now: int
    has_own_stamps: bool = False

    def find_time(self, series: SeriesView) -> int:
        """Return the time of a data point. OTLP has no times before 1970, and 0 says that there is none."""
        if not self.has_own_stamps:
            return self.now
        time = wrap_int64(series.time)
        return time if time > 0 else self.now

    def find_start(self, series: SeriesView, time: int) -> int:
        """Return when the series began, which is not behind its `time`; 0 if it is not known."""
        return min(max(series.start, 0), time)


class Attributes:
    """How the labels of the series of one metric become attributes."""

    def __init__(self, metric: MetricSnapshot, options: PrometheusOptions) -> None:
        # Of labels with one name the last one counts, and that of a metric more than a constant one.
        places = {clean_text(name): place for place, name in enumerate(metric.label_names)}
        fixed = {name: value for name, value in options.constant_labels if name not in places}
        if has_prog_label(metric, options):
            fixed["prog"] = metric.program
        self.fixed = tuple((clean_text(name), clean_text(value)) for name, value in fixed.items())
        self.names = tuple(places)
        self.places = tuple(places.values())
        self.form = [
            *(make_attribute(name, "") for name in self.names),
            *(make_attribute(name, value) for name, value in self.fixed),
        ]
        """Those of any series: first the labels, as yet without values."""
        self.bytes = sum(one.ByteSize() for one in self.form)

    def read_values(self, series: SeriesView) -> list[str]:
        """Return the values of the labels."""
        labels = series.labels
        return [decode_text(labels[place]) for place in self.places]


class Duplicates:
    """Finds series of one family that have the same attributes. They are known by their hashes.

    Of one metric those alone can be the same that have a character which stands for an invalid byte.
    """

    def __init__(self, metrics: Sequence[MetricSnapshot]) -> None:
        self.is_shared = len(metrics) > 1
        self.seen: set[int] = set()

    def add(self, attributes: Attributes, values: Sequence[str]) -> bool:
        """Remember a series; tell whether it is new."""
        if not self.is_shared and REPLACED not in "".join(values):
            return True
        key = hash(frozenset((*zip(attributes.names, values, strict=True), *attributes.fixed)))
        if key in self.seen:
            return False
        self.seen.add(key)
        return True


class PointWriter:
    """Adds the data points of one metric. `lost` is how many series have the attributes of others.

    One data point is filled in for one series after the other, and copied: to make a new one with its attributes takes
    four times as long (measured).
    """

    def __init__(
        self, metric: MetricSnapshot, options: PrometheusOptions, clock: Clock, duplicates: Duplicates
    ) -> None:
        self.metric = metric
        self.attributes = Attributes(metric, options)
        self.clock = clock
        self.duplicates = duplicates
        self.lost = 0

    def add(self, target: metrics_pb2.Metric, data_type: DataType, series: Sequence[SeriesView]) -> int:
        """Add a data point for each of `series`; return how many have become one."""
        match data_type:
            case DataType.SUM:
                return self.add_numbers(target.sum, series, has_start=True)
            case DataType.GAUGE:
                return self.add_numbers(target.gauge, series, has_start=False)
            case DataType.HISTOGRAM:
                return self.add_histograms(target.histogram, series)
            case DataType.EXPONENTIAL:
                return self.add_exponentials(target.exponential_histogram, series)
            case _:
                assert_never(data_type)

    def fill(self, point: Point, series: Sequence[SeriesView], *, has_start: bool = True) -> Iterator[SeriesView]:
        """Yield each series that has attributes of its own, when `point` has these, and its times."""
        slots = [one.value for one in point.attributes]
        for one in series:
            values = self.attributes.read_values(one)
            if not self.duplicates.add(self.attributes, values):
                self.lost += 1
                continue
            for slot, value in zip(slots, values, strict=False):  # behind them are those that all series have
                slot.string_value = value
            point.time_unix_nano = time = self.clock.find_time(one)
            if has_start:
                point.start_time_unix_nano = self.clock.find_start(one, time)
            yield one

    def add_numbers(
        self, data: metrics_pb2.Sum | metrics_pb2.Gauge, series: Sequence[SeriesView], *, has_start: bool
    ) -> int:
        """Add numbers. A text, which mtail lets a gauge hold, is 0."""
        points = data.data_points
        before = len(points)
        point = metrics_pb2.NumberDataPoint(attributes=self.attributes.form)
        is_float = self.metric.value_type is ValueType.FLOAT
        for one in self.fill(point, series, has_start=has_start):
            value = one.value
            number = wrap_int64(value) if isinstance(value, int) else value if isinstance(value, float) else 0
            if is_float or isinstance(number, float):
                point.as_double = float(number)
            else:
                point.as_int = number
            points.append(point)
            self.add_exemplars(points[-1], one)
        return len(points) - before

    def add_histograms(self, data: metrics_pb2.Histogram, series: Sequence[SeriesView]) -> int:
        """Add histograms with explicit bounds."""
        points = data.data_points
        before = len(points)
        point = metrics_pb2.HistogramDataPoint(attributes=self.attributes.form, explicit_bounds=self.metric.bounds)
        for one in self.fill(point, series):
            value = cast("HistogramValue", one.value)
            point.count, point.sum = sum(value.counts), value.total
            point.ClearField("bucket_counts")
            point.bucket_counts.extend(value.counts)
            points.append(point)
            self.add_exemplars(points[-1], one)
        return len(points) - before

    def add_exponentials(self, data: metrics_pb2.ExponentialHistogram, series: Sequence[SeriesView]) -> int:
        """Add histograms by powers; a series that has none is left out."""
        points = data.data_points
        before = len(points)
        point = metrics_pb2.ExponentialHistogramDataPoint(attributes=self.attributes.form)
        for one in self.fill(point, series):
            value = cast("HistogramValue", one.value)
            if value.native is None:
                continue
            buckets = narrow(value.native)
            point.count = buckets.zero_count + sum(buckets.positive.values()) + sum(buckets.negative.values())
            point.sum, point.scale = value.total, buckets.schema
            point.zero_count, point.zero_threshold = buckets.zero_count, buckets.zero_threshold
            point.positive.CopyFrom(spread(buckets.positive))
            point.negative.CopyFrom(spread(buckets.negative))
            points.append(point)
            self.add_exemplars(points[-1], one)
        return len(points) - before

    def add_exemplars(self, point: Point, series: SeriesView) -> None:
        """Add the exemplars of a series to its data point."""
        if self.metric.exemplars:
            exemplars = self.metric.exemplars.get(series.labels, {})
            point.exemplars.extend(make_exemplar(exemplar) for exemplar in exemplars.values())


def make_attribute(name: str, value: str) -> KeyValue:
    """Return an attribute."""
    return KeyValue(key=name, value=AnyValue(string_value=value))


def make_exemplar(exemplar: Exemplar) -> metrics_pb2.Exemplar:
    """Return an exemplar. What leads to a trace has a place of its own, if it has the form of it."""
    made = metrics_pb2.Exemplar(time_unix_nano=max(exemplar.time, 0), as_double=exemplar.value)
    for name, value in exemplar.labels:
        if name == "trace_id" and TRACE_ID.fullmatch(value):
            made.trace_id = bytes.fromhex(value)
        elif name == "span_id" and SPAN_ID.fullmatch(value):
            made.span_id = bytes.fromhex(value)
        else:
            made.filtered_attributes.append(make_attribute(clean_text(name), clean_text(value)))
    return made


def narrow(buckets: NativeBuckets) -> NativeBuckets:
    """Return the same with a schema with which the buckets, and the gaps between them, are few enough."""
    schema, positive, negative = buckets.schema, buckets.positive, buckets.negative
    while max(measure_span(positive), measure_span(negative)) > MAX_EXPONENTIAL_BUCKETS:
        schema, positive, negative = schema - 1, merge_buckets(positive, 1), merge_buckets(negative, 1)
    return NativeBuckets(schema, buckets.zero_threshold, buckets.zero_count, positive, negative)


def measure_span(counts: Mapping[int, int]) -> int:
    """Return how many buckets there are from the first to the last."""
    return max(counts) - min(counts) + 1 if counts else 0


def spread(counts: Mapping[int, int]) -> metrics_pb2.ExponentialHistogramDataPoint.Buckets:
    """Return the buckets with the gaps between them. OTLP numbers the bucket i of Prometheus i - 1."""
    if not counts:
        return metrics_pb2.ExponentialHistogramDataPoint.Buckets()
    first, last = min(counts), max(counts)
    return metrics_pb2.ExponentialHistogramDataPoint.Buckets(
        offset=first - 1, bucket_counts=[counts.get(index, 0) for index in range(first, last + 1)]
    )
