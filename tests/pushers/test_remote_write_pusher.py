"""Pushes by remote write to servers that answer as they like: the version, what becomes of samples, and settings."""

from __future__ import annotations

from typing import Any

import pytest
from cramjam import snappy

from pipeline.errors import SettingError
from pipeline.formats import PrometheusOptions
from pipeline.metrics import Kind, Store
from pipeline.push_settings import RemoteWriteSettings
from tests.formats.write_messages import Series, read_requests
from tests.pushers.awkward import NOW
from tests.pushers.by_hand import make_counter_store
from tests.pushers.http_peer import HttpPeer, Mischief, Received, Reply, serving
from tests.pushers.remote_write_push import make_metric, pushing

KEY = "s3cret"

CONTENT_TYPES = {
    "application/x-protobuf": "1.0",
    "application/x-protobuf;proto=io.prometheus.write.v2.Request": "2.0",
}
VERSION_HEADERS = {"1.0": "0.1.0", "2.0": "2.0.0"}


# The version


def find_version(received: Received) -> str:
    """Return the version of a request, as its headers say."""
    version = CONTENT_TYPES[received.headers["content-type"]]
    assert received.headers["content-encoding"] == "snappy"
    assert received.headers["x-prometheus-remote-write-version"] == VERSION_HEADERS[version]
    assert received.headers["user-agent"].startswith("syslog-pipeline/")
    return version


def read_received(received: Received) -> Series:
    """Return the series of a request."""
    return read_requests(find_version(received), [bytes(snappy.decompress_raw(received.body))])


def list_requests(peer: HttpPeer) -> list[tuple[str, int]]:
    """Return version and series of each request that a peer has got."""
    return [(find_version(received), len(read_received(received))) for received in peer.received]


def written(samples: object = 3, status: int = 204, body: bytes = b"") -> Reply:
    """Return the answer of somebody who knows version 2.0."""
    return Reply(status, body, {"X-Prometheus-Remote-Write-Samples-Written": str(samples)})


async def test_version_that_the_receiver_knows_is_taken() -> None:
    """It is asked for once."""
    async with serving(written(0), written(3)) as peer, pushing(peer.url) as push:
        await push()
        await push()
        assert list_requests(peer) == [("2.0", 0), ("2.0", 3), ("2.0", 3)]
        assert push.task.counts.series == 6


@pytest.mark.parametrize(
    "reply", [Reply(415, b"no"), Reply(400, b"no"), Reply(204), Reply(200)], ids=lambda one: one.status
)
async def test_receiver_that_does_not_know_the_new_version_gets_the_old_one(reply: Reply) -> None:
    """It refuses it, or takes it for nothing and does not say how much it has written."""
    async with serving(reply, Reply(204)) as peer, pushing(peer.url) as push:
        await push()
        await push()
        assert list_requests(peer) == [("2.0", 0), ("1.0", 3), ("1.0", 3)]
        assert push.task.counts.series == 6


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_version_that_is_set_is_not_asked_for(version: str) -> None:
    """Whatever the answers say."""
    settings = {"remote_write_version": version}
    async with serving(Reply(204)) as peer, pushing(peer.url, settings=settings) as push:
        await push()
        assert list_requests(peer) == [(version, 3)]
        assert push.pusher.problems == (
            ()
            if version == "1.0"
            else (
                f"The receiver of remote write at {peer.url} does not say how much it has written, as if it knew "
                "version 1.0 only.",
            )
        )


@pytest.mark.slow
async def test_samples_are_kept_while_the_version_is_not_known() -> None:
    """In the version that most take; it was refused, and then not answered, when it was asked for."""
    plan = (Reply(503, b"not yet"), Mischief.HANG, written(0), Reply(204), Reply(204), written(3))
    async with serving(*plan) as peer, pushing(peer.url) as push:
        await push("it answered 503: not yet")
        patience, push.pusher.patience = push.pusher.patience, 0.2
        await push("it did not say within 0.2 s which version of remote write it takes")
        push.pusher.patience = patience
        await push()
        assert list_requests(peer) == [("2.0", 0)] * 3 + [("1.0", 3), ("1.0", 3), ("2.0", 3)]
        times = [{one.samples[0][1] for one in read_received(received).values()} for received in peer.received[3:]]
        assert times == [{NOW // 10**6}, {NOW // 10**6 + 1000}, {NOW // 10**6 + 2000}]
        assert push.task.counts.spooled_bytes == 0


async def test_receiver_that_knows_the_new_version_only_gets_what_is_in_it() -> None:
    """What was kept for it before it said so is dropped at once, and keeps nothing back."""
    plan = (Reply(503), Reply(503), written(0), Reply(415), Reply(415), written(3))
    async with serving(*plan) as peer, pushing(peer.url) as push:
        await push("it answered 503")
        await push("it answered 503")
        await push()
        assert list_requests(peer)[3:] == [("1.0", 3), ("1.0", 3), ("2.0", 3)]
        assert (push.task.last_series, push.task.counts.rejected, push.task.counts.spooled_bytes) == (3, 6, 0)


@pytest.mark.parametrize("reply", [Reply(415), Reply(204)], ids=["415", "204"])
async def test_receiver_that_is_exchanged_for_an_old_one_gets_the_old_version(
    reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    """What waited for the new one is dropped, counted and told; the values of the moment arrive."""
    plan = (written(0), written(), Reply(503), reply, Reply(204))
    async with serving(*plan) as peer, pushing(peer.url) as push:
        await push()
        await push("it answered 503")
        await push()
        assert list_requests(peer)[3:] == [("2.0", 3), ("1.0", 3)]
        assert (push.task.counts.rejected, push.task.counts.spooled_bytes, push.task.counts.series) == (6, 0, 6)
    assert (
        f"The receiver of remote write at {peer.url} does not take version 2.0 any longer. 6 samples are dropped, and "
        "version 1.0 is sent from now on." in caplog.messages
    )


@pytest.mark.slow
async def test_receiver_may_be_exchanged_before_the_end() -> None:
    """What there was no time for is dropped and counted then, too."""
    plan = (written(0), written(9999), Reply(415))
    async with serving(*plan) as peer, pushing(peer.url, store=make_counter_store(6000)) as push:
        await push.pusher.connect()
        assert await push.pusher.try_to_choose() is None
        push.pusher.patience = 0
        await push()
        await push.task.finish()
        assert len(peer.received) == 3
        counts = push.task.counts
        assert (push.task.failure, counts.spooled_bytes, counts.series + counts.rejected) == ("", 0, 6000)
        assert counts.series == len(read_received(peer.received[1]))


# Answers


async def test_request_that_was_written_in_part_is_counted_so() -> None:
    """It is not sent again, and what was said of it is told."""
    plan = (written(0), written(1, 400, b"too old"), written())
    async with serving(*plan) as peer, pushing(peer.url) as push:
        await push()
        assert (push.task.last_series, push.task.counts.rejected) == (1, 2)
        assert push.pusher.problems == (
            f"The receiver of remote write at {peer.url} has refused some series: it answered 400: too old.",
        )
        await push()
        assert len(peer.received) == 3
        assert push.task.counts.rejected == 2
        assert list(push.pusher.problems) == []


async def test_refusal_that_does_not_say_what_was_written_says_that_nothing_was() -> None:
    """So has the specification it, and no receiver is taken for an older one then."""
    async with serving(written(0), Reply(400, b"too old")) as peer, pushing(peer.url) as push:
        await push("it answered 400: too old")
        assert push.task.counts.rejected == 3
        assert push.pusher.problems == (
            f"The receiver of remote write at {peer.url} has refused some series: it answered 400: too old.",
        )


@pytest.mark.parametrize(
    ("told", "series"),
    [("2", 2), ("99", 3), ("-1", 3), ("all", 3), ("9" * 1000, 3), ("٣".encode().decode("latin-1"), 3)],
)
async def test_number_that_was_written_is_believed_if_it_is_one(told: str, series: int) -> None:
    """And never more than was sent."""
    async with serving(written(0), written(told)) as peer, pushing(peer.url) as push:
        await push()
        assert (push.task.last_series, push.task.counts.rejected) == (series, 3 - series)


@pytest.mark.slow
async def test_refusal_of_samples_does_not_keep_the_others_back() -> None:
    """Each request is by itself."""
    settings = {"remote_write_version": "1.0"}
    plan = (*(Reply(status, b"bad") for status in (400, 409, 413, 422)), Reply(204))
    async with serving(*plan) as peer, pushing(peer.url, store=make_counter_store(9500), settings=settings) as push:
        await push()
        sizes = [size for _, size in list_requests(peer)]
        assert len(sizes) == 5
        assert (push.task.last_series, push.task.counts.rejected) == (sizes[4], sum(sizes[:4]))
        assert push.pusher.problems[0].endswith(" has refused some series: it answered 400: bad.")


@pytest.mark.slow
async def test_refusal_of_the_sender_keeps_what_was_not_sent() -> None:
    """What was refused is never sent again, as the protocol has it; the rest waits for the right password."""
    settings = {"remote_write_version": "1.0"}
    plan = (Reply(401, b"who are you?"), Reply(204))
    async with serving(*plan) as peer, pushing(peer.url, store=make_counter_store(6000), settings=settings) as push:
        await push("it answered 401: who are you?")
        assert len(peer.received) == 1
        await push()
        assert sum(size for _, size in list_requests(peer)[1:]) == 12000 - push.task.counts.rejected
        assert push.task.counts.rejected == list_requests(peer)[0][1]


@pytest.mark.parametrize("status", [429, 500, 503, 307])
async def test_request_is_sent_again_after_what_passes(status: int) -> None:
    """With the time that it had, and before newer ones."""
    settings = {"remote_write_version": "1.0"}
    plan = (Reply(status, headers={"retry-after": "7"}), Reply(204))
    async with serving(*plan) as peer, pushing(peer.url, settings=settings) as push:
        await push(f"it answered {status}")
        assert push.task.asked_pause == 7
        await push()
        times = [{one.samples[0][1] for one in read_received(received).values()} for received in peer.received]
        assert times == [{NOW // 10**6}, {NOW // 10**6}, {NOW // 10**6 + 1000}]
        assert push.task.counts.rejected == 0


@pytest.mark.slow
async def test_what_there_is_no_time_for_waits_for_the_next_push() -> None:
    """Or for the end."""
    settings = {"remote_write_version": "1.0"}
    async with (
        serving(Reply(204)) as peer,
        pushing(peer.url, store=make_counter_store(6000), settings=settings) as push,
    ):
        push.pusher.patience = 0
        await push()
        assert len(peer.received) == 1
        assert push.task.counts.spooled_bytes > 0
        push.pusher.patience = 60
        await push.task.finish()
        assert sum(size for _, size in list_requests(peer)) == 6000
        assert (push.task.counts.series, push.task.counts.spooled_bytes, push.task.failure) == (6000, 0, "")
        await push.task.finish()
        assert sum(size for _, size in list_requests(peer)) == 6000


@pytest.mark.slow
async def test_native_histograms_that_are_not_taken_do_not_keep_the_others_back_at_the_end() -> None:
    """All that there was no time for is sent, over the same connection."""
    metric = make_metric("sizes", kind=Kind.HISTOGRAM, buckets=(0, 10), native=True)
    metric.new((), NOW)
    store = make_counter_store(6000)
    store.register([metric])
    settings = {"remote_write_version": "1.0"}
    plan = (Reply(204), Reply(500), Reply(204), Reply(204), Reply(500))
    async with serving(*plan) as peer, pushing(peer.url, store=store, settings=settings) as push:
        push.pusher.patience = 0
        await push()
        push.pusher.patience = 60
        await push.task.finish()
        assert push.task.failure == "native histograms were not taken: it answered 500"
        assert (push.task.counts.series, peer.connections) == (6004, 1)
        assert (len(push.pusher.spool), len(push.pusher.native_spool)) == (0, 1)
        assert push.pusher.native_spool.max_bytes == push.pusher.spool.max_bytes // 4


async def test_end_says_nothing_of_the_series() -> None:
    """They are not stale: the next run goes on with them."""
    settings = {"remote_write_version": "1.0"}
    async with serving(Reply(204)) as peer, pushing(peer.url, settings=settings) as push:
        await push()
        await push.task.finish()
        assert list_requests(peer) == [("1.0", 3)]


async def test_no_two_samples_have_one_time() -> None:
    """The second would be refused."""
    settings = {"remote_write_version": "1.0"}
    async with serving(Reply(204)) as peer, pushing(peer.url, settings=settings) as push:
        for _ in range(2):
            await push()
            push.now = NOW
        times = [{one.samples[0][1] for one in read_received(received).values()} for received in peer.received]
        assert times == [{NOW // 10**6}, {NOW // 10**6 + 1}]


# Labels and settings


@pytest.mark.parametrize(
    ("labels", "constants", "own", "expected"),
    [
        ((), (), "id", {"job": "syslog-pipeline", "instance": "web1", "id": "0"}),
        (("none",), (), "id", {"id": "0"}),
        (("site=north",), (("rack", "7"),), "id", {"site": "north", "rack": "7", "id": "0"}),
        ((), (("job", "logs"),), "id", {"job": "logs", "instance": "web1", "id": "0"}),
        (("job=mine",), (("job", "logs"),), "id", {"job": "mine", "id": "0"}),
        ((), (), "instance", {"job": "syslog-pipeline", "instance": "0"}),
    ],
    ids=["default", "none", "own", "constant", "own before constant", "of the metric"],
)
async def test_series_have_the_labels_that_are_set(
    labels: tuple[str, ...], constants: tuple[tuple[str, str], ...], own: str, expected: dict[str, str]
) -> None:
    """By default the job and this host, which is what a scrape would add."""
    metric = make_metric("hits_total", own)
    metric.new((b"0",), NOW)
    store = Store()
    store.register([metric])
    settings = {"remote_write_version": "1.0", "remote_write_labels": labels}
    options = PrometheusOptions(constant_labels=constants)
    async with serving(Reply(204)) as peer, pushing(peer.url, store=store, settings=settings, options=options) as push:
        await push()
        ((found, _),) = read_received(peer.received[0]).items()
        assert dict(found) == {"__name__": "hits_total", "prog": "a.mtail", **expected}


async def test_what_cannot_be_written_is_told() -> None:
    """Two names that become one, of different types; also before there is any answer."""
    counter, gauge = make_metric("a.b"), make_metric("a_b", kind=Kind.GAUGE)
    store = Store()
    store.register([counter, gauge])
    gauge.new((), NOW)
    async with serving(Reply(503), Reply(204)) as peer, pushing(peer.url, store=store) as push:
        await push("it answered 503")
        (problem,) = push.pusher.problems
        await push()
        assert list_requests(peer) == [("2.0", 0), ("2.0", 0), ("1.0", 1), ("1.0", 1)]
        assert push.pusher.problems == (problem,)
        assert "Metric `a_b`" in problem
        assert problem.endswith(" is left out of the Prometheus format: the name is taken by a counter at .")


async def test_secrets_are_sent_and_not_shown() -> None:
    """Password and headers are in requests, and nowhere else."""
    settings = {"remote_write_version": "1.0", "remote_write_headers": (("X-Scope-OrgID", KEY),)}
    async with serving(Reply(204)) as peer:
        async with pushing(peer.url.replace("//", f"//me:{KEY}@"), settings=settings) as push:
            await push()
            assert KEY not in push.pusher.address
        (received,) = peer.received
    assert received.headers["x-scope-orgid"] == KEY
    assert received.headers["authorization"] == "Basic bWU6czNjcmV0"
    assert KEY not in repr(RemoteWriteSettings(remote_write_headers=(("X-Scope-OrgID", KEY),)))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"remote_write_url": "localhost:9090"},
            "--remote_write_url must be http:// or https:// with a host, and perhaps a port and a path.",
        ),
        (
            {"remote_write_headers": (("User-Agent", KEY),)},
            "--remote_write_headers: the header user-agent is not for you to set.",
        ),
        (
            {"remote_write_headers": (("Content-Type", KEY),)},
            "--remote_write_headers: the header content-type is not for you to set.",
        ),
        (
            {"remote_write_headers": (("X-Key", f"{KEY}\n"),)},
            "--remote_write_headers: the value of X-Key has characters that no header has.",
        ),
        (
            {"remote_write_labels": ("none", "a=b")},
            "--remote_write_labels: none does not go with a label.",
        ),
        (
            {"remote_write_labels": ("prog=x",)},
            "--remote_write_labels: the label prog has a meaning of its own.",
        ),
    ],
)
def test_wrong_setting_is_told_in_one_sentence(settings: dict[str, Any], told: str) -> None:
    """And without what is secret in it."""
    with pytest.raises(SettingError) as caught:
        RemoteWriteSettings(**settings)
    assert str(caught.value) == told
