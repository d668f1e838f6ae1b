"""The server on its socket: limits, and its end."""

from __future__ import annotations

import logging
import os
import select
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import trio
import trio.testing
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.utils import wrap_app

from pipeline.server import bind_server, listen, serve
from pipeline.server.listen import GRACEFUL_SECONDS, IDLE_SECONDS, SEND_SECONDS, LimitedListener, TimedStream
from pipeline.settings import ServerSettings

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

App = Callable[[object, object, Callable[[object], Awaitable[None]]], Awaitable[None]]


async def answer_ok(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
    """Answer every request with two bytes."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(path: Path, app: App, shutdown: trio.Event) -> AsyncIterator[trio.Nursery]:
    """Serve `app` at `path` until `shutdown`."""
    bound = bind_server(ServerSettings(unix_socket=path))
    assert bound is not None
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, cast("ASGIFramework", app), bound.socket, shutdown)
            yield nursery
    finally:
        bound.close()


async def read_all(stream: trio.SocketStream) -> bytes:
    """Read to the end."""
    return b"".join([bytes(part) async for part in stream])


def test_without_a_path_nothing_is_bound() -> None:
    """Metrics are then not served at all."""
    assert bind_server(ServerSettings()) is None


async def test_idle_connection_ends_with_the_server(tmp_path: Path) -> None:
    """At once, without its graceful seconds."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_ok, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
        await client.send_all(GET)
        assert (await client.receive_some()).startswith(b"HTTP/1.1 200")
        shutdown.set()
        await read_all(client)
    await client.aclose()


async def test_idle_connection_is_closed_in_time(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """It gives its place back; half a request counts as idle."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_ok, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
        await client.send_all(b"GET / HTT")
        started = trio.current_time()
        assert await read_all(client) == b""
        assert trio.current_time() - started == pytest.approx(IDLE_SECONDS)
        shutdown.set()
    await client.aclose()


async def test_answer_under_way_has_its_graceful_seconds(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Then it is cut off."""
    shutdown = trio.Event()
    asked = trio.Event()

    async def answer_never(scope: object, receive: object, send: object) -> None:
        asked.set()
        await trio.sleep_forever()

    async with serving(tmp_path / "s", answer_never, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
        await client.send_all(GET)
        await asked.wait()
        shutdown.set()
        started = trio.current_time()
        await read_all(client)
        assert trio.current_time() - started == pytest.approx(GRACEFUL_SECONDS)
    await client.aclose()


async def answer_much(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
    """Answer with more than the kernel holds for a client that does not read."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(8 * 1024 * 1024)})


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


async def test_client_that_takes_nothing_does_not_hold_up_the_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Although Hypercorn shields what it sends."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_much, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
        await client.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        started = trio.current_time()
        shutdown.set()
    assert trio.current_time() - started == pytest.approx(GRACEFUL_SECONDS)
    await client.aclose()


async def test_large_answer_arrives_whole(tmp_path: Path) -> None:
    """It is sent in slices."""
    shutdown = trio.Event()
    body = bytes(range(256)) * 4096

    async def answer_bytes(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with serving(tmp_path / "s", answer_bytes, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
        await client.send_all(b"GET / HTTP/1.0\r\n\r\n")
        assert (await read_all(client)).endswith(body)
        shutdown.set()
    await client.aclose()


async def test_over_long_request_is_refused(tmp_path: Path) -> None:
    """A client cannot fill our memory with headers."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_ok, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
        await client.send_all(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * listen.MAX_REQUEST_BYTES)
        assert (await client.receive_some()).startswith(b"HTTP/1.1 431")
        shutdown.set()
    await client.aclose()


async def test_connections_beyond_the_limit_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one gets the place of one that has ended."""
    monkeypatch.setattr(listen, "MAX_CONNECTIONS", 1)
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_ok, shutdown):
        first = await trio.open_unix_socket(str(tmp_path / "s"))
        second = await trio.open_unix_socket(str(tmp_path / "s"))
        await first.send_all(GET)
        await second.send_all(GET)
        assert (await first.receive_some()).startswith(b"HTTP/1.1 200")
        await trio.testing.wait_all_tasks_blocked()
        assert select.select([second.socket.fileno()], [], [], 0)[0] == []
        await first.aclose()
        assert (await second.receive_some()).startswith(b"HTTP/1.1 200")
        await second.aclose()
        shutdown.set()


async def test_client_that_leaves_gives_its_place_back_at_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Not after the time that an idle connection has."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_ok, shutdown):
        started = trio.current_time()
        for _ in range(listen.MAX_CONNECTIONS + 1):
            async with await trio.open_unix_socket(str(tmp_path / "s")) as client:
                await client.send_all(GET)
                assert (await client.receive_some()).startswith(b"HTTP/1.1 200")
        assert trio.current_time() == started
        shutdown.set()


async def test_client_that_only_ends_its_side_gets_its_answer(tmp_path: Path) -> None:
    """As `nc -N` does."""
    shutdown = trio.Event()
    answering = trio.Event()

    async def answer_late(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
        await answering.wait()
        await answer_ok(scope, receive, send)

    async with serving(tmp_path / "s", answer_late, shutdown):
        async with await trio.open_unix_socket(str(tmp_path / "s")) as client:
            await client.send_all(GET)
            await client.send_eof()
            await trio.testing.wait_all_tasks_blocked()
            answering.set()
            assert (await read_all(client)).endswith(b"ok")
        shutdown.set()


async def test_refused_accept_gives_its_place_back(tmp_path: Path) -> None:
    """Otherwise a few refusals would end the service."""
    with socket.socket(socket.AF_UNIX) as unbound:
        unbound.setblocking(False)
        unbound.bind(str(tmp_path / "s"))
        unbound.listen(1)
        listener = LimitedListener(unbound)
        with trio.move_on_after(0):
            await listener.accept()
        assert listener.places.value == listen.MAX_CONNECTIONS
        await listener.aclose()


async def test_connection_that_fails_is_closed_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The others go on."""
    ours, theirs = trio.socket.socketpair()
    bound = bind_server(ServerSettings(unix_socket=tmp_path / "s"))
    assert bound is not None
    listener = LimitedListener(bound.socket)
    await listener.places.acquire()
    stream = TimedStream(trio.SocketStream(ours))
    listener.streams.add(stream)
    config = Config()
    config.h11_max_incomplete_size = cast("int", None)  # a mistake that shows only when a request comes
    app = wrap_app(cast("ASGIFramework", answer_ok), 0, "asgi")
    handle = partial(listen.serve_connection, app, config, WorkerContext(None), listener)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(handle, stream)
        await trio.SocketStream(theirs).send_all(GET)
    assert caplog.messages == ["A connection failed. It was closed."]
    assert caplog.records[0].levelno == logging.ERROR
    assert listener.places.value == listen.MAX_CONNECTIONS
    theirs.close()
    await listener.aclose()


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
