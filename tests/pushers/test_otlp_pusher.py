"""Pushes over OTLP: to the real rotel, by way of a real nginx, and to servers that answer as they like."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.errors import SettingError
from pipeline.formats.otlp import MAX_POINTS
from pipeline.metrics import HistogramDatum, Kind, Metric, Store, ValueType
from pipeline.push_settings import OtlpSettings, PushSettings
from pipeline.pushers import PushTask, make_pushers
from pipeline.pushers.otlp import MIN_POINTS, OtlpPusher
from tests.e2e.rotel import Rotel, run_rotel
from tests.e2e.web import Web
from tests.otlp_reading import list_metrics, read_attributes, read_received, read_request, read_samples
from tests.pushers.awkward import NOW, list_expected, make_awkward_store
from tests.pushers.by_hand import make_context, make_counter_store, make_task, run_guard
from tests.pushers.http_peer import HttpPeer, Mischief, Reply, serving

TRACE = "0af7651916cd43dd8448eb211c80319c"
KEY = "s3cret-key-of-an-api"

LOCATIONS = """location = /api/v1/otlp/v1/metrics {
        if ($http_x_api_key != "KEY") { return 401; }
        proxy_pass http://127.0.0.1:PORT/v1/metrics;
    }
    location /narrow/ {
        client_max_body_size 20k;
        proxy_pass http://127.0.0.1:PORT/;
    }"""

GOOD = Reply(headers={"content-type": "application/x-protobuf"})


@dataclass
class Push:
    """A push over OTLP, as settings and metrics say."""

    url: str
    store: Store = field(default_factory=make_counter_store)
    settings: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    now: int = NOW
    max_points: int = MAX_POINTS
    task: PushTask = field(init=False)

    def __post_init__(self) -> None:
        settings = PushSettings(otlp=OtlpSettings(otlp_endpoint=self.url, **self.settings), **self.more)
        self.task = make_task(settings, lambda: self.store, make_context(read_clock=lambda: self.now))
        pusher = self.task.pusher
        assert isinstance(pusher, OtlpPusher)
        pusher.max_points = self.max_points
        self.spool = pusher.spool

    async def __call__(self, told: str = "") -> None:
        """Push, which fails as `told`, or goes well."""
        await self.task.push()
        assert self.task.failure == told

    @property
    def problems(self) -> tuple[str, ...]:
        """What is said of the last push."""
        return self.task.pusher.problems


@asynccontextmanager
async def pushing(url: str, **rest: Any) -> AsyncIterator[Push]:  # noqa: ANN401 - of several types
    """Give a push whose connection is closed in the end."""
    push = Push(url, **rest)
    try:
        yield push
    finally:
        await push.task.disconnect()


def list_values(peer: HttpPeer) -> list[list[float]]:
    """Return the values of each request that a peer has got."""
    return [list(read_samples(list_metrics([read_received(received)])).values()) for received in peer.received]


# The real receiver


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


# What is sent


async def test_request_is_as_the_protocol_has_it() -> None:
    """Over one connection, with the headers of the settings."""
    async with (
        serving(GOOD) as peer,
        pushing(peer.url, settings={"otlp_headers": (("X-Team", "a=b"), ("User-Agent", "me"))}) as push,
    ):
        await push()
        push.now += 60 * 10**9
        await push()
    first, second = peer.received
    assert (first.method, first.target, peer.connections) == ("POST", "/v1/metrics", 1)
    names = ("content-type", "content-encoding", "x-team", "accept-encoding", "user-agent")
    assert {name: first.headers[name] for name in names} == {
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
        "x-team": "a=b",
        "accept-encoding": "identity",
        "user-agent": "me",
    }
    times = [
        {point.time_unix_nano for metric in list_metrics([read_received(one)]) for point in metric.sum.data_points}
        for one in (first, second)
    ]
    assert times == [{NOW}, {NOW + 60 * 10**9}]


async def test_request_is_not_compressed_if_that_is_not_wanted() -> None:
    """Then no header says so."""
    async with serving(GOOD) as peer, pushing(peer.url, settings={"otlp_compression": "none"}) as push:
        await push()
    (received,) = peer.received
    assert "content-encoding" not in received.headers
    assert len(read_samples(list_metrics([read_request(received.body)]))) == 3


async def test_nothing_to_push_is_no_request() -> None:
    """And no failure."""
    async with serving(GOOD) as peer, pushing(peer.url, store=Store()) as push:
        await push()
    assert (peer.received, push.task.last_series) == ([], 0)


# What waits


async def wait_requests(peer: HttpPeer, requests: int) -> None:
    """Return as soon as a peer has got so many."""
    with trio.fail_after(60):
        while True:
            if len(peer.received) >= requests:
                return
            await trio.sleep(0.001)


@pytest.mark.parametrize(
    "step",
    [Reply(429), Reply(502), Reply(503), Reply(504), Mischief.CLOSE_UNANSWERED, Reply(200, b"<html>welcome")],
    ids=["429", "502", "503", "504", "no answer", "page"],
)
async def test_what_could_not_be_sent_goes_first_the_next_time(step: Reply | Mischief) -> None:
    """The oldest sample before the newest, each with its own time."""
    async with serving(step, step, GOOD) as peer, pushing(peer.url) as push:
        for number in range(3):
            await push.task.push()
            assert bool(push.task.failure) == (number < 2)
            push.now += 10**9
        assert (push.task.last_series, push.task.counts.rejected, push.task.counts.spooled_bytes) == (9, 0, 0)
    times = [
        read_received(one).resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0] for one in peer.received
    ]
    assert [(point.time_unix_nano - NOW) // 10**9 for point in times] == [0, 0, 0, 1, 2]


async def test_samples_of_a_pause_wait_too() -> None:
    """One of each interval, with its own time, between those of the pushes."""
    async with serving(Reply(503), GOOD) as peer, pushing(peer.url) as push:
        await push("it answered 503")
        push.now += 10**9
        await push.task.pusher.keep(push.store.view().select_programs())
        push.now += 10**9
        await push()
        assert (push.task.last_series, push.task.counts.spooled_bytes) == (9, 0)
    times = [
        read_received(one).resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0] for one in peer.received
    ]
    assert [(point.time_unix_nano - NOW) // 10**9 for point in times] == [0, 0, 1, 2]


async def test_receiver_that_asks_for_it_is_left_alone() -> None:
    """What it has got is not sent again."""
    later = Reply(429, b"", {"retry-after": "200"})
    async with serving(GOOD, later, GOOD) as peer, pushing(peer.url, max_points=2) as push:
        await push("it answered 429")
        assert push.task.find_pause() == 200
        await push()
        assert push.task.last_series == 4
    assert [len(values) for values in list_values(peer)] == [2, 1, 1, 2, 1]


async def test_spool_is_bounded_and_keeps_the_newest() -> None:
    """What finds no room is counted."""
    more = {"push_spool_bytes": 0}
    async with serving(Reply(503), Reply(503), GOOD) as peer, pushing(peer.url, more=more) as push:
        for told in ("it answered 503", "it answered 503", ""):
            await push(told)
        assert (push.task.counts.spool_dropped, push.task.counts.spooled_bytes) == (6, 0)
    assert len(peer.received) == 3


async def test_push_that_is_cut_short_has_sent_what_was_taken() -> None:
    """It waits no more, so that a spool which is too large for one deadline gets smaller."""
    async with serving(GOOD, Mischief.HANG, GOOD) as peer, pushing(peer.url, max_points=1) as push:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(push.task.push)
            await wait_requests(peer, 2)
            nursery.cancel_scope.cancel()
        assert len(push.spool) == 2
        push.store = make_counter_store(1)
        await push()
        assert (push.task.last_series, len(push.spool)) == (3, 0)
    assert list_values(peer) == [[0], [1], [1], [2], [0]]


async def test_push_that_takes_long_goes_on_in_the_next_one() -> None:
    """It has not failed: the receiver is slow, and takes everything in the end."""
    async with serving(GOOD) as peer, pushing(peer.url, max_points=1) as push:
        assert isinstance(push.task.pusher, OtlpPusher)
        push.task.pusher.patience = 0.0
        await push()
        assert (push.task.last_series, len(push.spool)) == (1, 2)
        await push.task.pusher.finish()
        assert (push.task.counts.series, len(push.spool)) == (3, 0)
        await push.task.pusher.finish()
    assert list_values(peer) == [[0], [1], [2]]


# What is refused


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 500, 501])
async def test_what_is_refused_for_good_is_dropped(status: int) -> None:
    """And counted; the next push carries newer values."""
    async with serving(Reply(status, b"no"), GOOD) as peer, pushing(peer.url) as push:
        await push(f"it answered {status}: no")
        assert (push.task.counts.rejected, push.task.counts.spooled_bytes) == (3, 0)
        await push()
    assert len(peer.received) == 2


async def test_rest_is_sent_when_a_part_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """That is no failure of the push. It is told in the words of the receiver, once."""
    refusal = Reply(400, b"\x08\x03\x12\x09bad\x1b[data", {"content-type": "application/x-protobuf"})
    async with serving(refusal, GOOD, refusal, GOOD) as peer, pushing(peer.url, max_points=2) as push:
        for _ in range(2):
            await push()
            assert push.task.last_series == 1
        assert push.task.counts.rejected == 4
        assert [record.message for record in caplog.records] == list(push.problems)
        assert push.problems == (
            f"The receiver of OTLP at {peer.url}/v1/metrics has refused a part of the series: it answered 400: "
            "bad\ufffd[data.",
        )


@pytest.mark.parametrize("compression", ["gzip", "none"])
async def test_request_that_is_too_large_is_sent_in_parts(compression: str) -> None:
    """Nothing is lost, and no later one is so large. What waited behind it stays behind it."""
    most = 2 * MIN_POINTS
    settings = {"otlp_compression": compression}
    store = make_counter_store(most + 1)
    async with (
        serving(Reply(413), GOOD) as peer,
        pushing(peer.url, store=store, max_points=most, settings=settings) as push,
    ):
        await push()
        assert (push.task.last_series, push.task.counts.rejected, push.task.counts.spooled_bytes) == (most + 1, 0, 0)
        await push()
    assert push.problems == ()
    sizes = [len(values) for values in list_values(peer)]
    assert sizes == [most, MIN_POINTS, MIN_POINTS, 1, MIN_POINTS, MIN_POINTS, 1]
    assert [value for values in list_values(peer)[1:4] for value in values] == list(range(most + 1))


async def test_parts_have_an_end() -> None:
    """A receiver to whom everything is too large has another reason."""
    most = 3 * MIN_POINTS
    async with serving(Reply(413)) as peer, pushing(peer.url, store=make_counter_store(most), max_points=most) as push:
        for number in (1, 2):
            await push("it answered 413")
            assert push.task.counts.rejected == number * most
    assert [len(values) for values in list_values(peer)] == [most, *[most // 2] * 4]


async def test_part_that_is_rejected_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """The request is not sent again, as the protocol has it. The count is not trusted."""
    caplog.set_level(logging.INFO)
    rejection = Reply(200, b"\x0a\x07\x08\x02\x12\x03old", {"content-type": "application/x-protobuf"})
    nonsense = Reply(200, b'{"partialSuccess": {"rejectedDataPoints": 99}}', {"content-type": "application/json"})
    negative = Reply(200, b'{"partialSuccess": {"rejectedDataPoints": -9}}', {"content-type": "application/json"})
    async with serving(rejection, nonsense, negative) as peer, pushing(peer.url) as push:
        await push()
        assert (push.task.last_series, push.task.counts.rejected) == (1, 2)
        assert push.problems == (
            f"The receiver of OTLP at {peer.url}/v1/metrics has rejected some series: it answered 200: old.",
        )
        assert [record.message for record in caplog.records if record.levelname == "WARNING"] == list(push.problems)
        await push()
        assert (push.task.last_series, push.task.counts.rejected) == (0, 5)
        await push()
        assert (push.task.last_series, push.task.counts.rejected) == (3, 5)
        assert [*push.problems] == []
    assert len(peer.received) == 3


async def test_warning_of_a_receiver_is_told() -> None:
    """It has taken everything nevertheless."""
    warning = Reply(200, b"\x0a\x05\x12\x03odd", {"content-type": "application/x-protobuf"})
    async with serving(warning) as peer, pushing(peer.url) as push:
        await push()
        assert (push.task.last_series, push.task.counts.rejected) == (3, 0)
        assert push.problems == (
            f"The receiver of OTLP at {peer.url}/v1/metrics has taken all, with a warning: it answered 200: odd.",
        )


async def test_one_of_many_rejections_is_told() -> None:
    """The first: a push may have hundreds of requests, each with words of its own."""
    old, odd, no = (
        Reply(200, b"\x0a\x07\x08\x01\x12\x03old", {"content-type": "application/x-protobuf"}),
        Reply(200, b"\x0a\x07\x08\x01\x12\x03odd", {"content-type": "application/x-protobuf"}),
        Reply(400, b"no"),
    )
    async with (
        serving(old, odd, no, GOOD) as peer,
        pushing(peer.url, store=make_counter_store(5), max_points=1) as push,
    ):
        await push()
        assert (push.task.last_series, push.task.counts.rejected) == (2, 3)
        receiver = f"The receiver of OTLP at {peer.url}/v1/metrics"
        assert push.problems == (
            f"{receiver} has refused a part of the series: it answered 400: no.",
            f"{receiver} has rejected some series: it answered 200: old.",
        )


async def test_receiver_may_answer_what_it_likes() -> None:
    """It has taken everything, but is told of: it might not know OTLP at all."""
    async with serving(Reply(200, b"OK")) as peer, pushing(peer.url) as push:
        await push()
        assert (push.task.last_series, push.task.counts.spooled_bytes) == (3, 0)
        assert push.problems == (
            f"The receiver of OTLP at {peer.url}/v1/metrics does not answer as OTLP demands, which is taken for a yes: "
            "it answered 200: OK.",
        )


async def test_page_of_somebody_else_is_a_failure() -> None:
    """Such as that of a network which asks for a password first: it has taken nothing."""
    html = Reply(200, b"\n welcome <br>", {"content-type": "text/HTML; charset=utf-8"})
    async with serving(Reply(200, b" <html>welcome"), html) as peer, pushing(peer.url) as push:
        await push("it answered 200: <html>welcome, which is a page for people")
        await push("it answered 200: welcome <br>, which is a page for people")
        assert push.task.counts.spooled_bytes > 0


# Settings


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/metrics"),
        ("http://collector:4318/", "http://collector:4318/v1/metrics"),
        ("https://p:9090/api/v1/otlp/", "https://p:9090/api/v1/otlp/v1/metrics"),
        ("http://collector:4318/v1/metrics", "http://collector:4318/v1/metrics"),
        ("http://collector:4318/v1/metrics/", "http://collector:4318/v1/metrics"),
    ],
)
def test_endpoint_is_a_base(endpoint: str, url: str) -> None:
    """As that of all signals, in the variables of OpenTelemetry."""
    assert OtlpSettings(otlp_endpoint=endpoint).find_url() == url


def test_resource_is_this_host_unless_it_is_said() -> None:
    """A host without a name is none."""
    assert OtlpSettings().find_resource("web1") == {
        "service.name": "syslog-pipeline",
        "service.instance.id": "web1",
        "host.name": "web1",
    }
    settings = OtlpSettings(otlp_resource_attributes=(("service.instance.id", "2"), ("rack", "7")))
    assert settings.find_resource("") == {
        "service.name": "syslog-pipeline",
        "service.instance.id": "2",
        "rack": "7",
    }


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"otlp_endpoint": "collector:4318"},
            "--otlp_endpoint must be http:// or https:// with a host, and perhaps a port and a path.",
        ),
        (
            {"otlp_headers": (("x-team", "a"), (KEY, ""))},
            "--otlp_headers: header 2 has no name or no value: write NAME=VALUE.",
        ),
        (
            {"otlp_headers": ((f"x-key: {KEY}", "x"),)},
            "--otlp_headers: the name of header 1 has characters that no such name has.",
        ),
        (
            {"otlp_headers": (("Content-Type", "text/plain"),)},
            "--otlp_headers: the header content-type is not for you to set.",
        ),
        (
            {"otlp_headers": (("x-key", f"{KEY}\r\nx: y"),)},
            "--otlp_headers: the value of x-key has characters that no header has.",
        ),
        (
            {"otlp_headers": (("x-key", f"{KEY}\n"),)},
            "--otlp_headers: the value of x-key has characters that no header has.",
        ),
        (
            {"otlp_headers": (("x-key", KEY), ("X-Key", "b"))},
            "--otlp_headers: the header x-key is given twice.",
        ),
        (
            {"otlp_resource_attributes": (("a", "1"), ("a", "2"))},
            "--otlp_resource_attributes: the attribute a is given twice.",
        ),
        (
            {"otlp_resource_attributes": (("a", "\n"),)},
            "--otlp_resource_attributes: the value '\\n' of a cannot be printed.",
        ),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(settings: dict[str, Any], told: str) -> None:
    """Which never shows a secret."""
    with pytest.raises(SettingError) as caught:
        OtlpSettings(**settings)
    assert str(caught.value) == told
    assert KEY not in told


def test_authority_that_is_none(tmp_path: Path) -> None:
    """It is found out at the start."""
    settings = PushSettings(
        push_ca=tmp_path / "none.pem", otlp=OtlpSettings(otlp_endpoint="https://collector.example:4318")
    )
    with pytest.raises(SettingError, match="cannot be used: no such file or directory"):
        make_pushers(settings, make_context())
