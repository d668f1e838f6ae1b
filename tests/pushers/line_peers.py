"""What the tests of line destinations have in common: a task that is pushed by hand, and sockets for it to push to."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import trio

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Datum, Metric, Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers import PushContext, PushTask, make_pushers
from tests.generators.some_metrics import BEGAN, NOW, make_metric, put, snap

CONTEXT = PushContext("host", PrometheusOptions(), lambda: BEGAN)
DEADLINE_SECONDS = 60.0

Address: TypeAlias = tuple[socket.AddressFamily, int, int, str, tuple[str, int]]


def make_counter(series: int = 1, value: int = 5) -> Metric:
    """Return a counter with so many series."""
    metric = make_metric("hits", ("id",))
    for number in range(series):
        put(metric, b"%d" % number, value=value)
    return metric


def grow(metric: Metric, number: int = 0, by: int = 1) -> None:
    """Let a series of that counter grow, a second later."""
    series = metric.data[b"%d" % number,]
    assert isinstance(series, Datum)
    assert isinstance(series.value, int)
    series.value += by
    series.time += 1_000_000_000


@asynccontextmanager
async def pushing(settings: PushSettings, *metrics: Metric) -> AsyncIterator[PushTask]:
    """Give the task that pushes what the metrics have at each push, and that is not run by itself."""
    take_snapshot: Callable[[], Snapshot] = lambda: snap(*metrics)  # noqa: E731 - it is an argument
    (pusher,) = make_pushers(settings, CONTEXT)
    with trio.fail_after(DEADLINE_SECONDS):
        yield PushTask(pusher, settings, take_snapshot, lambda: NOW)
    await pusher.disconnect()


def listen_unix(path: Path, backlog: int = 5) -> trio.SocketListener:
    """Return a server on a unix stream socket."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(backlog)
    return trio.SocketListener(trio.socket.from_stdlib_socket(server))


def bind_udp(port: int = 0) -> tuple[trio.socket.SocketType, int]:
    """Return a socket on the loopback address, and its port."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", port))
    bound.setblocking(False)
    return trio.socket.from_stdlib_socket(bound), bound.getsockname()[1]


def list_addresses(*ports: int) -> list[Address]:
    """Return what a resolver answers for a host that has these ports on the loopback address."""
    return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", port)) for port in ports]


async def receive_lines(stream: trio.SocketStream, count: int) -> Sequence[bytes]:
    """Return exactly so many lines, each with its line feed."""
    data = b""
    while data.count(b"\n") < count:
        got = await stream.receive_some()
        assert got, data
        data += got
    assert data.endswith(b"\n")
    lines = data.splitlines(keepends=True)
    assert len(lines) == count
    return lines
