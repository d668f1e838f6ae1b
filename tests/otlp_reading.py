"""Requests of OTLP, read with the published classes: what a receiver finds in them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)

from tests.pushers.http_peer import Received

Point: TypeAlias = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint
Sample: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""A name and labels, as `tests.pushers.awkward` has them."""


def read_request(body: bytes) -> ExportMetricsServiceRequest:
    """Return the request that `body` is; a broken one is an error."""
    request = ExportMetricsServiceRequest()
    request.ParseFromString(body)
    return request


def read_received(received: Received) -> ExportMetricsServiceRequest:
    """Return the request that a peer has got, compressed or not."""
    is_compressed = received.headers.get("content-encoding") == "gzip"
    return read_request(gzip.decompress(received.body) if is_compressed else received.body)


def list_metrics(requests: Iterable[ExportMetricsServiceRequest]) -> list[Metric]:
    """Return all metrics of some requests."""
    return [
        metric
        for request in requests
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


def list_points(metric: Metric) -> list[Point]:
    """Return the data points of a metric."""
    match metric.WhichOneof("data"):
        case "sum":
            return list(metric.sum.data_points)
        case "gauge":
            return list(metric.gauge.data_points)
        case "histogram":
            return list(metric.histogram.data_points)
        case "exponential_histogram":
            return list(metric.exponential_histogram.data_points)
        case other:
            raise AssertionError(other)


def read_attributes(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Return attributes, which all are texts and have names of their own."""
    pairs = [(one.key, one.value.string_value) for one in attributes]
    assert all(one.value.WhichOneof("value") == "string_value" for one in attributes)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def read_samples(metrics: Iterable[Metric]) -> dict[Sample, float]:
    """Return the numbers in metrics as Prometheus has them: a histogram as its cumulative buckets, sum and count.

    A sample that comes twice is an error.
    """
    samples: dict[Sample, float] = {}
    for metric in metrics:
        for point in list_points(metric):
            for suffix, more, value in list_numbers(point):
                labels = {**read_attributes(point.attributes), **more}
                sample = metric.name + suffix, tuple(sorted((name, text) for name, text in labels.items() if text))
                assert sample not in samples
                samples[sample] = value
    return samples


def list_numbers(point: Point) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield the numbers of a data point, with what the sample of each has behind its name, and its label."""
    if isinstance(point, NumberDataPoint):
        yield "", {}, point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
        return
    yield "_sum", {}, point.sum
    yield "_count", {}, float(point.count)
    if isinstance(point, HistogramDataPoint):
        total = 0
        bounds = [*(f"{bound:g}" for bound in point.explicit_bounds), "+Inf"]
        for bound, count in zip(bounds, point.bucket_counts, strict=True):
            total += count
            yield "_bucket", {"le": bound}, float(total)
