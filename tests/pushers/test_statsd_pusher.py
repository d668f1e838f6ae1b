"""Pushes to statsd over real sockets, to peers that are away, move, hang or go: what is not taken is told later."""

from __future__ import annotations

import errno
import os
import select
import socket
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.errors import PushError
from pipeline.metrics import Metric
from pipeline.push_settings import PushSettings, StatsdSettings
from pipeline.pushers import PushTask
from pipeline.pushers.connection import DatagramConnection, Resolver
from pipeline.pushers.statsd import StatsdPusher
from tests.generators.some_metrics import BEGAN, make_metric, put, snap
from tests.pushers.line_peers import (
    DEADLINE_SECONDS,
    bind_udp,
    grow,
    list_addresses,
    listen_unix,
    make_counter,
    pushing,
    receive_lines,
)

MAX_BYTES = 65536


def pushing_to(
    target: str, *metrics: Metric, deadline: float = 30.0, totals: bool = False
) -> AbstractAsyncContextManager[PushTask]:
    """Give the task that pushes there."""
    settings = PushSettings(
        metric_push_write_deadline_seconds=deadline,
        statsd=StatsdSettings(statsd_hostport=target, statsd_prefix="p.", statsd_totals=totals),
    )
    return pushing(settings, *metrics)


async def test_growth_comes_in_datagrams() -> None:
    """Several lines in one; in the next push what came since."""
    metric = make_counter(3)
    peer, port = bind_udp()
    with peer:
        async with pushing_to(f"127.0.0.1:{port}", metric) as task:
            await task.push()
            assert await peer.recv(MAX_BYTES) == b"\n".join(b"p.a.mtail.hits.id.%d:5|c" % number for number in range(3))
            grow(metric, 1, by=2)
            await task.push()
            assert await peer.recv(MAX_BYTES) == b"p.a.mtail.hits.id.1:2|c"
    assert (task.counts.pushes, task.counts.failures, task.counts.series) == (2, 0, 4)


async def test_totals_come_each_time() -> None:
    """As from mtail."""
    peer, port = bind_udp()
    with peer:
        async with pushing_to(f"localhost:{port}", make_counter(), totals=True) as task:
            for _ in range(2):
                await task.push()
                assert await peer.recv(MAX_BYTES) == b"p.a.mtail.hits.id.0:5|c"


async def test_many_series_come_in_many_datagrams() -> None:
    """None is too large, and nothing is lost between them."""
    peer, port = bind_udp()
    lines: set[bytes] = set()
    with peer:
        async with (
            pushing_to(f"127.0.0.1:{port}", make_counter(400)) as task,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(task.push)
            while len(lines) < 400:
                datagram = await peer.recv(MAX_BYTES)
                assert len(datagram) <= 1432
                lines.update(datagram.split(b"\n"))
    assert task.counts.series == 400


@pytest.mark.slow
async def test_statsd_that_reads_when_it_may_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel has room for 90 datagrams that wait, and nobody would know of others. Several pauses may be missed."""
    monkeypatch.setattr("pipeline.pushers.statsd.PAUSE_SECONDS", 0.02)
    peer, port = bind_udp()
    lines: list[bytes] = []

    async def read_in_pauses() -> None:
        while True:
            await trio.lowlevel.wait_readable(peer)
            await wait_all_tasks_blocked()
            while select.select([peer], [], [], 0)[0]:
                lines.extend((await peer.recv(MAX_BYTES)).split(b"\n"))

    with peer:
        async with (
            pushing_to(f"127.0.0.1:{port}", make_counter(8000)) as task,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(read_in_pauses)
            await task.push()
            await wait_all_tasks_blocked(0.01)  # behind the reader
            nursery.cancel_scope.cancel()
    assert len(lines) == task.counts.series == 8000


async def test_what_nobody_took_is_told_to_who_comes_back() -> None:
    """On this host it is known at once that nobody listens."""
    metric = make_counter()
    peer, port = bind_udp()
    async with pushing_to(f"127.0.0.1:{port}", metric) as task:
        with peer:
            await task.push()
        for _ in range(3):
            grow(metric)
            await task.push()
            assert task.failure == "connection refused"
        assert task.counts.failures == 3
        again, _ = bind_udp(port)
        with again:
            await task.push()
            assert await again.recv(MAX_BYTES) == b"p.a.mtail.hits.id.0:3|c"
    assert task.failure == ""


async def test_refusal_that_is_known_later_is_a_failure_of_the_next_push() -> None:
    """As when another host says it: the push was over by then."""
    peer, port = bind_udp()
    async with pushing_to(f"127.0.0.1:{port}", make_counter()) as task:
        with peer:
            await task.push()
        assert isinstance(task.pusher, StatsdPusher)
        assert isinstance(task.pusher.connection, DatagramConnection)
        assert task.pusher.connection.socket is not None
        task.pusher.connection.socket.send(b"x")
        await task.push()
    assert task.failure == "connection refused"


async def test_other_address_of_the_host_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for localhost, which has one of each kind, when statsd listens on one of them. Each gets the datagram once."""
    other, dead = bind_udp()
    other.close()
    peer, port = bind_udp()
    monkeypatch.setattr(Resolver, "ask", lambda _self: list_addresses(dead, port))
    metric = make_counter()
    with peer:
        async with pushing_to("h:1", metric) as task:
            await task.push()
            grow(metric)
            await task.push()
            assert await peer.recv(MAX_BYTES) == b"p.a.mtail.hits.id.0:5|c"
            assert await peer.recv(MAX_BYTES) == b"p.a.mtail.hits.id.0:1|c"
    assert task.counts.failures == 0


async def test_address_that_cannot_be_reached_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its family is unknown, or no way leads there: to all hosts of a network only who asks for it may send."""
    peer, port = bind_udp()
    unknown = (socket.AddressFamily.AF_ASH, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", port))
    forbidden = (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("255.255.255.255", port))
    monkeypatch.setattr(Resolver, "ask", lambda _self: [unknown, forbidden, *list_addresses(port)])
    with peer:
        async with pushing_to("h:1", make_counter()) as task:
            await task.push()
            assert await peer.recv(MAX_BYTES) == b"p.a.mtail.hits.id.0:5|c"
            monkeypatch.setattr(Resolver, "ask", lambda _self: [forbidden])
            await task.push()
    assert task.failure == "permission denied"


async def test_host_that_moves_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is asked for at each push."""
    metric = make_counter()
    first, first_port = bind_udp()
    second, second_port = bind_udp()
    with first, second:
        async with pushing_to("h:1", metric) as task:
            for peer, port in ((first, first_port), (second, second_port)):
                monkeypatch.setattr(Resolver, "ask", lambda _self, port=port: list_addresses(port))
                grow(metric)
                await task.push()
                assert (await peer.recv(MAX_BYTES)).startswith(b"p.a.mtail.hits")


async def test_host_without_an_address_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is a name that the resolver does not know."""
    async with pushing_to("h:1", make_counter()) as task:
        monkeypatch.setattr(Resolver, "ask", lambda _self: [])
        await task.push()
        assert task.failure == "the host has no address"


async def test_slow_resolver_meets_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """And has one thread wait for it, however many pushes there are."""
    answered, is_asked, asked = trio.Event(), trio.Event(), []
    token = trio.lowlevel.current_trio_token()

    def ask(_self: Resolver) -> list[object]:
        asked.append(1)
        token.run_sync_soon(is_asked.set)
        trio.from_thread.run(answered.wait, trio_token=token)
        return []

    monkeypatch.setattr(Resolver, "ask", ask)
    async with pushing_to("h:1", make_counter(), deadline=0.02) as task:
        for _ in range(3):
            await task.push()
        assert task.failure == "it could not be reached within 0.02 s"
        await is_asked.wait()
        assert len(asked) == 1
        answered.set()


async def test_datagram_that_the_kernel_refuses_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason."""
    peer, port = bind_udp()
    monkeypatch.setattr("pipeline.formats.statsd.MAX_DATAGRAM_BYTES", 100_000)
    metric = make_metric("m", ("k",))
    put(metric, b"x" * 70_000)
    with peer:
        async with pushing_to(f"127.0.0.1:{port}", metric) as task:
            await task.push()
    assert task.failure == "message too long"


async def test_sending_without_a_socket_is_a_failure() -> None:
    """Not a crash."""
    with pytest.raises(PushError):
        await DatagramConnection("127.0.0.1", 1).send(b"x")


async def test_unix_socket_gets_lines_on_one_connection(tmp_path: Path) -> None:
    """Each ends with a line feed, the last one too."""
    metric = make_counter(2)
    async with listen_unix(tmp_path / "s") as listener, pushing_to(f"unix://{tmp_path}/s", metric) as task:
        await task.push()
        grow(metric, 1)
        await task.push()
        async with await listener.accept() as stream:
            assert list(await receive_lines(stream, 3)) == [
                b"p.a.mtail.hits.id.0:5|c\n",
                b"p.a.mtail.hits.id.1:5|c\n",
                b"p.a.mtail.hits.id.1:1|c\n",
            ]
    assert task.pusher.address == f"{tmp_path}/s"
    assert task.counts.failures == 0


async def test_unix_socket_that_comes_back_gets_what_was_missed(tmp_path: Path) -> None:
    """It was not there at first, and has gone later."""
    path = tmp_path / "s"
    metric = make_counter()
    async with pushing_to(f"unix://{path}", metric) as task:
        await task.push()
        assert task.failure == os.strerror(errno.ENOENT).lower()
        for growth in (6, 3):
            grow(metric)
            async with listen_unix(path) as listener:
                await task.push()
                async with await listener.accept() as stream:
                    assert list(await receive_lines(stream, 1)) == [b"p.a.mtail.hits.id.0:%d|c\n" % growth]
            grow(metric, by=2)
            await task.push()
            assert task.failure == "connection refused"
            path.unlink()
    assert task.counts.failures == 3


@pytest.mark.slow
async def test_unix_socket_that_reads_nothing_meets_the_deadline(tmp_path: Path, autojump_clock: MockClock) -> None:
    """What it did not take is told to who reads again."""
    path, count = tmp_path / "s", 30_000
    metric = make_counter(count)
    async with listen_unix(path) as listener, pushing_to(f"unix://{path}", metric, deadline=1.0) as task:
        await task.push()
        assert task.failure == "it did not take everything within 1 s"
        task.deadline = DEADLINE_SECONDS
        data = b""
        async with await listener.accept() as stream:
            async for piece in stream:
                data += piece
        *first, cut = data.split(b"\n")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            async with await listener.accept() as stream:
                data = b""
                while len({*first, *data.split(b"\n")[:-1]}) < count:
                    data += await stream.receive_some()
    again = data.split(b"\n")[:-1]
    assert task.failure == ""
    assert 0 < len(again) < count
    # Of the piece that was cut, all is told again.
    assert sum(len(line) + 1 for line in {*first} & {*again}) + len(cut) <= 4096


async def test_unix_socket_whose_queue_is_full_meets_the_deadline(tmp_path: Path) -> None:
    """And nothing is left open."""
    async with (
        listen_unix(tmp_path / "s", backlog=0),
        pushing_to(f"unix://{tmp_path}/s", make_counter(), deadline=0.2) as task,
    ):
        with trio.socket.socket(trio.socket.AF_UNIX) as other:
            await other.connect(str(tmp_path / "s"))
            await task.push()
    assert task.failure == "it could not be reached within 0.2 s"


def test_series_of_an_earlier_run_are_not_told_again() -> None:
    """What the pusher is shown before any line is counted is the base for those."""
    metric = make_counter()
    settings = PushSettings(statsd=StatsdSettings(statsd_hostport="h:1"))
    pusher = StatsdPusher(settings, BEGAN)
    metric.data[b"0",].start = BEGAN - 1
    pusher.begin(snap(metric))
    assert pusher.told is not None
    assert [*pusher.told.metrics.values()] == [{(b"0",): [BEGAN - 1, 5]}]
    totals = StatsdPusher(PushSettings(statsd=StatsdSettings(statsd_hostport="h:1", statsd_totals=True)), BEGAN)
    totals.begin(snap(metric))
    assert totals.told is None
