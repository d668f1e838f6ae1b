"""Connections have limits: how many there are, how long each may take, and who makes room; real sockets."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from pipeline.server import connections
from pipeline.server.connections import IDLE_SECONDS, REQUEST_SECONDS, SEND_SECONDS, Places, TimedStream
from pipeline.telemetry import ServerCounts
from tests.server.raw_clients import GET, answer_much, answer_ok, ask, read_all, read_answer, serving


async def drip(client: trio.SocketStream) -> None:
    """Send a request byte by byte, one in a second, until the other side has had enough."""
    with suppress(trio.BrokenResourceError):
        for byte in GET.removesuffix(b"\r\n") + bytes(1000):
            await client.send_all(bytes([byte]))
            await trio.sleep(1)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let the process open no more than it has open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    fillers = [os.dup(0)]
    while fillers[-1] < highest:
        fillers.append(os.dup(0))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 1, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for filler in fillers:
            os.close(filler)


async def test_idle_connection_is_closed_in_time(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """It gives its place back."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_ok, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
        started = trio.current_time()
        assert await read_all(client) == b""
        assert trio.current_time() - started == pytest.approx(IDLE_SECONDS)
        shutdown.set()
    await client.aclose()


async def test_client_that_takes_nothing_is_given_up(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """It gives its place back."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_much, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
        await client.send_all(GET)
        await trio.sleep(SEND_SECONDS + 1)
        assert len(await read_all(client)) < 8 * 1024 * 1024
        shutdown.set()
    await client.aclose()


async def test_connection_that_is_idle_longest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have asked before, or be in the middle of a request; it is counted."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    counts = ServerCounts()
    async with serving(tmp_path / "s", answer_ok, counts=counts) as connect:
        asked, half, silent = [await connect() for _ in range(3)]
        await half.send_all(b"GET / HTT")
        await ask(asked)
        new = await connect()
        await ask(new)
        assert await read_all(half) == b""
        assert counts.connections_evicted == 1
        newest = await connect()
        await ask(newest)
        assert await read_all(silent) == b""
        for client in (asked, new, newest):
            await ask(client)
    assert counts.connections_evicted == 2


async def test_idle_crowd_keeps_nobody_out(tmp_path: Path) -> None:
    """However many there are: whoever asks is answered."""
    async with serving(tmp_path / "s", answer_ok) as connect:
        crowd = [await connect() for _ in range(10 * connections.MAX_CONNECTIONS)]
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, await connect())
            for client in crowd:
                nursery.start_soon(client.aclose)


async def test_answer_under_way_is_not_cut_for_a_new_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one waits, until an answer is sent or a client has gone."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    answering = trio.Event()

    async def answer_late(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
        await answering.wait()
        await answer_ok(scope, receive, send)

    async with serving(tmp_path / "s", answer_late) as connect:
        first, second = await connect(), await connect()
        for client in (first, second):
            await client.send_all(GET)
        waiting = [await connect() for _ in range(4)]
        for client in waiting:
            await client.send_all(GET)
        await second.aclose()
        await trio.testing.wait_all_tasks_blocked()
        answering.set()
        for client in (first, *waiting):
            await read_answer(client)


async def test_client_that_leaves_gives_its_place_back_at_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Not after the time that an idle connection has."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_ok, shutdown):
        started = trio.current_time()
        for _ in range(connections.MAX_CONNECTIONS + 1):
            async with await trio.open_unix_socket(str(tmp_path / "s")) as client:
                await client.send_all(GET)
                assert (await client.receive_some()).startswith(b"HTTP/1.1 200")
        assert trio.current_time() == started
        shutdown.set()


async def test_request_must_come_in_time(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """From its first byte on, however busily the others follow."""
    async with serving(tmp_path / "s", answer_ok) as connect:
        client = await connect()
        await trio.sleep(IDLE_SECONDS / 2)
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip, client)
            with suppress(trio.BrokenResourceError):  # what the server has not read is lost
                assert await read_all(client) == b""
            assert trio.current_time() - started == pytest.approx(REQUEST_SECONDS)
            nursery.cancel_scope.cancel()


async def test_each_request_has_its_time(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """What one request took is not held against the next."""
    async with serving(tmp_path / "s", answer_ok) as connect:
        client = await connect()
        for _ in range(4):
            await trio.sleep(IDLE_SECONDS - REQUEST_SECONDS)
            await client.send_all(GET[:5])
            await trio.sleep(REQUEST_SECONDS - 1)
            await client.send_all(GET[5:])
            await read_answer(client)


async def test_client_waits_while_there_is_no_descriptor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """That is told once, and tried again and again."""
    async with serving(tmp_path / "s", answer_ok):
        with socket.socket(socket.AF_UNIX) as late:
            with no_descriptors():
                late.connect(str(tmp_path / "s"))
                await trio.sleep(2)
            client = trio.SocketStream(trio.socket.from_stdlib_socket(late))
            await ask(client)
    assert caplog.messages == [
        "A client for the metrics has to wait: too many open files. It is tried again every 0.1 s."
    ]


async def test_idle_connection_gives_its_descriptor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """Where a new one cannot be had otherwise."""
    counts = ServerCounts()
    async with serving(tmp_path / "s", answer_ok, counts=counts) as connect:
        idle = await connect()
        await ask(idle)
        await trio.testing.wait_all_tasks_blocked()
        with socket.socket(socket.AF_UNIX) as late, no_descriptors():
            late.connect(str(tmp_path / "s"))
            await ask(trio.SocketStream(trio.socket.from_stdlib_socket(late)))
            assert await read_all(idle) == b""
    assert counts.connections_evicted == 1
    assert caplog.messages == []


async def test_connection_that_was_closed_does_not_become_idle() -> None:
    """Its answer may still be on the way when it is cut."""
    ours, theirs = socket.socketpair()
    places = Places(ServerCounts())
    stream = places.enter(ours)
    places.note_busy(stream)
    places.leave(stream)
    places.note_idle(stream)
    assert not places.evict()
    theirs.close()


async def test_timed_stream_is_a_stream() -> None:
    """Trio's own tests for streams hold."""

    async def make_pair() -> tuple[TimedStream, TimedStream]:
        ours, theirs = trio.socket.socketpair()
        return TimedStream(trio.SocketStream(ours)), TimedStream(trio.SocketStream(theirs))

    async def make_clogged_pair() -> tuple[TimedStream, TimedStream]:
        pair = await make_pair()
        for stream in pair:
            with suppress(BlockingIOError):
                while True:
                    os.write(stream.socket.fileno(), bytes(65536))
        return pair

    await trio.testing.check_half_closeable_stream(make_pair, make_clogged_pair)
