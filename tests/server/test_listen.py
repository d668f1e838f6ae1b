"""The server on its socket: what it takes for a request, what it says of failures, and its end."""

from __future__ import annotations

import errno
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import trio
import trio.testing

from pipeline.server import bind_server, connections, listen
from pipeline.server.listen import GRACEFUL_SECONDS, FailureLog, Server
from pipeline.settings import ServerSettings
from pipeline.telemetry import ServerCounts
from pipeline.unix_socket import bind_unix_socket
from tests.server.raw_clients import GET, answer_much, answer_ok, ask, read_all, read_answer, serving

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework


def make_error(text: str) -> ValueError:
    """Return an error that was raised."""
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


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
