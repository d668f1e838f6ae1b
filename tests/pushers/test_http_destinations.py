"""Every destination that speaks HTTP, before servers that refuse, hang up, hang, or talk nonsense.

A row of `DESTINATIONS` gives the settings of a push to a URL, and what a good answer is.
"""

from __future__ import annotations

import gc
import logging
import math
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Datum, Kind, Metric, Snapshot, Store, ValueType
from pipeline.push_settings import OtlpSettings, PushgatewaySettings, PushSettings, RemoteWriteSettings
from pipeline.pushers import PushContext, PushTask, make_pushers
from pipeline.pushers.remote_write import RemoteWritePusher
from tests.pushers.http_peer import BROKEN_ANSWERS, HttpPeer, Mischief, Reply, serving

NOW = 1_700_000_000 * 10**9
CONTEXT = PushContext("host", PrometheusOptions(), lambda: NOW)
SHORT_DEADLINE_SECONDS = 0.2
"""For those who hang. The others have all the time that they need on a busy machine."""
SPOOL_BYTES = 10_000
SETTINGS = PushSettings(push_spool_bytes=SPOOL_BYTES)


OK = Reply()
ALL_WRITTEN = Reply(204, headers={"x-prometheus-remote-write-samples-written": "3"})


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination over HTTP."""

    name: str
    make_settings: Callable[[str], PushSettings]
    """Returns what pushes to a URL and to nothing else, with what `SETTINGS` say."""
    good: Reply = OK


def make_pushgateway_settings(url: str) -> PushSettings:
    """Return what pushes to a Pushgateway."""
    return replace(SETTINGS, pushgateway=PushgatewaySettings(pushgateway_url=url))


def make_otlp_settings(url: str) -> PushSettings:
    """Return what pushes over OTLP."""
    return replace(SETTINGS, otlp=OtlpSettings(otlp_endpoint=url))


def make_remote_write_settings(url: str, version: str = "1.0") -> PushSettings:
    """Return what pushes by remote write."""
    return replace(SETTINGS, remote_write=RemoteWriteSettings(remote_write_url=url, remote_write_version=version))


DESTINATIONS = {
    made.name: made
    for made in (
        Destination("otlp", make_otlp_settings),
        Destination("pushgateway", make_pushgateway_settings),
        Destination("remote_write 1.0", make_remote_write_settings),
        Destination("remote_write 2.0", partial(make_remote_write_settings, version="2.0"), ALL_WRITTEN),
    )
}

SLOW = f"it did not take everything within {SHORT_DEADLINE_SECONDS} s"

FAILURES: dict[str, tuple[Reply | Mischief, str]] = {
    **BROKEN_ANSWERS,
    "hangs": (Mischief.HANG, SLOW),
    "reads nothing": (Mischief.READ_NOTHING, SLOW),
    "400": (Reply(400, b"not\x1b[31m like this\nat all"), "it answered 400: not\ufffd[31m like this"),
    "401": (Reply(401, b"who are you?", {"www-authenticate": "Basic"}), "it answered 401: who are you?"),
    "404": (Reply(404), "it answered 404"),
    "413": (Reply(413, b"too much"), "it answered 413: too much"),
    "429": (Reply(429, b"later", {"retry-after": "120"}), "it answered 429: later"),
    "500": (Reply(500, b"\xff\xfe"), "it answered 500: \ufffd\ufffd"),
    "503": (Reply(503, b"x" * 5000, {"retry-after": "nonsense"}), f"it answered 503: {'x' * 400}"),
}
"""What a server does, and what is said of it."""

every_destination = pytest.mark.parametrize("destination", DESTINATIONS.values(), ids=DESTINATIONS)


def make_snapshot(series: int = 3) -> Snapshot:
    """Return a counter with so many series."""
    metric = Metric("hits", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("id",))
    store = Store()
    store.register([metric])
    for number in range(series):
        key = (b"%d" % number,)
        metric.data[key] = Datum(key, 5, NOW)
    return store.snapshot()


@asynccontextmanager
async def pushing(
    destination: Destination, url: str, snapshot: Callable[[], Snapshot] = make_snapshot
) -> AsyncIterator[PushTask]:
    """Give the task that pushes to `url`, which is not run by itself."""
    settings = destination.make_settings(url)
    (pusher,) = make_pushers(settings, CONTEXT)
    task = PushTask(pusher, settings, snapshot, lambda: NOW)
    try:
        yield task
    finally:
        await task.disconnect()


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=[pytest.mark.slow] if FAILURES[what][1] == SLOW else [])  # which takes two deadlines
        for what in FAILURES
    ],
)
@every_destination
async def test_failure_is_counted_and_told_and_the_next_push_goes_well(
    destination: Destination, what: str, caplog: pytest.LogCaptureFixture, mock_clock: MockClock
) -> None:
    """Once in the log, with the reason, and once that it works again."""
    caplog.set_level(logging.INFO)
    step, told = FAILURES[what]
    async with serving(step, step, destination.good) as peer, pushing(destination, peer.url) as task:
        patience = task.deadline
        if told == SLOW:
            task.deadline = SHORT_DEADLINE_SECONDS
            mock_clock.autojump_threshold = SHORT_DEADLINE_SECONDS  # time passes when nothing has happened for so long
        for number in (1, 2):
            await task.push()
            assert (task.failure, task.failures_in_a_row) == (told, number)
        task.deadline, mock_clock.autojump_threshold = patience, math.inf
        await task.push()
        assert (task.failure, task.failures_in_a_row) == ("", 0)
        assert (task.counts.pushes, task.counts.failures, task.counts.last_success) == (3, 2, NOW)
        assert task.last_series >= 3
    about = [record.message for record in caplog.records if record.message.startswith("Push to ")]
    assert [f" failed: {told}. " in message for message in about] == [True, False]
    assert about[1].endswith(" works again, after 2 failures.")


CHOOSING = Destination("remote_write auto", partial(make_remote_write_settings, version="auto"))


@pytest.mark.slow  # it takes a deadline
@pytest.mark.parametrize(
    "destination", [*DESTINATIONS.values(), CHOOSING], ids=[*DESTINATIONS, "remote_write that chooses"]
)
async def test_destination_that_cannot_be_reached_is_called_so(destination: Destination) -> None:
    """Not slow in taking: whoever looks for the reason begins with the network."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.create_connection(server.getsockname()):
        # That fills the queue, and the kernel answers nobody else.
        async with pushing(destination, f"http://127.0.0.1:{server.getsockname()[1]}") as task:
            task.deadline = SHORT_DEADLINE_SECONDS
            if isinstance(task.pusher, RemoteWritePusher):
                task.pusher.patience = SHORT_DEADLINE_SECONDS / 2
            await task.push()
            seconds = SHORT_DEADLINE_SECONDS / (2 if destination is CHOOSING else 1)
            assert task.failure == f"it could not be reached within {seconds:g} s"


@every_destination
async def test_destination_that_asks_for_it_is_left_alone(destination: Destination) -> None:
    """Longer than it would be otherwise."""
    async with (
        serving(Reply(503, headers={"retry-after": "200"})) as peer,
        pushing(destination, peer.url) as task,
    ):
        await task.push()
        assert task.find_pause() == 200


@every_destination
async def test_endless_answer_is_cut(destination: Destination) -> None:
    """Whatever it is taken for, the push ends, and the next one goes over a new connection."""
    async with serving(Mischief.ENDLESS_BODY, destination.good) as peer, pushing(destination, peer.url) as task:
        await task.push()
        await task.push()
        assert (task.failure, task.counts.pushes) == ("", 2)
        assert peer.connections == 2


@pytest.mark.slow
@every_destination
async def test_nothing_grows_while_it_fails(destination: Destination) -> None:
    """Beyond the spool, which is small here and full after some pushes."""
    snapshot = make_snapshot(300)
    async with serving(Reply(503, b"x" * 100_000)) as peer, pushing(destination, peer.url, lambda: snapshot) as task:
        task.deadline = SHORT_DEADLINE_SECONDS  # Trio keeps deadlines until they are over
        await push_often(task, peer, 30)
        tracemalloc.start()
        try:
            await push_often(task, peer, 10)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            await push_often(task, peer, 30)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert task.counts.failures == 70
    assert after - before < 50_000


async def push_often(task: PushTask, peer: HttpPeer, times: int) -> None:
    """Push, and have the peer forget."""
    for _ in range(times):
        await task.push()
        peer.received.clear()


@every_destination
async def test_destination_comes_back_after_an_hour(destination: Destination, autojump_clock: MockClock) -> None:
    """It refuses all the time; five minutes after it is there, it has the values."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with pushing(destination, f"http://127.0.0.1:{port}") as task:
        autojump_clock.autojump_threshold = 0.01  # real connections take a moment
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.run)
            await trio.sleep(3600)
            assert (task.failure, task.counts.failures) == ("connection refused", 14)
            peer = HttpPeer(destination.good, port=port)
            nursery.start_soon(trio.serve_listeners, peer.serve, [peer.listener])
            await trio.sleep(301)
            assert (task.failure, task.counts.failures) == ("", 14)
            assert peer.received
            nursery.cancel_scope.cancel()
