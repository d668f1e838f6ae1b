"""`/varz` and `/graphite` as the server answers them."""

from __future__ import annotations

import gzip
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from pipeline.formats import LineOptions, PrometheusOptions
from pipeline.metrics import Kind, Metric, Store, ValueType
from pipeline.server import Answers, Status, bind_server, make_app, serve
from pipeline.settings import ServerSettings

PAGES = {
    "/varz": b"c{k=a.b,prog=a.mtail,instance=host} 0\nc{k=a_b,prog=a.mtail,instance=host} 0\n",
    "/graphite": b"pre.a.mtail.c.k.a_b 0 1\npre.a.mtail.c.k.a_b 0 1\n",
}


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a counter with two series, which Graphite does not tell apart, and give a client."""
    store = Store()
    counter = Metric(
        "c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("k",), source="a.mtail:1:9"
    )
    (counter,) = store.register([counter])
    for value in (b"a.b", b"a_b"):
        counter.new((value,), 1_000_000_000)
    bound = bind_server(ServerSettings(unix_socket=folder / "s"))
    assert bound is not None
    answers = Answers(store.view, lambda: Status(), lambda: True)
    app = make_app(answers, PrometheusOptions(), LineOptions(instance="host", graphite_prefix="pre."))
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, app, bound.socket, shutdown)
        transport = httpx.AsyncHTTPTransport(uds=str(folder / "s"))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            yield client
        shutdown.set()
    bound.close()


@pytest.mark.parametrize("path", PAGES)
async def test_page_is_served_as_mtail_serves_it(tmp_path: Path, path: str) -> None:
    """With mtail's type, and the options of the host."""
    async with serving(tmp_path) as client:
        answer = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "text/plain", PAGES[path])
    assert answer.headers["content-length"] == str(len(PAGES[path]))
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("path", PAGES)
async def test_page_is_compressed_when_asked(tmp_path: Path, path: str) -> None:
    """As all pages are."""
    async with serving(tmp_path) as client, client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        body = b"".join([part async for part in answer.aiter_raw()])
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(body) == PAGES[path]


@pytest.mark.parametrize("path", PAGES)
async def test_head_has_no_body_and_nothing_can_be_changed(
    tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The page is not made for HEAD, so that its length is not known and nothing wrong is found."""
    async with serving(tmp_path) as client:
        head, post = await client.head(path), await client.post(path)
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "text/plain")
    assert "content-length" not in head.headers
    assert post.status_code == 405
    assert "a.mtail" not in caplog.text


async def test_names_that_become_equal_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not at each scrape."""
    with caplog.at_level(logging.WARNING):
        async with serving(tmp_path) as client:
            for _ in range(3):
                await client.get("/graphite")
    assert [record.getMessage() for record in caplog.records if record.name == "pipeline.server.pages"] == [
        "Metric `c` at a.mtail:1:9 has series whose names in the Graphite format are those of other series."
    ]
