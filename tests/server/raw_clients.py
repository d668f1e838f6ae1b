"""Clients that send bytes to a server on its socket, and the small applications behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import trio
import trio.testing

from pipeline.server import bind_server, serve
from pipeline.settings import ServerSettings
from pipeline.telemetry import ServerCounts

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

App = Callable[[object, object, Callable[[object], Awaitable[None]]], Awaitable[None]]


async def answer_ok(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
    """Answer every request with two bytes."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def answer_much(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
    """Answer with more than the kernel holds for a client that does not read."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(8 * 1024 * 1024)})


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
    assert answer.startswith(b"HTTP/1.1 200"), f"it is {answer!r}"
    return answer


async def read_all(stream: trio.SocketStream) -> bytes:
    """Read to the end."""
    return b"".join([bytes(part) async for part in stream])
