"""Listens on the unix socket, and speaks HTTP on its connections: Hypercorn's protocol code on Trio.

Connections are accepted here and not by Hypercorn, which has no limit on their number, and waits
without end for a client that does not take its answer (even when it is told to stop).
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import cast

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIFramework, ConnectionState
from hypercorn.utils import wrap_app

from pipeline.settings import ServerSettings
from pipeline.unix_socket import BoundSocket, bind_unix_socket, find_group

logger = logging.getLogger(__name__)

# A scraper opens one connection, a proxy a few. One that is idle gives its place back
# after IDLE_SECONDS; until then more clients wait in the kernel's queue.
MAX_CONNECTIONS = 32

# The time mtail gives an idle connection; nginx keeps its side open for 60 s and reconnects.
IDLE_SECONDS = 30.0

# Prometheus gives up on a scrape after 10 s. A client that takes less than SEND_BYTES in that time is gone.
SEND_SECONDS = 10.0
SEND_BYTES = 64 * 1024

# The request line and headers. nginx passes on up to 32 KiB, Prometheus sends under 1 KiB.
MAX_REQUEST_BYTES = 32 * 1024

# What an answer that is under way at the end may still take.
GRACEFUL_SECONDS = 3.0


class TimedStream(trio.abc.HalfCloseableStream):
    """A connection whose peer must take what is sent within `SEND_SECONDS`."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.socket = stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`; a peer that stops taking it is treated as gone."""
        view = memoryview(data)
        for start in range(0, max(len(view), 1), SEND_BYTES):
            with trio.move_on_after(SEND_SECONDS) as scope:
                await self.stream.send_all(view[start : start + SEND_BYTES])
            if scope.cancelled_caught:
                raise trio.BrokenResourceError(f"the client took too little for {SEND_SECONDS:.0f} s")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel takes more."""
        await self.stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Tell the peer that nothing more comes."""
        await self.stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return what has arrived; nothing at the end."""
        return await self.stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close the connection."""
        await self.stream.aclose()

    def cut(self) -> None:
        """Close the connection at once; a send that is under way fails, even one that is shielded."""
        self.socket.close()


class Connection(TCPServer):
    """Hypercorn's connection, which ends when the client has gone.

    Hypercorn's own lets the timer of an idle connection run out first, and so the connection
    keeps its place for `IDLE_SECONDS` more.
    """

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


class LimitedListener(trio.abc.Listener[TimedStream]):
    """Accepts while fewer than `MAX_CONNECTIONS` are open; `release` tells that one has ended."""

    def __init__(self, sock: socket.socket) -> None:
        self.listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        self.places = trio.Semaphore(MAX_CONNECTIONS)
        self.streams: set[TimedStream] = set()

    async def accept(self) -> TimedStream:
        """Wait for a place, then for a connection."""
        await self.places.acquire()
        try:
            stream = TimedStream(await self.listener.accept())
        except BaseException:
            self.places.release()
            raise
        self.streams.add(stream)
        return stream

    def release(self, stream: TimedStream) -> None:
        """Give the place of `stream` back."""
        self.streams.remove(stream)
        self.places.release()

    async def aclose(self) -> None:
        """Stop listening."""
        await self.listener.aclose()


def bind_server(settings: ServerSettings) -> BoundSocket | None:
    """Return the listening socket that `settings` ask for, if any; `SettingError` when that cannot be."""
    if settings.unix_socket is None:
        return None
    return bind_unix_socket(
        settings.unix_socket,
        socket.SOCK_STREAM,
        mode=settings.unix_socket_mode,
        group=find_group(settings.unix_socket_group),
    )


def make_config() -> Config:
    """Return Hypercorn's settings."""
    config = Config()
    config.keep_alive_timeout = IDLE_SECONDS
    config.h11_max_incomplete_size = MAX_REQUEST_BYTES
    config.h2_max_header_list_size = MAX_REQUEST_BYTES
    config.include_server_header = False
    config.errorlog = logger
    return config


async def serve(
    app: ASGIFramework,
    listening: socket.socket,
    shutdown: trio.Event,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer until `shutdown`; then idle connections are closed, busy ones have `GRACEFUL_SECONDS`."""
    context = WorkerContext(None)
    listener = LimitedListener(listening)
    handle = partial(serve_connection, wrap_app(app, 0, "asgi"), make_config(), context, listener)
    async with trio.open_nursery() as ending:
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(partial(trio.serve_listeners, handle, [listener], handler_nursery=connections))
                task_status.started()
                await shutdown.wait()
                accepting.cancel_scope.cancel()
            await context.terminated.set()
            ending.start_soon(cut_late_connections, listener, connections.cancel_scope)
        ending.cancel_scope.cancel()


async def cut_late_connections(listener: LimitedListener, connections: trio.CancelScope) -> None:
    """After `GRACEFUL_SECONDS`, end what is still under way: answers being made, and being sent."""
    await trio.sleep(GRACEFUL_SECONDS)
    connections.cancel()
    for stream in listener.streams:
        stream.cut()


async def serve_connection(
    app: AppWrapper, config: Config, context: WorkerContext, listener: LimitedListener, stream: TimedStream
) -> None:
    """Answer the requests of one connection."""
    # Hypercorn tells a plain connection from one with TLS by its attributes, not by its type.
    plain = cast("trio.SSLStream[trio.SocketStream]", stream)
    try:
        await Connection(app, config, context, ConnectionState({}), plain)
    except Exception:
        # The border of one connection: what went wrong on it must not end the others.
        logger.exception("A connection failed. It was closed.")
    finally:
        listener.release(stream)
