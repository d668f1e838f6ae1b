"""Metrics of programs, made by hand, and what they become when they are written over OTLP."""

from __future__ import annotations

from dataclasses import dataclass, field

from opentelemetry.proto.metrics.v1 import metrics_pb2

from pipeline.formats import PrometheusOptions
from pipeline.formats.otlp import MAX_POINTS, Writer, make_resource
from pipeline.metrics import Datum, Exemplar, HistogramDatum, Kind, Metric, MetricSnapshot, Snapshot, Store, ValueType
from pipeline.metrics.native import NativeCounts
from tests.otlp_reading import list_metrics, read_request

NOW = 1_700_000_000 * 10**9 + 123_456_789
START = NOW - 60 * 10**9
TYPES = {Kind.TEXT: ValueType.STRING, Kind.HISTOGRAM: ValueType.BUCKETS}


@dataclass
class Written:
    """What became of a snapshot."""

    requests: list[bytes]
    points: list[int]
    problems: list[str]
    metrics: list[metrics_pb2.Metric] = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = list_metrics(map(read_request, self.requests))


def write(
    *metrics: Metric, options: PrometheusOptions | None = None, max_points: int = MAX_POINTS, view: bool = False
) -> Written:
    """Return what becomes of these metrics."""
    store = Store()
    store.register(metrics)
    return write_snapshot(store.view() if view else store.snapshot(), options, max_points)


def write_snapshot(
    snapshot: Snapshot, options: PrometheusOptions | None = None, max_points: int = MAX_POINTS
) -> Written:
    """Return what becomes of a snapshot."""
    writer = Writer(make_resource([("service.name", "test")]), options or PrometheusOptions(), NOW, max_points)
    made = [request for request in writer.write(snapshot) if request is not None]
    return Written([one.body for one in made], [one.points for one in made], writer.problems)


def make_metric(name: str = "m", *labels: str, kind: Kind = Kind.COUNTER, **rest: object) -> Metric:
    """Return a metric of a program."""
    defaults = {"program": "a.mtail", "source": "a.mtail:1:1", "value_type": TYPES.get(kind, ValueType.INT)}
    return Metric(name, kind=kind, label_names=labels, **{**defaults, **rest})  # type: ignore[arg-type]


def put(metric: Metric, *labels: bytes, value: float = 1, time: int = NOW - 5, start: int = START) -> Datum:
    """Give a metric a series."""
    datum = metric.data[labels] = Datum(labels, value, time, 0, start)
    return datum


def put_histogram(metric: Metric, *labels: bytes, counts: list[int], total: float, is_native: bool = False) -> None:
    """Give a histogram a series, by powers with an observation of 1, 2, 4 … for each count."""
    datum = metric.data[labels] = HistogramDatum(labels, len(counts), NOW - 5, 0, START)
    datum.counts, datum.total, datum.count = counts, total, sum(counts)
    if is_native:
        datum.native = NativeCounts()
        for power, count in enumerate(counts):
            for _ in range(count):
                datum.native.observe(2.0**power)


def with_exemplars(metric: Metric, *exemplars: Exemplar) -> Snapshot:
    """Return a snapshot in which the first series of `metric` has these."""
    store = Store()
    store.register([metric])
    (shown,) = store.snapshot().metrics
    values = {name: getattr(shown, name) for name in MetricSnapshot.__slots__}
    values["exemplars"] = {next(iter(metric.data)): dict(enumerate(exemplars))}
    return Snapshot((MetricSnapshot(**values),))
