"""Pushes over OTLP to the real rotel, by way of a real nginx where it matters: all arrives as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.metrics import HistogramDatum, Kind, Metric, Store, ValueType
from pipeline.push_settings import OtlpSettings
from tests.e2e.rotel import Rotel, run_rotel
from tests.e2e.web import Web
from tests.otlp_reading import list_metrics, read_attributes, read_received, read_samples
from tests.pushers.awkward import NOW, list_expected, make_awkward_store
from tests.pushers.by_hand import make_counter_store, run_guard
from tests.pushers.http_peer import HttpPeer, serving
from tests.pushers.otlp_push import GOOD, KEY, pushing

TRACE = "0af7651916cd43dd8448eb211c80319c"

LOCATIONS = """location = /api/v1/otlp/v1/metrics {
        if ($http_x_api_key != "KEY") { return 401; }
        proxy_pass http://127.0.0.1:PORT/v1/metrics;
    }
    location /narrow/ {
        client_max_body_size 20k;
        proxy_pass http://127.0.0.1:PORT/;
    }"""


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotel]:
    """The rotel of all tests."""
    with run_rotel(tmp_path_factory.mktemp("rotel")) as made:
        yield made


@pytest.fixture(scope="module")
def guarded(receiver: Rotel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """An nginx before it, which asks for a key over TLS."""
    locations = LOCATIONS.replace("KEY", KEY).replace("PORT", str(receiver.port))
    with run_guard(tmp_path_factory.mktemp("nginx"), locations) as web:
        yield web


async def wait_points(peer: HttpPeer, points: int) -> list[ExportMetricsServiceRequest]:
    """Return what the receiver has sent on, once that is so many data points, or more."""
    with trio.fail_after(60):
        while True:
            requests = [read_received(received) for received in peer.received]
            if sum(one.ByteSize() > 0 for one in requests) and count_points(requests) >= points:
                return requests
            await trio.sleep(0.01)


def count_points(requests: list[ExportMetricsServiceRequest]) -> int:
    """Return how many data points there are; a histogram is one."""
    return sum(len(getattr(metric, metric.WhichOneof("data") or "").data_points) for metric in list_metrics(requests))


async def test_every_value_arrives(receiver: Rotel) -> None:
    """What the receiver has read, and sends on, is what the store has, whatever is in it."""
    settings = {"otlp_resource_attributes": (("deployment.environment", "café"), ("service.name", "mine"))}
    async with (
        serving(GOOD, port=receiver.sink_port) as sink,
        pushing(receiver.url, store=make_awkward_store(), settings=settings) as push,
    ):
        await push()
        assert (push.task.last_series, push.problems) == (22, ())
        requests = await wait_points(sink, 22)
    metrics = list_metrics(requests)
    samples = {sample: repr(float(value)) for sample, value in read_samples(metrics).items()}
    assert samples == {sample: repr(value) for sample, value in list_expected().items()}
    described = {metric.name: (metric.WhichOneof("data"), metric.unit, metric.description) for metric in metrics}
    assert described == {
        "words_total": ("sum", "", 'Words, "all" of\nthem \\o/'),
        "level_bytes": ("gauge", "By", "defined at "),
        "took_seconds": ("gauge", "s", "defined at "),
        "sizes": ("histogram", "", "defined at "),
    }
    (attributes,) = {
        tuple(sorted(read_attributes(resource.resource.attributes).items()))
        for request in requests
        for resource in request.resource_metrics
    }
    assert dict(attributes) == {
        "service.name": "mine",
        "service.instance.id": "web1",
        "host.name": "web1",
        "deployment.environment": "café",
    }
    counters = [point for metric in metrics for point in metric.sum.data_points]
    assert {point.time_unix_nano for point in counters} == {NOW}


async def test_buckets_of_powers_and_exemplars_arrive(receiver: Rotel) -> None:
    """As an exponential histogram: what was observed is in the bucket that ends there."""
    metric = Metric(
        "sizes",
        kind=Kind.HISTOGRAM,
        value_type=ValueType.BUCKETS,
        program="a.mtail",
        buckets=(1, 2),
        native=True,
        has_exemplars=True,
    )
    store = Store()
    store.register([metric])
    series = metric.new((), NOW)
    assert isinstance(series, HistogramDatum)
    assert series.native is not None
    for value in (0.5, 4.0, 4.0, -1.0, 0.0):
        series.native.observe(value)
    series.total, series.count = 7.5, 5
    metric.keep_exemplar(series, 2, (("trace_id", "user"), (TRACE.encode(), b"caf\xc3\xa9"), 4.0, NOW - 5))
    async with serving(GOOD, port=receiver.sink_port) as sink, pushing(receiver.url, store=store) as push:
        await push()
        (found,) = list_metrics(await wait_points(sink, 1))
    (point,) = found.exponential_histogram.data_points
    base = 2.0 ** (2.0**-point.scale)
    counts = [
        {
            round(base ** (buckets.offset + place + 1), 9): count
            for place, count in enumerate(buckets.bucket_counts)
            if count
        }
        for buckets in (point.positive, point.negative)
    ]
    assert counts == [{0.5: 1, 4.0: 2}, {1.0: 1}]
    assert (point.count, point.zero_count, point.sum) == (5, 1, 7.5)
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id.hex(), exemplar.as_double, exemplar.time_unix_nano) == (TRACE, 4.0, NOW - 5)
    assert read_attributes(exemplar.filtered_attributes) == {"user": "café"}


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["gzip", "none"])
async def test_large_push_arrives_whole(receiver: Rotel, compression: str) -> None:
    """In several requests."""
    store = make_counter_store(12_000)
    async with (
        serving(GOOD, port=receiver.sink_port) as sink,
        pushing(receiver.url, store=store, settings={"otlp_compression": compression}) as push,
    ):
        await push()
        assert push.task.last_series == 12_000
        samples = read_samples(list_metrics(await wait_points(sink, 12_000)))
    assert sorted(samples.values()) == list(range(12_000))


async def test_receiver_says_what_it_does_not_understand(receiver: Rotel) -> None:
    """It is no OTLP that it has at this path."""
    async with pushing(f"{receiver.url}/elsewhere") as push:
        await push("it answered 404")
        assert (push.task.counts.rejected, push.task.counts.spooled_bytes) == (3, 0)


async def test_key_goes_over_tls_to_who_is_trusted(
    receiver: Rotel, guarded: Web, caplog: pytest.LogCaptureFixture
) -> None:
    """Below a path, as Prometheus has it; the key stands nowhere else."""
    base = f"https://localhost:{guarded.port}/api/v1/otlp"
    settings = {"otlp_headers": (("X-Api-Key", KEY),)}
    async with (
        serving(GOOD, port=receiver.sink_port) as sink,
        pushing(base, settings=settings, more={"push_ca": guarded.ca_file}) as push,
    ):
        await push()
        await wait_points(sink, 3)
        assert push.task.pusher.address == f"{base}/v1/metrics"
    async with pushing(base, more={"push_ca": guarded.ca_file}) as push:
        await push("it answered 401: 401 Authorization Required")
    async with pushing(base, settings=settings) as push:
        await push.task.push()
        assert push.task.failure.startswith("its certificate is not trusted: ")
        assert push.task.counts.spooled_bytes > 0
    assert KEY not in caplog.text
    assert KEY not in repr(OtlpSettings(otlp_headers=settings["otlp_headers"]))


async def test_what_is_too_large_for_a_proxy_arrives_in_parts(receiver: Rotel, guarded: Web) -> None:
    """It answers before it has read everything, and hangs up."""
    base = f"https://localhost:{guarded.port}/narrow"
    settings = {"otlp_compression": "none"}
    async with (
        serving(GOOD, port=receiver.sink_port) as sink,
        pushing(base, store=make_counter_store(1000), settings=settings, more={"push_ca": guarded.ca_file}) as push,
    ):
        await push()
        assert (push.task.last_series, push.task.counts.rejected) == (1000, 0)
        samples = read_samples(list_metrics(await wait_points(sink, 1000)))
    assert sorted(samples.values()) == list(range(1000))
