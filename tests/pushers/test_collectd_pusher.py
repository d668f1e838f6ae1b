"""Pushes to peers that answer as collectd does, or that refuse, hang up, say nothing or talk nonsense."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.metrics import Kind, Metric
from pipeline.push_settings import CollectdSettings, PushSettings
from pipeline.pushers import PushTask
from pipeline.pushers.collectd import CollectdPusher
from tests.generators.some_metrics import NOW, make_metric, put_histogram
from tests.pushers.line_peers import grow, listen_unix, make_counter, pushing, receive_lines

TAKEN = b"0 Success: 1 value has been dispatched.\n"
UNKNOWN = b"-1 Type `counter' isn't defined.\n"


def pushing_to(path: Path, *metrics: Metric, deadline: float = 30.0) -> AbstractAsyncContextManager[PushTask]:
    """Give the task that pushes there."""
    settings = PushSettings(
        metric_push_write_deadline_seconds=deadline, collectd=CollectdSettings(collectd_socketpath=path)
    )
    return pushing(settings, *metrics)


async def answer(listener: trio.SocketListener, say: Callable[[bytes], bytes]) -> None:
    """Answer what comes on one connection, line by line."""
    async with await listener.accept() as stream:
        unread = b""
        async for data in stream:
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                await stream.send_all(say(line))


async def push_to(path: Path, metric: Metric, say: Callable[[bytes], bytes]) -> PushTask:
    """Push once to a peer that says something to each line; it may end by having its connection closed."""
    async with listen_unix(path) as listener, pushing_to(path, metric) as task, trio.open_nursery() as nursery:
        nursery.start_soon(answer, listener, say)
        await task.push()
        nursery.cancel_scope.cancel()
    return task


async def test_series_are_taken_on_one_connection(tmp_path: Path) -> None:
    """Each is a command; the interval is that of the pushes. Of one second, none is sent twice."""
    metric = make_counter(2)
    async with listen_unix(tmp_path / "c") as listener, pushing_to(tmp_path / "c", metric) as task:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            stream = await listener.accept()
            assert list(await receive_lines(stream, 2)) == [
                b'PUTVAL "host/mtail-a.mtail/counter-hits-id-%d" interval=60 1700000000:5\n' % number
                for number in range(2)
            ]
            await stream.send_all(TAKEN * 2)
        await task.push()
        grow(metric, 1)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            assert list(await receive_lines(stream, 1)) == [
                b'PUTVAL "host/mtail-a.mtail/counter-hits-id-1" interval=60 1700000001:6\n'
            ]
            await stream.send_all(TAKEN)
    assert (task.counts.pushes, task.counts.failures, task.counts.series, task.counts.rejected) == (3, 0, 3, 0)
    assert task.pusher.problems == ()


async def test_series_that_has_not_changed_has_the_time_of_the_push(tmp_path: Path) -> None:
    """Collectd would forget it, and refuse what has the time of before."""
    async with listen_unix(tmp_path / "c") as listener, pushing_to(tmp_path / "c", make_counter()) as task:
        assert isinstance(task.pusher, CollectdPusher)
        task.pusher.read_clock = lambda: NOW + 60 * 10**9
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            stream = await listener.accept()
            await receive_lines(stream, 1)
            await stream.send_all(TAKEN)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            assert list(await receive_lines(stream, 1)) == [
                b'PUTVAL "host/mtail-a.mtail/counter-hits-id-0" interval=60 1700000060:5\n'
            ]
            await stream.send_all(TAKEN)
    assert task.counts.series == 2


async def test_what_is_refused_is_sent_again(tmp_path: Path) -> None:
    """Collectd may have learned the type meanwhile; until then the warning stands."""
    async with listen_unix(tmp_path / "c") as listener, pushing_to(tmp_path / "c", make_counter()) as task:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            stream = await listener.accept()
            await receive_lines(stream, 1)
            await stream.send_all(UNKNOWN)
        problems = list(task.pusher.problems)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            await receive_lines(stream, 1)
            await stream.send_all(TAKEN)
    assert (task.counts.series, task.counts.rejected) == (1, 1)
    assert (len(problems), len(task.pusher.problems)) == (1, 0)


async def test_answers_may_come_in_any_pieces(tmp_path: Path) -> None:
    """Byte by byte, with a carriage return, or without a text."""
    said = iter([b"0 Success\r\n", b"0\n", TAKEN])
    async with (
        listen_unix(tmp_path / "c") as listener,
        pushing_to(tmp_path / "c", make_counter(3)) as task,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(task.push)
        async with await listener.accept() as stream:
            await receive_lines(stream, 3)
            for byte in b"".join(said):
                await stream.send_all(bytes([byte]))
                await wait_all_tasks_blocked()
    assert (task.failure, task.counts.series) == ("", 3)


async def test_no_more_than_a_hundred_lines_are_unanswered(tmp_path: Path) -> None:
    """Who writes on without reading makes collectd wait for it, and waits for collectd."""
    async with (
        listen_unix(tmp_path / "c") as listener,
        pushing_to(tmp_path / "c", make_counter(250)) as task,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(task.push)
        async with await listener.accept() as stream:
            for count in (100, 100, 50):
                await receive_lines(stream, count)
                await wait_all_tasks_blocked()
                assert select.select([stream.socket], [], [], 0)[0] == []
                await stream.send_all(TAKEN * count)
    assert (task.failure, task.counts.series) == ("", 250)


async def test_series_that_are_refused_are_counted_and_told(tmp_path: Path) -> None:
    """The push goes on; the first reason of a metric stands for all."""
    metric = make_counter(5)
    task = await push_to(tmp_path / "c", metric, lambda line: UNKNOWN if b"-3" in line or b"-4" in line else TAKEN)
    assert (task.failure, task.counts.series, task.counts.rejected) == ("", 3, 2)
    assert task.pusher.problems == (
        f"Collectd refuses series of metric `hits` at {metric.source}: Type `counter' isn't defined.",
    )


async def test_series_of_a_histogram_is_counted_once(tmp_path: Path) -> None:
    """Even if none of its buckets is taken, and if it has more commands than may be unread."""
    metric = make_metric("h", ("k",), Kind.HISTOGRAM, buckets=tuple(map(float, range(121))))
    for key in (b"a", b"b", b"c"):
        put_histogram(metric, key, counts=[1] * 121)
    task = await push_to(tmp_path / "c", metric, lambda line: UNKNOWN if b"-a-" in line else TAKEN)
    assert (task.counts.series, task.counts.rejected) == (2, 1)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "it does not answer as collectd does: 'HTTP/1.1 400 Bad Request'"),
        (b"1 Value found\nvalue=1\n", "it does not answer as collectd does: '1 Value found'"),
        (b"\xff\0\x1b[2J\n", "it does not answer as collectd does: '\ufffd\ufffd\ufffd[2J'"),
        (b"\n", "it does not answer as collectd does: ''"),
        (b"0" * 5000, "it answers without an end"),
        (b"-1\n" * 5, ""),
    ],
    ids=["other", "positive", "bytes", "empty", "endless", "too many"],
)
async def test_nonsense(tmp_path: Path, said: bytes, told: str) -> None:
    """It fails the push, and the connection is given up. What is said beyond the answers is thrown away."""
    task = await push_to(tmp_path / "c", make_counter(), lambda _line: said)
    assert task.failure == told
    assert isinstance(task.pusher, CollectdPusher)
    assert task.counts.rejected == (told == "")


async def test_answers_too_many_are_not_those_of_the_next_push(tmp_path: Path) -> None:
    """The next push reads its own."""
    metric = make_counter()
    async with listen_unix(tmp_path / "c") as listener, pushing_to(tmp_path / "c", metric) as task:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            stream = await listener.accept()
            await receive_lines(stream, 1)
            await stream.send_all(TAKEN + UNKNOWN * 1000)
        grow(metric)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            await receive_lines(stream, 1)
            await stream.send_all(TAKEN)
    assert (task.counts.failures, task.counts.series, task.counts.rejected) == (0, 2, 0)


async def test_peer_that_hangs_up_is_a_failure(tmp_path: Path) -> None:
    """In the middle of its answers. The next push connects again, and says all again."""
    async with listen_unix(tmp_path / "c") as listener, pushing_to(tmp_path / "c", make_counter(2)) as task:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            async with await listener.accept() as stream:
                await receive_lines(stream, 2)
                await stream.send_all(TAKEN)
        assert task.failure == "it has closed the connection"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            async with await listener.accept() as stream:
                await receive_lines(stream, 2)
                await stream.send_all(TAKEN * 2)
    assert (task.failure, task.counts.series) == ("", 2)


async def test_peer_that_says_nothing_meets_the_deadline(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It has taken the commands, or not even the connection."""
    path = tmp_path / "c"
    async with listen_unix(path, backlog=0), pushing_to(path, make_counter(), deadline=0.1) as task:
        await task.push()
        assert task.failure == "it did not take everything within 0.1 s"
        await task.push()
        assert task.failure == "it could not be reached within 0.1 s"


async def test_collectd_that_is_away(tmp_path: Path) -> None:
    """It has never run, then it has crashed, then it is back."""
    path = tmp_path / "c"
    async with pushing_to(path, make_counter()) as task:
        await task.push()
        assert task.failure == os.strerror(errno.ENOENT).lower()
        await listen_unix(path).aclose()
        await task.push()
        assert task.failure == "connection refused"
        path.unlink()
        async with listen_unix(path) as listener, trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            async with await listener.accept() as stream:
                await receive_lines(stream, 1)
                await stream.send_all(TAKEN)
    assert (task.failure, task.counts.failures) == ("", 2)
