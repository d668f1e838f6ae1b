"""A snapshot as requests, each of which stands for itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from pipeline import __version__
from pipeline.formats.otlp.families import DataType, Family, clean_text, select_families
from pipeline.formats.otlp.points import Clock, Duplicates, PointWriter, make_attribute
from pipeline.formats.prometheus.selection import PrometheusOptions
from pipeline.metrics import MetricSnapshot, SeriesView, Snapshot

STEP = 256
"""How many data points are made before somebody else has a turn: 0.7 ms (measured)."""

LARGE_STEP = 24
"""The same of those that have exemplars or buckets of powers, which may be 160: 1 ms (measured)."""

STEP_BYTES = 16 * 1024
"""As many bytes of label values are read in a step, if more than one series has them: 1 ms if none of them is valid
UTF-8 (measured)."""

MAX_POINTS = 5000
"""That is half a megabyte, and a twelfth of it compressed (measured): less than any receiver or proxy refuses."""

# Long label values make a request large. The collector's own limit is 20 MiB, that of others 4 MiB.
MAX_REQUEST_BYTES = 1024 * 1024

POINT_BYTES = 64
"""About what a data point takes beside its attributes and buckets."""

BUCKET_BYTES = 16
"""A bound and a count."""

POWERS_BYTES = 512
"""Buckets of powers have no bounds, and most of them small counts."""

EXEMPLAR_BYTES = 256


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and how many data points it has: one for each series."""

    body: bytes
    points: int


@dataclass(slots=True)
class Writer:
    """Writes one snapshot. `problems` has a sentence for what cannot be told as it is."""

    resource: Resource
    options: PrometheusOptions
    now: int
    """What time it is, in ns since 1970."""
    max_points: int = MAX_POINTS
    """How many data points a request may have, at least one."""
    problems: list[str] = field(default_factory=list)
    message: ExportMetricsServiceRequest = field(init=False)
    points: int = field(init=False, default=0)
    size: int = field(init=False, default=0)
    """About how many bytes the message has."""
    target: Metric | None = field(init=False, default=None)
    """The metric of this message that data points are added to."""

    def write(self, snapshot: Snapshot) -> Iterator[Request | None]:
        """Yield the requests, and None between the steps of making them: each takes about 1 ms.

        Values are those of the moment at which a step is made.
        """
        self.begin()
        for family in select_families(snapshot, self.options, self.problems):
            yield None
            yield from self.write_family(family)
        if self.points:
            yield self.end()

    def write_family(self, family: Family) -> Iterator[Request | None]:
        """Add the data points of a family, and yield each request that is full."""
        duplicates = Duplicates(family.metrics)
        clock = Clock(self.now, self.options.emit_metric_timestamp)
        self.target = None
        for metric in family.metrics:
            writer = PointWriter(metric, self.options, clock, duplicates)
            point_bytes = estimate_bytes(metric, family.data_type) + writer.attributes.bytes
            step = LARGE_STEP if metric.exemplars or family.data_type is DataType.EXPONENTIAL else STEP
            for some, label_bytes in self.cut(metric.series, step):
                self.target = self.target or self.begin_metric(family)
                self.points += writer.add(self.target, family.data_type, some)
                self.size += point_bytes * len(some) + label_bytes
                yield self.end() if self.is_full() else None
            self.report_lost(metric, writer.lost)

    def cut(self, series: Sequence[SeriesView], step: int) -> Iterator[tuple[Sequence[SeriesView], int]]:
        """Yield the series of a step each, and how many bytes of label values they have.

        They are no more than the request has room for when it is asked for them.
        """
        done, size = 0, step
        while done < len(series):
            some = series[done : done + min(size, self.max_points - self.points)]
            while (label_bytes := count_label_bytes(some)) > STEP_BYTES and len(some) > 1:
                some = some[: len(some) // 2]
            size = min(2 * len(some), step)
            done += len(some)
            yield some, label_bytes

    def begin(self) -> None:
        """Begin a request."""
        self.message = ExportMetricsServiceRequest()
        self.points = self.size = 0
        self.target = None
        resource_metrics = self.message.resource_metrics.add(resource=self.resource)
        resource_metrics.scope_metrics.add(scope=InstrumentationScope(name="syslog-pipeline", version=__version__))

    def begin_metric(self, family: Family) -> Metric:
        """Add the metric of a family to the request, and return it."""
        metrics = self.message.resource_metrics[0].scope_metrics[0].metrics
        metrics.append(family.describe())
        return metrics[-1]

    def is_full(self) -> bool:
        """Whether the request has what a request may have."""
        return self.points >= self.max_points or self.size >= MAX_REQUEST_BYTES

    def end(self) -> Request:
        """Return the request, and begin another one."""
        request = Request(self.message.SerializeToString(), self.points)
        self.begin()
        return request

    def report_lost(self, metric: MetricSnapshot, lost: int) -> None:
        """Report series that have the attributes of others."""
        if lost:
            self.problems.append(
                f"Metric `{metric.name}` at {metric.source} is in OTLP without some of its series: their name and "
                "attributes are those of other series."
            )


def count_label_bytes(series: Sequence[SeriesView]) -> int:
    """Return how many bytes of label values some series have."""
    return sum(sum(map(len, one.labels)) for one in series)


def estimate_bytes(metric: MetricSnapshot, data_type: DataType) -> int:
    """Return about how many bytes a data point of `metric` has, without its attributes."""
    own = POINT_BYTES
    if data_type is DataType.HISTOGRAM:
        own += BUCKET_BYTES * len(metric.bounds)
    elif data_type is DataType.EXPONENTIAL:
        own += POWERS_BYTES
    if metric.exemplars:
        own += EXEMPLAR_BYTES * (len(metric.bounds) + 1)
    return own


def make_resource(attributes: Iterable[tuple[str, str]]) -> Resource:
    """Return what stands for this daemon."""
    return Resource(attributes=[make_attribute(clean_text(name), clean_text(value)) for name, value in attributes])
