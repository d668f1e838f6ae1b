"""Pushes over OTLP to servers that answer as they like: what is sent, what waits, what is refused, and settings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import trio

from pipeline.errors import SettingError
from pipeline.metrics import Store
from pipeline.push_settings import OtlpSettings, PushSettings
from pipeline.pushers import make_pushers
from pipeline.pushers.otlp import MIN_POINTS, OtlpPusher
from tests.otlp_reading import list_metrics, read_received, read_request, read_samples
from tests.pushers.awkward import NOW
from tests.pushers.by_hand import make_context, make_counter_store
from tests.pushers.http_peer import HttpPeer, Mischief, Reply, serving
from tests.pushers.otlp_push import GOOD, KEY, pushing


def list_values(peer: HttpPeer) -> list[list[float]]:
    """Return the values of each request that a peer has got."""
    return [list(read_samples(list_metrics([read_received(received)])).values()) for received in peer.received]


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
