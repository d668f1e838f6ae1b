"""Pushes over real TCP to peers that misbehave: they refuse, hang up, read nothing, talk nonsense, have no address."""

from __future__ import annotations

import socket
from contextlib import AbstractAsyncContextManager

import pytest
import trio
from trio.testing import MockClock

from pipeline.errors import PushError
from pipeline.metrics import Metric
from pipeline.push_settings import GraphiteSettings, PushSettings
from pipeline.pushers import PushTask
from pipeline.pushers.connection import Resolver, TcpConnection
from pipeline.pushers.graphite import GraphitePusher
from tests.generators.some_metrics import make_metric, put
from tests.pushers.line_peers import make_counter, pushing

LINE = b"p.a.mtail.hits.id.0 5 1700000000\n"


def make_long_counter() -> Metric:
    """Return a counter with more than a kernel takes for a peer that does not read: 10 MB in lines of 5,000 bytes."""
    metric = make_metric("hits", ("id",))
    for number in range(2000):
        put(metric, b"%05000d" % number)
    return metric


def pushing_to(
    port: int, metric: Metric | None = None, deadline: float = 30.0
) -> AbstractAsyncContextManager[PushTask]:
    """Give the task that pushes there."""
    settings = PushSettings(
        metric_push_write_deadline_seconds=deadline,
        graphite=GraphiteSettings(graphite_host_port=f"127.0.0.1:{port}", graphite_prefix="p."),
    )
    return pushing(settings, metric or make_counter())


def listen() -> tuple[trio.SocketListener, int]:
    """Return a server on the loopback address, and its port."""
    server = trio.socket.from_stdlib_socket(socket.create_server(("127.0.0.1", 0)))
    return trio.SocketListener(server), server.getsockname()[1]


async def receive(stream: trio.SocketStream, size: int) -> bytes:
    """Return exactly `size` bytes."""
    data = b""
    while len(data) < size:
        data += await stream.receive_some(size - len(data))
    return data


async def test_connection_is_kept() -> None:
    """Two pushes come over one connection."""
    listener, port = listen()
    async with listener, pushing_to(port) as task:
        await task.push()
        await task.push()
        async with await listener.accept() as stream:
            assert await receive(stream, 2 * len(LINE)) == 2 * LINE
    assert (task.counts.pushes, task.counts.failures, task.counts.series) == (2, 0, 2)


async def test_connection_that_the_peer_closed_is_made_anew() -> None:
    """Nothing of the next push is lost in the old one, whatever the peer said before."""
    listener, port = listen()
    async with listener, pushing_to(port) as task:
        await task.push()
        async with await listener.accept() as stream:
            assert await receive(stream, len(LINE)) == LINE
            await stream.send_all(b"500 what do you want?\r\n")
        await task.push()
        async with await listener.accept() as stream:
            assert await receive(stream, len(LINE)) == LINE
    assert (task.counts.failures, task.failure) == (0, "")


async def test_connection_that_the_peer_reset_is_made_anew() -> None:
    """As it does when it ends with something unread."""
    listener, port = listen()
    async with listener, pushing_to(port) as task:
        await task.push()
        async with await listener.accept() as stream:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await task.push()
        async with await listener.accept() as stream:
            assert await receive(stream, len(LINE)) == LINE
    assert (task.counts.failures, task.failure) == (0, "")


async def test_host_that_answers_nothing_is_a_failure() -> None:
    """The queue of its server is full: packets are lost."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        first.connect(full.getsockname())
        async with pushing_to(full.getsockname()[1], deadline=0.2) as task:
            with pytest.raises(OSError, match="Connection timed out"):
                await TcpConnection("127.0.0.1", full.getsockname()[1], 0.05).connect()
            await task.push()
    assert task.failure in ("it could not be reached within 0.2 s", "connection timed out")


async def test_nonsense_of_the_peer_is_thrown_away() -> None:
    """The connection stays, and the next push goes over it."""
    listener, port = listen()
    async with listener, pushing_to(port) as task:
        await task.push()
        async with await listener.accept() as stream:
            await stream.send_all(b"\0\xff\r\n" * 10_000)
            await task.push()
            assert await receive(stream, 2 * len(LINE)) == 2 * LINE


async def test_refusal_is_a_failure() -> None:
    """And it works again when somebody listens."""
    listener, port = listen()
    await listener.aclose()
    async with pushing_to(port) as task:
        await task.push()
        assert (task.failure, task.failures_in_a_row) == ("connection refused", 1)
        server = socket.create_server(("127.0.0.1", port))
        async with trio.SocketListener(trio.socket.from_stdlib_socket(server)) as again:
            await task.push()
            async with await again.accept() as stream:
                assert await receive(stream, len(LINE)) == LINE
    assert (task.failure, task.failures_in_a_row, task.counts.failures) == ("", 0, 1)


async def test_peer_that_reads_nothing_meets_the_deadline(mock_clock: MockClock) -> None:
    """More than its kernel takes for it: the push fails in time, and the connection is given up."""
    listener, port = listen()
    async with listener, pushing_to(port, make_long_counter(), deadline=0.2) as task:
        await task.pusher.connect()
        mock_clock.autojump_threshold = 0  # time passes when nothing more is taken, and not before
        await task.push()
        assert task.failure == "it did not take everything within 0.2 s"
        assert isinstance(task.pusher, GraphitePusher)
        assert task.pusher.connection.socket is None
    assert (task.counts.failures, task.counts.series) == (1, 0)


async def test_peer_that_closes_in_the_middle_is_a_failure() -> None:
    """The next push sends all of it again."""
    listener, port = listen()
    async with listener, pushing_to(port, make_long_counter()) as task, trio.open_nursery() as nursery:
        nursery.start_soon(task.push)
        async with await listener.accept() as stream:
            await stream.receive_some(1000)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert task.failure in ("connection reset by peer", "broken pipe")


async def test_slow_resolver_keeps_one_thread_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pushes fail in time while it is waited for, and do not add threads."""
    answered, is_asked, asked = trio.Event(), trio.Event(), []
    token = trio.lowlevel.current_trio_token()

    def ask(_self: Resolver) -> list[tuple[object, ...]]:
        asked.append(1)
        token.run_sync_soon(is_asked.set)
        trio.from_thread.run(answered.wait, trio_token=token)
        return []

    monkeypatch.setattr(Resolver, "ask", ask)
    async with pushing_to(1, deadline=0.02) as task:
        for _ in range(3):
            await task.push()
        assert task.failure == "it could not be reached within 0.02 s"
        assert task.counts.failures == 3
        await is_asked.wait()
        assert len(asked) == 1
        answered.set()


async def test_each_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one answers."""
    listener, port = listen()
    other, dead = listen()
    await other.aclose()
    addresses = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", dead)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(Resolver, "ask", lambda _self: addresses)
    async with listener, pushing_to(1) as task:
        await task.push()
        assert task.failure == ""


async def test_host_without_an_address_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has none, or is no name at all."""
    async with pushing_to(1) as task:
        with monkeypatch.context() as patch:
            patch.setattr(Resolver, "ask", lambda _self: [])
            await task.push()
        assert task.failure == "the host has no address"
    with pytest.raises(PushError, match="the host has no valid name"):
        Resolver("a" * 64 + ".example", 1, socket.SOCK_STREAM).ask()


async def test_cancelled_connect_leaves_no_socket() -> None:
    """Also when it is the daemon that ends."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    with full, trio.move_on_after(0.2):
        port = full.getsockname()[1]
        held = [TcpConnection("127.0.0.1", port, 60.0) for _ in range(5)]
        for connection in held:
            await connection.connect()
    assert held[-1].socket is None
    for connection in held:
        connection.disconnect()


async def test_sending_without_a_connection_is_a_failure() -> None:
    """Not a crash."""
    with pytest.raises(PushError):
        await TcpConnection("127.0.0.1", 1, 1.0).send(b"x")
