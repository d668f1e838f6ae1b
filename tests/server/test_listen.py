"""The server on its socket: limits, and its end."""

from __future__ import annotations

import errno
import logging
import os
import re
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import trio
import trio.testing

from pipeline.server import bind_server, connections, listen, serve
from pipeline.server.connections import IDLE_SECONDS, REQUEST_SECONDS, SEND_SECONDS, Places, TimedStream
from pipeline.server.listen import GRACEFUL_SECONDS, FailureLog, Server
from pipeline.settings import ServerSettings
from pipeline.telemetry import ServerCounts
from pipeline.unix_socket import bind_unix_socket

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

App = Callable[[object, object, Callable[[object], Awaitable[None]]], Awaitable[None]]


async def answer_ok(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
    """Answer every request with two bytes."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(
    path: Path, app: App, shutdown: trio.Event | None = None, counts: ServerCounts | None = None
) -> AsyncIterator[Callable[[], Awaitable[trio.SocketStream]]]:
    """Serve `app` at `path`, at the longest until the block ends; give what connects a client."""
    bound = bind_server(ServerSettings(unix_socket=path))
    assert bound is not None
    if shutdown is None:
        shutdown = trio.Event()
    clients = []

    async def connect() -> trio.SocketStream:
        clients.append(await trio.open_unix_socket(str(path)))
        await trio.testing.wait_all_tasks_blocked()
        return clients[-1]

    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, cast("ASGIFramework", app), bound.socket, shutdown, counts)
            yield connect
            shutdown.set()
    finally:
        bound.close()
        for client in clients:
            client.socket.close()


async def ask(client: trio.SocketStream) -> None:
    """Ask, and be answered."""
    await client.send_all(GET)
    assert await read_answer(client)


async def read_answer(client: trio.SocketStream) -> bytes:
    """Read one answer of `answer_ok`, which is well."""
    answer = b""
    while not answer.endswith(b"ok"):
        part = await client.receive_some()
        assert part, f"it ends after {answer!r}"
        answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    return answer


async def drip(client: trio.SocketStream) -> None:
    """Send a request byte by byte, one in a second, until the other side has had enough."""
    with suppress(trio.BrokenResourceError):
        for byte in GET.removesuffix(b"\r\n") + bytes(1000):
            await client.send_all(bytes([byte]))
            await trio.sleep(1)


def make_error(text: str) -> ValueError:
    """Return an error that was raised."""
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


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
    """It gives its place back."""
    shutdown = trio.Event()
    async with serving(tmp_path / "s", answer_ok, shutdown):
        client = await trio.open_unix_socket(str(tmp_path / "s"))
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


async def test_client_that_only_ends_its_side_gets_its_answer(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """As `nc -N` does; and the end behind it, which no timer brings."""
    started = trio.current_time()
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


@pytest.mark.parametrize(
    "headers",
    [
        b"Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: !\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\n",
        b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n",
    ],
)
async def test_upgrade_is_passed_over(headers: bytes, tmp_path: Path) -> None:
    """The connection goes on with HTTP/1.1."""
    request = GET.removesuffix(b"\r\n") + headers + b"\r\n"
    async with serving(tmp_path / "s", answer_ok) as connect:
        client = await connect()
        for _ in range(2):
            await client.send_all(request)
            assert b"upgrade" not in (await read_answer(client)).lower()
        await ask(client)


async def test_http2_without_asking_is_refused(tmp_path: Path) -> None:
    """A client that begins with it is told in HTTP/1.1, and has no place any more."""
    async with serving(tmp_path / "s", answer_ok) as connect:
        client = await connect()
        await client.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await read_all(client)).startswith(b"HTTP/1.1 ")


async def test_failing_answer_is_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often it fails; its client gets status 500."""

    async def answer_wrongly(scope: object, receive: object, send: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async with serving(tmp_path / "s", answer_wrongly) as connect:
        for _ in range(3):
            client = await connect()
            await client.send_all(GET)
            assert (await read_all(client)).startswith(b"HTTP/1.1 500")
    (record,) = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert re.fullmatch(
        r"An HTTP request failed: too many open files \(test_listen\.py:\d+\)\. "
        r"Its client gets status 500, or half an answer\.",
        record.message,
    )
    assert record.exc_info is None


async def test_failures_that_were_not_told_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The next message says how many they were; the place is at level DEBUG."""
    log = FailureLog(listen.make_config())
    caplog.set_level(logging.DEBUG)
    for number in range(4):
        if number == 3:
            log.limit.next_time = None
        try:
            raise ExceptionGroup("several", [make_error("a\n b"), make_error("c")])
        except ExceptionGroup:
            await log.exception("as Hypercorn says it")
    messages = [re.sub(r"\d+\)", "1)", record.message) for record in caplog.records]
    told = "An HTTP request failed: ValueError: a b (test_listen.py:1). Its client gets status 500, or half an answer."
    assert messages == [told, "It failed here:", f"{told} 2 more since the last report.", "It failed here:"]


async def test_connection_that_fails_is_closed_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The others go on."""
    ours, theirs = socket.socketpair()
    with socket.socket(socket.AF_UNIX) as listening, theirs:
        server = Server(cast("ASGIFramework", answer_ok), listening, ServerCounts())
        server.config.h11_max_incomplete_size = cast("int", None)  # a mistake that shows only when a request comes
        theirs.send(GET)
        await server.serve_connection(server.places.enter(ours))
        while theirs.recv(65536):
            pass
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert not server.places.streams


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


async def test_client_that_has_gone_before_it_was_accepted_is_no_matter(tmp_path: Path) -> None:
    """As one is that another process has accepted."""
    async with serving(tmp_path / "s", answer_ok) as connect:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
        await ask(await connect())


async def test_client_that_another_process_accepts_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two that share a socket are both woken by one client."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    ours, theirs = socket.socketpair()
    with bind_unix_socket(tmp_path / "s", socket.SOCK_STREAM).socket as listening, theirs:
        server = Server(cast("ASGIFramework", answer_ok), listening, ServerCounts())
        busy = server.places.enter(ours)
        server.places.note_busy(busy)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.accept_connections, nursery)
            first = await trio.open_unix_socket(str(tmp_path / "s"))
            await trio.testing.wait_all_tasks_blocked()
            other, _ = listening.accept()
            server.places.leave(busy)
            await trio.testing.wait_all_tasks_blocked()
            second = await trio.open_unix_socket(str(tmp_path / "s"))
            await ask(second)
            nursery.cancel_scope.cancel()
        other.close()
        await first.aclose()
        await second.aclose()
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
