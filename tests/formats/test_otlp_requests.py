"""Requests of OTLP: how much is in one, the steps that make it, its halves, and what a receiver answers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import __version__
from pipeline.formats import PrometheusOptions
from pipeline.formats.otlp import MAX_POINTS, Verdict, Writer, make_resource, read_message, read_verdict, split_request
from pipeline.formats.otlp.writer import MAX_REQUEST_BYTES
from pipeline.metrics import Kind, Store
from tests.formats.otlp_writing import NOW, make_metric, put, put_histogram, write
from tests.otlp_reading import list_metrics, list_points, read_attributes, read_request, read_samples

# Requests


def test_request_says_who_it_is_from() -> None:
    """The resource as given, the scope is ours. Nothing at all makes no request."""
    metric = make_metric()
    put(metric)
    (body,) = write(metric).requests
    (resource,) = read_request(body).resource_metrics
    assert read_attributes(resource.resource.attributes) == {"service.name": "test"}
    (scope,) = resource.scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("syslog-pipeline", __version__)
    assert write(make_metric("a", "k"), make_metric("t", kind=Kind.TEXT), make_metric("h", hidden=True)).requests == []


@pytest.mark.parametrize("max_points", [1, 7, 256, 1000, MAX_POINTS])
def test_request_has_no_more_points_than_it_may(max_points: int) -> None:
    """A metric goes on in the next one, which says again what it is. None is lost or written twice."""
    metrics = [make_metric("a", "k", help_text="All"), make_metric("b", "k", help_text="All", kind=Kind.GAUGE)]
    for metric in metrics:
        for number in range(300):
            put(metric, b"%d" % number, value=number)
    written = write(*metrics, max_points=max_points)
    assert sum(written.points) == 600
    assert max(written.points) <= max_points
    assert len(written.points) == -(-600 // max_points)
    for body, points in zip(written.requests, written.points, strict=True):
        assert sum(len(list_points(metric)) for metric in list_metrics([read_request(body)])) == points
    assert {metric.description for metric in written.metrics} == {"All"}
    assert sorted(read_samples(written.metrics).values()) == sorted([*range(300), *range(300)])


def test_long_label_values_make_more_requests() -> None:
    """A stranger's label values may have 2 KB each."""
    metric = make_metric("m", "k")
    for number in range(2000):
        put(metric, b"%d" % number + b"x" * 2000)
    written = write(metric)
    assert sum(written.points) == 2000
    assert max(map(len, written.requests)) < 1.5 * MAX_REQUEST_BYTES


@pytest.mark.parametrize("is_native", [False, True])
def test_wide_histograms_make_more_requests(is_native: bool) -> None:
    """Each with an exemplar in every bucket."""
    metric = make_metric("h", "k", kind=Kind.HISTOGRAM, buckets=range(1, 31), has_exemplars=True)
    note = (("trace_id", "more"), (b"0af7651916cd43dd8448eb211c80319c", b"x" * 80), 1.0, NOW)
    for number in range(500):
        key = b"%d" % number
        put_histogram(metric, key, counts=[1] * 31, total=1.0, is_native=is_native)
        for place in range(31):
            metric.keep_exemplar(metric.data[key,], place, note)
    written = write(metric)
    assert sum(written.points) == 500
    assert max(map(len, written.requests)) < 1.5 * MAX_REQUEST_BYTES
    assert len(written.requests) > 1
    assert all(len(point.exemplars) == 31 for one in written.metrics for point in list_points(one))


def test_steps_are_short() -> None:
    """Lines and scrapes have their turn between them."""
    metric = make_metric("m", "k")
    for number in range(5000):
        put(metric, b"%d" % number)
    store = Store()
    store.register([metric])
    writer = Writer(make_resource([]), PrometheusOptions(), NOW)
    assert sum(request is None for request in writer.write(store.view())) == 5000 // 256 + 1


@pytest.mark.parametrize("what", ["labels", "labels that are not text", "powers", "exemplars"])
def test_steps_are_short_whatever_is_in_them(what: str) -> None:
    """A stranger's line makes long label values. What has many parts has few data points in a step."""
    kind = Kind.COUNTER if what.startswith("labels") else Kind.HISTOGRAM
    metric = make_metric("m", "k", kind=kind, buckets=range(1, 31), has_exemplars=True)
    for number in range(200):
        key = b"%d" % number
        match what:
            case "labels":
                put(metric, key + b"x" * 2000)
            case "labels that are not text":
                put(metric, key + b"\xff" * 2000)
            case _:
                put_histogram(metric, key, counts=[1] * 31, total=1.0, is_native=what == "powers")
        if what == "exemplars":
            metric.keep_exemplar(
                metric.data[key,], 0, (("trace_id",), (b"0af7651916cd43dd8448eb211c80319c",), 1.0, NOW)
            )
    store = Store()
    store.register([metric])
    writer = Writer(make_resource([]), PrometheusOptions(), NOW)
    points = [writer.points for request in writer.write(store.view()) if request is None]
    assert 0 < max(after - before for before, after in pairwise(points)) <= 24


# Parts of requests


@given(st.integers(2, 12), st.integers(0, 12), st.integers(0, 12))
def test_halves_of_a_request_hold_what_it_held(counters: int, gauges: int, histograms: int) -> None:
    """Each data point is in one of them, with its metric as it was."""
    metrics = [
        make_metric("a", "k", help_text="All", unit="bytes"),
        make_metric("b", "k", kind=Kind.GAUGE),
        make_metric("c", "k", kind=Kind.HISTOGRAM, buckets=(1, 2)),
        make_metric("d", "k", kind=Kind.HISTOGRAM, buckets=(1, 2)),
    ]
    for metric, series in zip(metrics, (counters, gauges, histograms, histograms), strict=True):
        for number in range(series):
            if metric.kind is Kind.HISTOGRAM:
                put_histogram(metric, b"%d" % number, counts=[1, 1, number], total=1.0, is_native=metric.name == "d")
            else:
                put(metric, b"%d" % number, value=number)
    (body,) = write(*metrics).requests
    points = counters + gauges + 2 * histograms
    halves = split_request(body)
    assert [half.points for half in halves] == [points // 2, points - points // 2]
    assert [list_whole(half.body) for half in halves] == [
        list_whole(body)[: points // 2],
        list_whole(body)[points // 2 :],
    ]


def list_whole(body: bytes) -> list[tuple[bytes, str, str, str, str | None, bytes]]:
    """Return each data point of a request, with all that stands around it."""
    return [
        (
            resource.resource.SerializeToString() + scope.scope.SerializeToString(),
            metric.name,
            metric.description,
            metric.unit,
            metric.WhichOneof("data"),
            point.SerializeToString(deterministic=True),
        )
        for resource in read_request(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in list_points(metric)
    ]


# Answers


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", "", Verdict(0, "")),
        (b"\x0a\x07\x08\x03\x12\x03old", "application/x-protobuf", Verdict(3, "old")),
        (b"{}", "application/json; charset=utf-8", Verdict(0, "")),
        (b"", "application/json", Verdict(0, "")),
        (b'{"partialSuccess": {"rejectedDataPoints": "3", "x": 1}}', "application/json", Verdict(3, "")),
        (b"<html>welcome</html>", "text/html", None),
        (b"\x0a\x07\x08\x03\x12\x03\xff\xfe\xfd", "application/x-protobuf", None),
        (b"[" * 60_000, "application/json", None),
        (b'{"partialSuccess": {"errorMessage": "\\ud800"}}', "application/json", None),
        (b"\xff", "application/json", None),
    ],
    ids=[
        *("nothing", "rejected", "JSON", "nothing of JSON", "rejected in JSON"),
        *("a page", "no UTF-8", "deep JSON", "no text in JSON", "no JSON"),
    ],
)
def test_verdict_on_a_request_that_was_taken(body: bytes, content_type: str, expected: Verdict | None) -> None:
    """None is none of OTLP."""
    assert read_verdict(body, content_type) == expected


@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/x-protobuf"]))
def test_no_answer_is_an_accident(body: bytes, content_type: str) -> None:
    """Whatever it is."""
    verdict = read_verdict(body, content_type)
    assert verdict is None or verdict.message.encode().decode() == verdict.message
    read_message(body)


def test_message_of_a_refusal() -> None:
    """A google.rpc.Status, with a code, a message and details."""
    assert read_message(b"\x08\x03\x12\x08bad data\x1a\x02\x0a\x00") == "bad data"
    assert read_message(b"bad data") == ""
