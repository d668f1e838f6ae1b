"""Listens on the unix socket, and speaks HTTP on its connections: Hypercorn's protocol code on Trio.

Connections are accepted here and not by Hypercorn, which has no limit on their number, and waits
without end for a client that does not take its answer (even when it is told to stop).
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from pathlib import Path
from traceback import walk_tb

import trio
from hypercorn.config import Config
from hypercorn.logging import Logger
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework
from hypercorn.utils import wrap_app

from pipeline.descriptors import SOCKET_NAME, Descriptors, identify_descriptor
from pipeline.errors import describe_os_error
from pipeline.ownership import Ownership, find_group
from pipeline.rate_limit import RateLimit
from pipeline.server.connections import Connection, Places, TimedStream
from pipeline.settings import ServerSettings
from pipeline.telemetry import ServerCounts
from pipeline.unix_socket import BoundSocket, bind_unix_socket, is_listening, is_listening_at

logger = logging.getLogger(__name__)

# The request line and headers. nginx passes on up to 32 KiB, Prometheus sends under 1 KiB.
MAX_REQUEST_BYTES = 32 * 1024

# What an answer that is under way at the end may still take.
GRACEFUL_SECONDS = 3.0

ACCEPT_PAUSE_SECONDS = 0.1
"""How long to wait for a descriptor to come free when there is none for a new connection."""

REPORT_INTERVAL = 60 * 10**9
"""Nanoseconds between two messages of a kind that clients can cause."""

HTTP_NAME = "http"
"""What a socket for HTTP that systemd passes may be called, instead of being named by its path."""


class FailureLog(Logger):
    """Hypercorn's log of failures, of which a client may cause any number: a line each, and few of them."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.limit = RateLimit(REPORT_INTERVAL)

    async def exception(self, message: str, *args: object, **kwargs: object) -> None:
        """Report the exception that is being handled."""
        error = sys.exception()
        assert error is not None, "called where an exception is handled"
        if (suppressed := self.limit.admit(time.monotonic_ns())) is not None:
            logger.error(
                "An HTTP request failed: %s. Its client gets status 500, or half an answer.%s",
                describe_failure(error),
                describe_suppressed(suppressed),
            )
            logger.debug("It failed here:", exc_info=error)


class Server:
    """Answers on one socket."""

    def __init__(self, app: ASGIFramework, listening: socket.socket, counts: ServerCounts) -> None:
        self.app = wrap_app(app, 0, "asgi")
        self.listening = listening
        self.config = make_config()
        self.context = WorkerContext(None)
        self.places = Places(counts)
        self.limit = RateLimit(REPORT_INTERVAL)

    async def accept_connections(self, connections: trio.Nursery) -> None:
        """Serve all who come, in tasks of `connections`, until cancelled; then listen no more."""
        with self.listening:
            while True:
                await trio.lowlevel.wait_readable(self.listening)
                await self.places.wait_room()
                try:
                    connection, _ = self.listening.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue  # it has gone again
                except OSError as error:
                    await self.put_off(error)
                    continue
                connections.start_soon(self.serve_connection, self.places.enter(connection))

    async def put_off(self, error: OSError) -> None:
        """Close an idle connection where a new one cannot be had, for its descriptor, or wait for one."""
        if self.places.evict():
            return
        if (suppressed := self.limit.admit(time.monotonic_ns())) is not None:
            logger.warning(
                "A client for the metrics has to wait: %s. It is tried again every %g s.%s",
                describe_os_error(error),
                ACCEPT_PAUSE_SECONDS,
                describe_suppressed(suppressed),
            )
        await trio.sleep(ACCEPT_PAUSE_SECONDS)

    async def serve_connection(self, stream: TimedStream) -> None:
        """Answer the requests of one connection."""
        try:
            await Connection(self.app, self.config, self.context, self.places, stream)
        except Exception:  # noqa: BLE001 - the border of one connection: what goes wrong on it must not end the others
            await self.config.log.exception("A connection failed")
        finally:
            self.places.leave(stream)

    async def cut_late_connections(self, connections: trio.CancelScope, seconds: float) -> None:
        """After some seconds, end what is still under way: answers being made, and being sent."""
        await trio.sleep(seconds)
        connections.cancel()
        for stream in self.places.streams:
            stream.cut()


def bind_server(settings: ServerSettings, descriptors: Descriptors | None = None) -> BoundSocket | None:
    """Return the listening socket that is set or passed by systemd, if any; `SettingError` when that cannot be."""
    descriptors = descriptors or Descriptors()
    path = settings.unix_socket
    if (passed := take_passed(descriptors, path)) is not None:
        return BoundSocket(passed)
    if path is None:
        return None
    ownership = Ownership(settings.unix_socket_mode, group=find_group(settings.unix_socket_group))
    bound = bind_unix_socket(path, socket.SOCK_STREAM, ownership)
    is_kept = descriptors.store(bound.socket.fileno(), SOCKET_NAME)
    return BoundSocket(bound.socket) if is_kept else bound


def take_passed(descriptors: Descriptors, path: Path | None) -> socket.socket | None:
    """Return the socket for HTTP that systemd passes, by its name or by a path that is still there; else None."""
    names = {one.key for one in descriptors.inherited if one.name == HTTP_NAME}

    def is_wanted(sock: socket.socket) -> bool:
        is_ours = identify_descriptor(sock.fileno()) in names
        at_path = path is not None and path.is_socket() and is_listening_at(sock, os.fspath(path))
        return at_path or (is_ours and sock.type == socket.SOCK_STREAM and is_listening(sock))

    found = descriptors.take_sockets(is_wanted)
    for superfluous in found[1:]:
        superfluous.close()
    return found[0] if found else None


def make_config() -> Config:
    """Return Hypercorn's settings."""
    config = Config()
    config.h11_max_incomplete_size = MAX_REQUEST_BYTES
    config.include_server_header = False
    config.errorlog = logger
    config.logger_class = FailureLog
    return config


async def serve(
    app: ASGIFramework,
    listening: socket.socket,
    shutdown: trio.Event,
    counts: ServerCounts | None = None,
    *,
    graceful_seconds: float = GRACEFUL_SECONDS,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer until `shutdown`; then idle connections are closed, busy ones have `graceful_seconds` at most."""
    server = Server(app, listening, counts or ServerCounts())
    async with trio.open_nursery() as ending:
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(server.accept_connections, connections)
                task_status.started()
                await shutdown.wait()
                accepting.cancel_scope.cancel()
            await server.context.terminated.set()
            ending.start_soon(
                server.cut_late_connections, connections.cancel_scope, min(graceful_seconds, GRACEFUL_SECONDS)
            )
        ending.cancel_scope.cancel()


def describe_failure(error: BaseException) -> str:
    """Return in one line what failed and where; of several failures, the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = describe_os_error(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"{' '.join(text.split())} ({Path(frame.f_code.co_filename).name}:{line})"


def describe_suppressed(count: int) -> str:
    """Return how many messages were not written, as a sentence to append, or nothing."""
    return f" {count} more since the last report." if count else ""
