"""Large pages: made slice by slice, with turns for everybody else in between, and sent while they are made."""

from __future__ import annotations

import gzip
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import h11
import pytest
import trio
from starlette.types import ASGIApp, Message, Scope

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.metrics import Datum, Kind, Metric, Store, ValueType
from pipeline.server import Answers, Status, bind_server, make_app, serve
from pipeline.server.slices import SLICE_BYTES, compress, gather, take_step
from pipeline.settings import ServerSettings

SERIES = 20_000
"""A page of 0.9 MB: more than a socket takes at once, and many slices."""


def make_store() -> Store:
    """Return a store with a counter of so many series."""
    store = Store()
    counter = Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("k",))
    (counter,) = store.register([counter])
    for number in range(SERIES):
        counter.new((b"/a/path/%06d" % number,), 1)
    return store


def make_large_app(store: Store) -> ASGIApp:
    app = make_app(Answers(store.view, lambda: Status(), lambda: True), PrometheusOptions())
    return cast("ASGIApp", app)


@asynccontextmanager
async def serving(tmp_path: Path, store: Store) -> AsyncIterator[str]:
    """Serve, and tell where."""
    bound = bind_server(ServerSettings(unix_socket=tmp_path / "s"))
    assert bound is not None
    app = make_app(Answers(store.view, lambda: Status(), lambda: True), PrometheusOptions())
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, app, bound.socket, shutdown)
        yield str(tmp_path / "s")
        shutdown.set()
    bound.close()


async def fetch(
    path: str, target: str, *, version: str = "1.1", encoding: str = "identity"
) -> tuple[h11.Response, bytes]:
    """Return the answer to one request on a connection of its own."""
    headers = [("Host", "x"), ("Accept-Encoding", encoding), ("Connection", "close")]
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target=target, headers=headers))
    request = "".join(f"{name}: {value}\r\n" for name, value in headers)
    body = b""
    answer: h11.Response | None = None
    async with await trio.open_unix_socket(path) as stream:
        await stream.send_all(f"GET {target} HTTP/{version}\r\n{request}\r\n".encode())
        client.send(h11.EndOfMessage())
        while not isinstance(event := client.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
            if event is h11.NEED_DATA:
                client.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.Data):
                body += event.data
    assert answer is not None
    return answer, body


@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_page_comes_whole(tmp_path: Path, version: str) -> None:
    """In chunks; to a client that does not know them until the connection closes."""
    store = make_store()
    async with serving(tmp_path, store) as path:
        answer, body = await fetch(path, "/metrics", version=version)
    headers = dict(answer.headers)
    assert (answer.status_code, b"content-length" in headers) == (200, False)
    assert headers.get(b"transfer-encoding") == (b"chunked" if version == "1.1" else None)
    assert body == prometheus.render(store.snapshot())


async def test_compressed_page_comes_whole(tmp_path: Path) -> None:
    """One stream of gzip over all slices."""
    store = make_store()
    async with serving(tmp_path, store) as path:
        answer, body = await fetch(path, "/metrics", encoding="gzip")
    assert dict(answer.headers)[b"content-encoding"] == b"gzip"
    assert gzip.decompress(body) == prometheus.render(store.snapshot())


@pytest.mark.parametrize("target", ["/metrics", "/json", "/varz", "/graphite"])
async def test_others_have_turns_between_slices(target: str) -> None:
    """However large the page is: while it is made anew, and while it is written."""
    ticks = 0
    turns: list[int] = []

    async def count_turns() -> None:
        nonlocal ticks
        while True:
            await trio.lowlevel.checkpoint()
            ticks += 1

    async def receive() -> Message:
        return await trio.sleep_forever()

    async def send(message: Message) -> None:
        if message.get("more_body"):
            turns.append(ticks)

    store = make_store()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(count_turns)
        await make_large_app(store)(make_scope(target), receive, send)
        nursery.cancel_scope.cancel()
    assert len(turns) > len(prometheus.render(store.snapshot())) // (2 * SLICE_BYTES)
    # In one round of the loop the order of tasks is random, so that two slices may follow each other, but not three.
    assert all(before < after for before, after in zip(turns, turns[2:], strict=False))
    if target == "/metrics":
        assert turns[0] > SERIES // 512


def make_scope(target: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.1"},
        "http_version": "1.1",
        "method": "GET",
        "path": target,
        "query_string": b"",
        "headers": [],
    }


async def test_client_that_does_not_read_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Neither scrapers nor itself: its page goes on where it stopped, with the series it began with."""
    store = make_store()
    expected = prometheus.render(store.snapshot())
    async with serving(tmp_path, store) as path, await trio.open_unix_socket(path) as slow:
        await slow.send_all(b"GET /metrics HTTP/1.0\r\n\r\n")
        received = bytes(await slow.receive_some(1))
        (counter,) = store
        for key in list(counter.data)[::2]:
            counter.delete(key)
        _, body = await fetch(path, "/metrics")
        assert body == prometheus.render(store.snapshot())
        received += b"".join([bytes(part) async for part in slow])
    assert received.partition(b"\r\n\r\n")[2] == expected


async def test_client_that_goes_away_harms_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the middle of its page, or before it begins."""
    store = make_store()
    async with serving(tmp_path, store) as path:
        for wait in (True, False):
            async with await trio.open_unix_socket(path) as client:
                await client.send_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                if wait:
                    await client.receive_some(1)
        _, body = await fetch(path, "/metrics")
    assert body == prometheus.render(store.snapshot())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_two_scrapes_at_once_are_both_whole(tmp_path: Path) -> None:
    """While the page is made anew for one, the other waits; then both are written side by side."""
    store = make_store()
    bodies: list[bytes] = []

    async def scrape(path: str) -> None:
        bodies.append((await fetch(path, "/metrics"))[1])

    async with serving(tmp_path, store) as path, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(scrape, path)
    assert bodies == [prometheus.render(store.snapshot())] * 2


async def test_failure_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    """The client sees that the page is not whole."""
    store = make_store()
    (counter,) = store
    last = list(counter.data.values())[-1]
    assert isinstance(last, Datum)
    last.value = cast("bytes", "no value")
    async with serving(tmp_path, store) as path:
        with pytest.raises(h11.RemoteProtocolError):
            await fetch(path, "/metrics")


def test_slices_have_a_size() -> None:
    """Many small pieces become one slice; a large one is a slice."""
    pieces = [b"x" * 1000] * 300 + [b"y" * 2 * SLICE_BYTES, b"z"]
    slices = list(gather(pieces))
    assert b"".join(slices) == b"".join(pieces)
    assert [len(part) >= SLICE_BYTES for part in slices] == [True, True, True, False]


def test_compressed_pages_are_equal_if_the_pages_are() -> None:
    """Whenever they are made."""
    first, second = (b"".join(compress([b"a", b"b" * 100_000])) for _ in range(2))
    assert first == second
    assert gzip.decompress(first) == b"a" + b"b" * 100_000
    assert first[4:8] == bytes(4), "the time in gzip's header"


async def test_those_who_share_a_turn_take_it_in_turn() -> None:
    """One step in each round of the loop, whoever has many."""
    order: list[str] = []
    turn = trio.Lock()

    async def take(names: str) -> None:
        steps = note(names)
        for name in names:
            assert await take_step(steps, turn, None) == name
        assert await take_step(steps, turn, None) is None

    def note(names: str) -> Iterator[str]:
        for name in names:
            order.append(name)
            yield name

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take, "aaaaaaaaaa")
        nursery.start_soon(take, "bbb")
    assert sorted(order[:6]) == ["a"] * 3 + ["b"] * 3
