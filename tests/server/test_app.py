"""What is served: over a real unix socket, by the server as it runs."""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.metrics import Kind, Metric, Store, ValueType
from pipeline.server import Answers, Status, bind_server, make_app, serve
from pipeline.server.pages import MAX_REPORTED_PROBLEMS, ProblemReporter, accepts_gzip
from pipeline.settings import ServerSettings


def make_store(*names: str) -> Store:
    """Return a store with a counter of each name."""
    store = Store()
    store.register(
        [
            Metric(name, kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", source="a.mtail:1:9")
            for name in names
        ]
    )
    return store


@asynccontextmanager
async def serving(tmp_path: Path, store: Store, *, is_ready: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """Serve, and give a client."""
    path = tmp_path / "s"
    bound = bind_server(ServerSettings(unix_socket=path))
    assert bound is not None
    app = make_app(Answers(store.snapshot, Status, lambda: is_ready), PrometheusOptions())
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, app, bound.socket, shutdown)
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            yield client
        shutdown.set()
    bound.close()


async def test_metrics_are_served_in_the_prometheus_format(tmp_path: Path) -> None:
    """With the type that a scraper expects."""
    async with serving(tmp_path, make_store("a_total")) as client:
        answer = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert answer.text == '# HELP a_total defined at a.mtail:1:9\n# TYPE a_total counter\na_total{prog="a.mtail"} 0\n'
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(answer.content))


async def test_names_select_families(tmp_path: Path) -> None:
    """By the name that is exported."""
    async with serving(tmp_path, make_store("a-b", "c", "d")) as client:
        answer = await client.get("/metrics?name[]=a_b&name[]=d&name[]=missing")
    assert re.findall(r"# TYPE (\S+)", answer.text) == ["a_b", "d"]


OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"


async def test_text_that_is_asked_for_is_served(tmp_path: Path) -> None:
    """Each by the same page, and by its type in the answer to HEAD."""
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "Accept-Encoding": "identity"}
    async with serving(tmp_path, make_store("a_total", "b")) as client:
        answers = [await client.get("/metrics", headers=accept) for _ in range(2)]
        head = await client.head("/metrics", headers=accept)
        plain = await client.get("/metrics", headers=[("Accept", "text/csv"), ("Accept", "text/plain;version=1.0.0")])
    assert answers[0].text == answers[1].text
    assert [line for line in answers[0].text.splitlines() if line[0] != "#"] == [
        'a_total{prog="a.mtail"} 0',
        'b{prog="a.mtail"} 0',
    ]
    assert answers[0].text.endswith("# EOF\n")
    assert [answer.headers["content-type"] for answer in (*answers, head)] == [OPENMETRICS] * 3
    assert {answer.headers["vary"] for answer in (*answers, head, plain)} == {"Accept, Accept-Encoding"}
    assert plain.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"


@pytest.mark.parametrize("accept", ["*/*", "text/plain;version=1.0.0", "application/openmetrics-text"])
async def test_names_select_families_in_each_text_compressed_too(tmp_path: Path, accept: str) -> None:
    """OpenMetrics calls the family of `a_total` by `a`, and so may who asks for it."""
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    async with serving(tmp_path, make_store("a_total", "b_total", "c")) as client:
        full = await client.get("/metrics?name[]=a_total", headers=headers)
        short = await client.get("/metrics?name[]=a", headers=headers)
    assert full.headers["content-encoding"] == "gzip"
    samples = [re.findall("^[a-z_]+(?={)", answer.text, re.MULTILINE) for answer in (full, short)]
    assert samples == [["a_total"], ["a_total"] if "openmetrics" in accept else []]


async def test_large_page_of_openmetrics_comes_whole(tmp_path: Path) -> None:
    """In slices, with its end."""
    store = make_store("a_total")
    counter = Metric("c_total", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("k",))
    store.register([counter])
    for number in range(10_000):
        counter.new((b"%06d" % number,), 1)
    async with serving(tmp_path, store) as client:
        answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert "content-length" not in answer.headers
    assert answer.content == prometheus.render(store.snapshot(), variant=prometheus.TEXTS[1])


async def test_page_is_compressed_when_asked(tmp_path: Path) -> None:
    """The client sees the same text."""
    async with serving(tmp_path, make_store("a_total")) as client:
        plain = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
        async with client.stream("GET", "/metrics", headers={"Accept-Encoding": "br, gzip"}) as answer:
            body = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert gzip.decompress(body) == plain.content


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        ("gzip", True),
        ("GZIP;q=0.5, br", True),
        ("br", False),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("identity", False),
    ],
)
def test_encoding_is_chosen_as_rfc_9110_has_it(header: str, *, accepts: bool) -> None:
    """A weight of zero is a refusal."""
    assert accepts_gzip(header) is accepts


async def test_json_is_served(tmp_path: Path) -> None:
    """All metrics, as mtail's page."""
    async with serving(tmp_path, make_store("a_total")) as client:
        answer = await client.get("/json")
    assert answer.headers["content-type"] == "application/json"
    assert [metric["Name"] for metric in json.loads(answer.text)] == ["a_total"]


@pytest.mark.parametrize(
    ("path", "is_ready", "status", "text"),
    [
        ("/-/healthy", True, 200, "syslog-pipeline is healthy.\n"),
        ("/-/healthy", False, 200, "syslog-pipeline is healthy.\n"),
        ("/-/ready", True, 200, "syslog-pipeline is ready.\n"),
        ("/-/ready", False, 503, "syslog-pipeline is starting or stopping.\n"),
    ],
)
async def test_health_is_told_by_status_and_in_a_sentence(
    tmp_path: Path, path: str, status: int, text: str, *, is_ready: bool
) -> None:
    """Whoever is answered at all has found it healthy."""
    async with serving(tmp_path, make_store(), is_ready=is_ready) as client:
        answer, head, post = [await client.request(method, path) for method in ("GET", "HEAD", "POST")]
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    for headers in (head.headers, answer.headers):
        del headers["date"]  # the second may have changed
    assert (head.status_code, head.content, head.headers) == (status, b"", answer.headers)
    assert post.status_code == 405


async def test_head_has_the_headers_and_no_body(tmp_path: Path) -> None:
    """The page is not even made."""
    async with serving(tmp_path, make_store("a_total")) as client:
        answers = [await client.head(path) for path in ("/metrics", "/json", "/")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 3
    assert "content-length" not in answers[0].headers


async def test_other_methods_and_paths_are_refused(tmp_path: Path) -> None:
    """Nothing can be changed over HTTP; a slash more is another path."""
    async with serving(tmp_path, make_store()) as client:
        statuses = [(await client.request(method, "/metrics")).status_code for method in ("POST", "PUT", "DELETE")]
        statuses += [(await client.get(path)).status_code for path in ("/metrics/", "/debug/vars", "/quitquitquit")]
    assert statuses == [405, 405, 405, 404, 404, 404]


async def test_every_answer_forbids_scripts_and_guessing(tmp_path: Path) -> None:
    """Errors too."""
    async with serving(tmp_path, make_store()) as client:
        answers = [await client.get(path) for path in ("/", "/program/x", "/metrics", "/nowhere")]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")


async def test_what_a_page_leaves_out_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A scrape a minute would fill the log."""
    store = make_store("a")
    store.register(
        [
            Metric(
                "a", kind=Kind.COUNTER, value_type=ValueType.INT, program="b.mtail", label_names=("prog",), source="b:1"
            )
        ]
    )
    store.by_name["a"][1].new((b"x",), 1)
    async with serving(tmp_path, store) as client:
        for _ in range(2):
            assert (await client.get("/metrics")).status_code == 200
    assert caplog.messages == [
        "Metric `a` at b:1 is left out of the Prometheus format: the label `prog` is the name of the program."
    ]


def test_log_of_what_is_left_out_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    """The messages may hold a stranger's label values."""
    reporter = ProblemReporter()
    with caplog.at_level(logging.WARNING):
        reporter.report(str(number) for number in range(2 * MAX_REPORTED_PROBLEMS))
    assert len(caplog.messages) == MAX_REPORTED_PROBLEMS
