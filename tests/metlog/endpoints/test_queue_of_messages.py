"""Queue, batches and pauses, as all endpoints have them; seen at one that speaks HTTP."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from pipeline.endpoint_settings import HttpEndpointSettings
from pipeline.message_counts import EndpointCounts
from pipeline.metlog.endpoints.backlog import MemoryBacklog
from pipeline.metlog.endpoints.queued_endpoint import MAX_ASKED_SECONDS, MAX_PAUSE_SECONDS, PATIENCE_SECONDS
from tests.metlog.endpoints.messages import NOW, assert_accounted, make_message, make_numbered, read_number
from tests.metlog.endpoints.running import opened, running, wait_until
from tests.pushers.http_peer import HttpPeer, Mischief, Reply, serving


def list_batches(peer: HttpPeer) -> list[list[int]]:
    """Return the numbers in each request."""
    return [[int(one["payload"]) for one in json.loads(received.body)] for received in peer.received]


@given(
    st.lists(st.tuples(st.sampled_from(["put", "send", "fail"]), st.integers(0, 9)), max_size=30),
    st.integers(1, 12),
    st.integers(50, 1500),
)
def test_memory_keeps_the_newest_in_order(steps: list[tuple[str, int]], messages: int, size: int) -> None:
    """Never more than its limits, and all that it lets go is counted."""
    trio.run(live_through, steps, messages, size)


async def live_through(steps: list[tuple[str, int]], max_messages: int, max_bytes: int) -> None:
    """Do all steps, and look what comes out."""
    counts = EndpointCounts("queued")
    backlog = MemoryBacklog(counts, max_messages, max_bytes)
    settled: list[int] = []
    for step, count in steps:
        if step == "put":
            backlog.put(make_numbered(range(counts.taken, counts.taken + count)), NOW)
            counts.taken += count
            assert counts.queued <= max_messages
            assert counts.queued_bytes <= max_bytes
        else:
            entries = await backlog.fetch(5, 10**6)
            done = min(count, len(entries)) if step == "send" else 0
            settled += [read_number(entry.line) for entry in entries[:done]]
            counts.delivered += done
            backlog.settle(done)
            backlog.lay_back()
        assert_accounted(counts)
    assert settled == sorted(set(settled))
    backlog.close()
    assert (counts.queued, counts.queued_bytes) == (0, 0)
    assert_accounted(counts)


async def test_what_is_in_hand_is_not_dropped() -> None:
    """It may have arrived already."""
    counts = EndpointCounts("queued", taken=8)
    backlog = MemoryBacklog(counts, 4, 10**6)
    backlog.put(make_numbered(range(3)), NOW)
    assert len(await backlog.fetch(2, 10**6)) == 2
    backlog.put(make_numbered(range(3, 8)), NOW)
    backlog.lay_back()
    assert [read_number(entry.line) for entry in backlog.ahead] == [0, 1, 6, 7]
    assert counts.dropped == 4
    assert_accounted(counts)


async def test_batch_has_as_many_messages_and_bytes_as_are_set() -> None:
    """But one at least."""
    async with serving() as peer:
        settings = HttpEndpointSettings(url=peer.url, batch_messages=3, batch_bytes=400)
        async with opened(settings) as endpoint:
            endpoint.take(make_numbered(range(4)), NOW)
            endpoint.take(make_numbered(range(4, 6), padding=500), NOW)
            while endpoint.counts.queued:
                assert await endpoint.attempt()
        assert list_batches(peer) == [[0, 1, 2], [3], [4], [5]]


@pytest.mark.slow
async def test_first_of_a_batch_waits_for_others(autojump_clock: MockClock) -> None:
    """As long as is set, or until the batch is full."""
    autojump_clock.autojump_threshold = 0.1  # real connections take a moment
    async with serving() as peer:
        settings = HttpEndpointSettings(url=peer.url, batch_messages=3, batch_delay_seconds=5)
        async with running(settings) as endpoint:
            endpoint.take(make_numbered(range(2)), NOW)
            await trio.sleep(4)
            assert not peer.received
            await trio.sleep(2)
            assert endpoint.counts.delivered == 2
            begun = trio.current_time()
            endpoint.take(make_numbered(range(2, 4)), NOW)
            endpoint.take(make_numbered([4]), NOW)
            await wait_until(lambda: endpoint.counts.delivered == 5)
            assert trio.current_time() - begun < 5
        assert list_batches(peer) == [[0, 1], [2, 3, 4]]


async def test_pauses_double_and_are_shortened_by_chance() -> None:
    """Up to a limit."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with opened(HttpEndpointSettings(url=f"http://127.0.0.1:{port}")) as endpoint:
        endpoint.take(make_numbered([1]), NOW)
        endpoint.draw = lambda: 0.0
        pauses = []
        for _ in range(11):
            assert not await endpoint.attempt()
            pauses.append(endpoint.find_pause())
        assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]
        endpoint.draw = lambda: 1.0
        assert endpoint.find_pause() == MAX_PAUSE_SECONDS / 2


@pytest.mark.parametrize(("asked", "left_alone"), [("2000", 2000), ("99999999", MAX_ASKED_SECONDS)])
async def test_destination_that_asks_for_it_is_left_alone(
    asked: str, left_alone: float, autojump_clock: MockClock
) -> None:
    """Longer than it would be otherwise, but not for a year; and not at the end either."""
    autojump_clock.autojump_threshold = 0.1
    async with serving(Reply(503, headers={"retry-after": asked}), Reply()) as peer:
        settings = HttpEndpointSettings(url=peer.url, batch_delay_seconds=0)
        async with running(settings) as endpoint:
            endpoint.take(make_numbered([1]), NOW)
            await wait_until(lambda: endpoint.counts.failures)
            assert left_alone - 1 < endpoint.find_pause() <= left_alone
            await endpoint.finish()
            assert endpoint.counts.delivered == 0


async def test_full_queue_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """With how many are lost."""
    async with opened(HttpEndpointSettings(url="http://127.0.0.1:1", queue_messages=5)) as endpoint:
        for _ in range(3):
            endpoint.take(make_numbered(range(4)), NOW)
        assert (endpoint.counts.taken, endpoint.counts.dropped, endpoint.counts.queued) == (12, 7, 5)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "Metlog endpoint it has no room for more. Messages dropped, the oldest first: 3; in all: 3.",
        "Metlog endpoint it could not deliver everything in time. Messages lost: 5.",
    ]


async def test_half_full_queue_is_waited_for() -> None:
    """Until the other half is free again; what is read meanwhile would find no room."""
    async with serving() as peer:
        settings = HttpEndpointSettings(url=peer.url, queue_messages=10, batch_messages=2)
        async with running(settings) as endpoint:
            endpoint.take(make_numbered(range(5)), NOW)
            await endpoint.wait_room()
            assert endpoint.counts.delivered == 0
            endpoint.take(make_numbered(range(5, 9)), NOW)
            await endpoint.wait_room()
            assert endpoint.counts.delivered == 4


@pytest.mark.slow
async def test_dead_destination_is_not_waited_for(autojump_clock: MockClock) -> None:
    """One that says nothing, for a moment, once; one that fails or wants to be left alone not at all."""
    autojump_clock.autojump_threshold = 0.1  # real connections take a moment
    async with serving(Mischief.HANG, Reply(429, headers={"Retry-After": "1000"}), Mischief.HANG) as peer:
        settings = HttpEndpointSettings(url=peer.url, queue_messages=10)
        async with running(settings) as endpoint:
            endpoint.take(make_numbered(range(10)), NOW)
            for seconds in (PATIENCE_SECONDS, 0, 0):
                begun = trio.current_time()
                await endpoint.wait_room()
                assert trio.current_time() - begun == pytest.approx(seconds)
            await trio.sleep(20)
            assert endpoint.counts.failures == 2
            begun = trio.current_time()
            await endpoint.wait_room()
            assert trio.current_time() == begun


async def test_failure_is_told_once_and_that_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason and how much waits."""
    caplog.set_level(logging.INFO)
    async with serving(Reply(503), Reply(503), Reply(500), Reply()) as peer:
        async with opened(HttpEndpointSettings(url=peer.url)) as endpoint:
            endpoint.take(make_numbered(range(3)), NOW)
            assert [await endpoint.attempt() for _ in range(4)] == [False, False, False, True]
        start = f"Metlog endpoint it at {peer.url}"
        assert [message for message in caplog.messages if message.startswith("Metlog")] == [
            f"{start} failed: it answered 503. Messages that wait for the next attempt: 3.",
            f"{start} failed: it answered 500. Messages that wait for the next attempt: 3.",
            f"{start} works again, after 3 failures.",
        ]


async def test_finish_sends_what_is_left() -> None:
    """In as many batches as it takes, without a wait for more."""
    async with serving() as peer:
        settings = HttpEndpointSettings(url=peer.url, batch_messages=2, batch_delay_seconds=1000)
        async with running(settings) as endpoint:
            endpoint.take(make_numbered(range(5)), NOW)
            await endpoint.finish()
            assert (endpoint.counts.delivered, endpoint.counts.queued) == (5, 0)
        assert list_batches(peer) == [[0, 1], [2, 3], [4]]


async def test_finish_gives_up_at_a_failure() -> None:
    """There are other endpoints that need the time; what is left is lost, or in the spool."""
    async with serving(Reply(503), Reply()) as peer:
        async with opened(HttpEndpointSettings(url=peer.url)) as endpoint:
            endpoint.take(make_numbered(range(5)), NOW)
            await endpoint.finish()
            assert (endpoint.counts.queued, endpoint.counts.failures) == (5, 1)
        assert endpoint.counts.dropped == 5


async def test_end_of_the_time_leaves_an_attempt_alone() -> None:
    """A server that worked and now says nothing: the connection is not closed while it is in use."""
    async with serving(Reply(), Mischief.HANG) as peer:
        settings = HttpEndpointSettings(url=peer.url, batch_delay_seconds=0)
        async with running(settings) as endpoint:
            for number in (1, 2):
                endpoint.take(make_numbered([number]), NOW)
                await wait_until(lambda number=number: len(peer.received) == number)  # type: ignore[misc]
            with trio.move_on_after(0.05) as scope:
                await endpoint.finish()
            assert scope.cancelled_caught
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert (endpoint.counts.delivered, endpoint.counts.queued, endpoint.counts.failures) == (1, 1, 0)
        assert list_batches(peer) == [[1], [2]]


async def test_stop_in_the_middle_of_an_attempt_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is in hand is in the spool, and the next run says so and sends it."""
    caplog.set_level(logging.INFO, "pipeline")
    settings = {"batch_delay_seconds": 0.0, "spool": tmp_path / "spool"}
    async with serving(Mischief.HANG) as peer:
        async with running(HttpEndpointSettings(url=peer.url, **settings)) as endpoint:  # type: ignore[arg-type]
            endpoint.take(make_numbered(range(5)), NOW)
            await wait_until(lambda: peer.received)
        assert (endpoint.counts.queued, endpoint.counts.dropped) == (5, 0)
    async with serving() as peer:
        async with running(HttpEndpointSettings(url=peer.url, **settings)) as endpoint:  # type: ignore[arg-type]
            assert (endpoint.counts.taken, endpoint.counts.queued) == (5, 5)
            await wait_until(lambda: endpoint.counts.delivered == 5)
        assert list_batches(peer) == [[0, 1, 2, 3, 4]]
    assert not list((tmp_path / "spool").glob("*.log"))
    assert caplog.messages == ["Metlog endpoint it goes on with what waits in its spool. Messages: 5."]


async def test_json_of_several_lines_becomes_one() -> None:
    """Blanks between its values may be line feeds; in a file or a spool they would make two lines of it."""
    async with serving() as peer:
        async with opened(HttpEndpointSettings(url=peer.url, format="lines")) as endpoint:
            message = make_message(payload="1")
            message.line = message.line.replace(b", ", b",\n")
            endpoint.take([message], NOW)
            assert await endpoint.attempt()
        assert peer.received[0].body == make_message(payload="1").line + b"\n"
