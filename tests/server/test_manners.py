"""What the server makes of requests as bytes on the socket: good ones in every spelling, strange ones, nonsense."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import h11
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.metrics import HistogramDatum, Kind, Metric, Store, ValueType
from pipeline.server import Answers, Status, bind_server, make_app, serve
from pipeline.server.listen import MAX_REQUEST_BYTES
from pipeline.server.targets import MAX_TARGET_BYTES, find_origin_form, find_refusal
from pipeline.settings import ServerSettings
from tests.formats.metric_messages import read_messages

PATHS = ("/", "/metrics", "/json", "/varz", "/graphite", "/-/healthy", "/-/ready", "/program/none")
HOST = "Host: localhost"
CLOSE = f"{HOST}\r\nConnection: close"
HEALTHY = b"syslog-pipeline is healthy.\n"
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
ACCEPTED = ("text/plain;version=0.0.4", "text/plain;version=1.0.0", "application/openmetrics-text", PROTOBUF)


def make_store() -> Store:
    """Return a store with two counters and a histogram."""
    store = Store()
    for name in ("a_total", "b_total"):
        metric = Metric(name, kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", source="a:1")
        metric.new((), 1)
        store.register([metric])
    histogram = Metric("h", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, program="a.mtail", buckets=(0, 1))
    assert isinstance(histogram.new((), 1), HistogramDatum)
    store.register([histogram])
    return store


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[None]:
    """Serve all that the daemon serves."""
    bound = bind_server(ServerSettings(unix_socket=path))
    assert bound is not None
    shutdown = trio.Event()
    app = make_app(Answers(make_store().view, Status, lambda: True), PrometheusOptions(emit_prog_label=False))
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, app, bound.socket, shutdown)
            yield
            shutdown.set()
    finally:
        bound.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Received(BytesIO):
    """What came, for the standard library's reader, which wants to close it."""

    def makefile(self, *_: object) -> Received:
        return self

    def close(self) -> None:
        """Stay open: another answer may follow."""


def read_answers(data: bytes, *methods: str) -> list[Answer]:
    """Return the answers to requests of these methods, and make sure that nothing is left."""
    received = Received(data)
    answers = []
    for method in methods:
        response = HTTPResponse(received, method=method)  # type: ignore[arg-type]
        response.begin()
        body = response.read()
        answers.append(Answer(response.status, {name.lower(): text for name, text in response.getheaders()}, body))
    assert received.read() == b""
    return answers


async def send(path: Path, data: bytes) -> bytes:
    """Send `data`, and return all that comes until the server closes the connection."""
    async with await trio.open_unix_socket(str(path)) as client:
        received = b""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_all, client, data)
                while part := await client.receive_some():
                    received += part
                nursery.cancel_scope.cancel()
        except* trio.BrokenResourceError:
            pass  # it closed before it had read all
        return received


async def send_all(client: trio.SocketStream, data: bytes) -> None:
    """Send as much as somebody reads."""
    try:
        await client.send_all(data)
    except trio.BrokenResourceError:
        return


async def ask(path: Path, request_line: str, *headers: str, body: bytes = b"") -> Answer:
    """Send one request, and return its answer."""
    head = "\r\n".join((request_line, CLOSE, *headers, "", ""))
    (answer,) = read_answers(await send(path, head.encode("latin1") + body), request_line.partition(" ")[0])
    return answer


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("target", PATHS)
async def test_head_has_the_headers_of_get(tmp_path: Path, target: str, encoding: str) -> None:
    """But for the length of a page, which is not made for it."""
    async with serving(tmp_path / "s"):
        get, head = [
            await ask(tmp_path / "s", f"{method} {target} HTTP/1.1", f"Accept-Encoding: {encoding}")
            for method in ("GET", "HEAD")
        ]
    assert (head.status, head.body) == (get.status, b"")
    assert get.body
    length, left = get.headers.pop("content-length"), {"date", "transfer-encoding", "content-length"}
    assert int(length) == len(get.body)
    assert head.headers.get("content-length", length) == length
    assert {name: text for name, text in head.headers.items() if name not in left} == {
        name: text for name, text in get.headers.items() if name not in left
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("target", PATHS)
async def test_nothing_can_be_changed(tmp_path: Path, method: str, target: str) -> None:
    """Whoever tries is told what he may do, and may go on."""
    requests = f"{method} {target} HTTP/1.1\r\n{HOST}\r\nContent-Length: 3\r\n\r\nabc"
    requests += f"GET /-/healthy HTTP/1.1\r\n{CLOSE}\r\n\r\n"
    async with serving(tmp_path / "s"):
        refused, answer = read_answers(await send(tmp_path / "s", requests.encode()), method, "GET")
    assert (refused.status, {*refused.headers["allow"].split(", ")}) == (405, {"GET", "HEAD"})
    assert answer.body == HEALTHY


@pytest.mark.parametrize("target", ["*", "http://localhost"])
async def test_options_of_the_server_in_general_are_told(tmp_path: Path, target: str) -> None:
    """They are those of every path (RFC 9110 section 9.3.7)."""
    async with serving(tmp_path / "s"):
        answer = await ask(tmp_path / "s", f"OPTIONS {target} HTTP/1.1")
    assert (answer.status, {*answer.headers["allow"].split(", ")}) == (405, {"GET", "HEAD"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "target", ["/none", "/metrics/", "//metrics", "/Metrics", "/-/", "/../../etc/passwd", "/%zz%ff", "/metrics%00", "*"]
)
async def test_other_paths_are_not_found(tmp_path: Path, method: str, target: str) -> None:
    """No redirect, and nothing of the path in the answer."""
    async with serving(tmp_path / "s"):
        answer = await ask(tmp_path / "s", f"{method} {target} HTTP/1.1")
    assert (answer.status, answer.body) == (404, b"" if method == "HEAD" else b"Not Found")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "target",
    ["http://localhost/-/healthy", "HTTPS://user@[::1]:8443/-/healthy", "http:///-/healthy", "http://x/-/healthy?a=b"],
)
async def test_whole_url_is_answered_as_its_path(tmp_path: Path, target: str) -> None:
    """As RFC 9112 has it (section 3.2.2), whatever host it names."""
    async with serving(tmp_path / "s"):
        assert (await ask(tmp_path / "s", f"GET {target} HTTP/1.1")).body == HEALTHY


@pytest.mark.parametrize(
    ("target", "origin"),
    [
        (b"/metrics?a=http://b", b"/metrics?a=http://b"),
        (b"http://a", b"/"),
        (b"http://a?name[]=b", b"/?name[]=b"),
        (b"http://a/b//c", b"/b//c"),
        (b"ftp://a/b", b"ftp://a/b"),
        (b"*", b"*"),
    ],
)
def test_origin_form_of_a_target(target: bytes, origin: bytes) -> None:
    """What stands behind the host."""
    assert find_origin_form(b"GET", target) == origin


MANY = "X: a\r\n" * (MAX_REQUEST_BYTES // len("X: a\r\n"))

REFUSED = {
    "nothing that HTTP has": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no version": (b"GET /metrics\r\n\r\n", 400),
    "no host": (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
    "two hosts": (f"GET /metrics HTTP/1.1\r\n{HOST}\r\n{HOST}\r\n\r\n".encode(), 400),
    "blank in a name": (f"GET /metrics HTTP/1.1\r\n{HOST}\r\nX : a\r\n\r\n".encode(), 400),
    "NUL in a target": (f"GET /metrics\0 HTTP/1.1\r\n{HOST}\r\n\r\n".encode(), 400),
    "no ASCII in a target": (f"GET /\xe9 HTTP/1.1\r\n{HOST}\r\n\r\n".encode("latin1"), 400),
    "two lengths": (f"GET / HTTP/1.1\r\n{HOST}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc".encode(), 400),
    "negative length": (f"GET / HTTP/1.1\r\n{HOST}\r\nContent-Length: -3\r\n\r\n".encode(), 400),
    "unknown coding": (f"GET / HTTP/1.1\r\n{HOST}\r\nTransfer-Encoding: gzip\r\n\r\n".encode(), 501),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/3": (f"GET / HTTP/3.0\r\n{HOST}\r\n\r\n".encode(), 505),
    "long target": (f"GET /{'a' * MAX_TARGET_BYTES} HTTP/1.1\r\n{HOST}\r\n\r\n".encode(), 414),
    "long header": (f"GET / HTTP/1.1\r\n{HOST}\r\nX: {'a' * MAX_REQUEST_BYTES}\r\n\r\n".encode(), 431),
    "many headers": (f"GET / HTTP/1.1\r\n{HOST}\r\n{MANY}\r\n".encode(), 431),
    "header without end": (f"GET / HTTP/1.1\r\n{HOST}\r\nX: {'a' * MAX_REQUEST_BYTES * 2}".encode(), 431),
}
"""What is sent, and the status of the answer."""


@pytest.mark.parametrize("name", REFUSED)
async def test_nonsense_is_refused_and_the_connection_closed(tmp_path: Path, name: str) -> None:
    """What comes behind it is not read; the next client is answered."""
    data, status = REFUSED[name]
    async with serving(tmp_path / "s"):
        (answer,) = read_answers(await send(tmp_path / "s", data), "GET")
        assert (await ask(tmp_path / "s", "GET /-/healthy HTTP/1.1")).body == HEALTHY
    assert (answer.status, answer.body, answer.headers["connection"]) == (status, b"", "close")


def test_limits_are_those_that_are_documented() -> None:
    """To the byte, by what the lines have."""
    path = b"/" + b"a" * (MAX_TARGET_BYTES - 1)
    host = [("Host", "x")]
    assert find_refusal(h11.Request(method="GET", target=path, headers=host), MAX_REQUEST_BYTES) is None
    assert find_refusal(h11.Request(method="GET", target=path + b"a", headers=host), MAX_REQUEST_BYTES) == 414
    rest = MAX_REQUEST_BYTES - len("/") - len("Host: x\r\nX: \r\n")
    for more, status in ((0, None), (1, 431)):
        headers = [*host, ("X", "a" * (rest + more))]
        assert find_refusal(h11.Request(method="GET", target="/", headers=headers), MAX_REQUEST_BYTES) == status


async def test_body_of_a_get_is_passed_over(tmp_path: Path) -> None:
    """Of a known length or in chunks; the next request on the connection is answered."""
    requests = [
        f"GET /-/healthy HTTP/1.1\r\n{HOST}\r\nContent-Length: 3\r\n\r\nabc",
        f"GET /-/healthy HTTP/1.1\r\n{HOST}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        f"HEAD /-/healthy HTTP/1.1\r\n{HOST}\r\n\r\n",
        f"GET /-/healthy HTTP/1.1\r\n{CLOSE}\r\n\r\n",
    ]
    async with serving(tmp_path / "s"):
        answers = read_answers(await send(tmp_path / "s", "".join(requests).encode()), "GET", "GET", "HEAD", "GET")
    assert [answer.body for answer in answers] == [HEALTHY, HEALTHY, b"", HEALTHY]


@pytest.mark.parametrize("target", ["/-/healthy", "/metrics", "/json", "/"])
async def test_body_in_many_parts_keeps_no_place(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, target: str
) -> None:
    """However many there are; some arrive before the answer is made, some behind it."""
    request = f"GET {target} HTTP/1.1\r\n{HOST}\r\nTransfer-Encoding: chunked\r\n\r\n" + "1\r\na\r\n" * 100
    async with serving(tmp_path / "s"):
        for _ in range(8):
            with trio.fail_after(1):
                assert (await send(tmp_path / "s", request.encode())).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("lines", [b"\r\n", b"\n\r\n"])
async def test_empty_lines_before_a_request_are_passed_over(tmp_path: Path, lines: bytes) -> None:
    """Some clients send one behind the body before: apart from the next request, or with it."""
    requests = [lines, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"]
    requests.append(lines + f"GET /-/healthy HTTP/1.1\r\n{CLOSE}\r\n\r\n".encode())
    received = b""
    async with serving(tmp_path / "s"), await trio.open_unix_socket(str(tmp_path / "s")) as client:
        for request in requests:
            await client.send_all(request)
            await trio.testing.wait_all_tasks_blocked()
            if request != lines:
                received += await client.receive_some()
    assert [answer.body for answer in read_answers(received, "GET", "GET")] == [HEALTHY] * 2


async def test_client_that_waits_for_permission_gets_it(tmp_path: Path) -> None:
    """`Expect: 100-continue`: the body may come, and is passed over."""
    async with serving(tmp_path / "s"), await trio.open_unix_socket(str(tmp_path / "s")) as client:
        head = f"GET /-/healthy HTTP/1.1\r\n{CLOSE}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        await client.send_all(head.encode())
        received = bytes(await client.receive_some())
        assert received.startswith(b"HTTP/1.1 100 ")
        await client.send_all(b"abc")
        received += b"".join([bytes(part) async for part in client])
    assert [answer.body for answer in read_answers(received, "GET")] == [HEALTHY]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("expecting", ["", "Expect: 100-continue\r\n"])
async def test_client_that_ends_within_its_body_is_let_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str, expecting: str
) -> None:
    """It gets what was on its way, and is no failure of ours, whatever comes first: the answer or the end."""
    head = f"{method} /-/healthy HTTP/1.1\r\n{HOST}\r\n{expecting}Content-Length: 9\r\n\r\n"
    async with serving(tmp_path / "s"):
        for _ in range(8):
            async with await trio.open_unix_socket(str(tmp_path / "s")) as client:
                await client.send_all(head.encode() + b"abc")
                await client.send_eof()
                received = b"".join([bytes(part) async for part in client])
            assert {part[:4] for part in received.split(b"HTTP/1.1 ")[1:]} <= {b"100 ", b"200 ", b"400 ", b"405 "}
    assert caplog.messages == []


@pytest.mark.parametrize("target", ["/-/healthy", "/metrics"])
async def test_client_of_http_1_0_gets_an_end(tmp_path: Path, target: str) -> None:
    """It needs no host, and the connection is closed behind the answer; chunks it would not know."""
    async with serving(tmp_path / "s"):
        (answer,) = read_answers(await send(tmp_path / "s", f"GET {target} HTTP/1.0\r\n\r\n".encode()), "GET")
    assert answer.status == 200
    assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("accepted", ACCEPTED)
async def test_names_select_families_in_every_form(tmp_path: Path, accepted: str) -> None:
    """Spelled in any way that means the same, among many others."""
    targets = [
        "/metrics?name[]=b_total&name[]=h",
        "/metrics?name%5B%5D=h&name%5b%5d=b_tot%61l",
        "http://x/metrics?" + "".join(f"name[]={number}&" for number in range(500)) + "name[]=h&other=1&name[]=b_total",
    ]
    async with serving(tmp_path / "s"):
        answers = [await ask(tmp_path / "s", f"GET {target} HTTP/1.1", f"Accept: {accepted}") for target in targets]
        nothing = await ask(tmp_path / "s", "GET /metrics?name[]=%zz%ff&name[]= HTTP/1.1", f"Accept: {accepted}")
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[0].body == answers[1].body == answers[2].body
    if accepted == PROTOBUF:
        assert [family.name for family in read_messages(answers[0].body)] == ["b_total", "h"]
    else:
        types = [line.split()[2] for line in answers[0].body.decode().splitlines() if line.startswith("# TYPE ")]
        assert types == [("b" if "openmetrics" in accepted else "b_total"), "h"]
    assert nothing.body == (b"# EOF\n" if "openmetrics" in accepted else b"")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_large_page_of_messages_comes_whole(tmp_path: Path, encoding: str) -> None:
    """While it is made nothing is sent; then slice by slice, plain or compressed."""
    store = make_store()
    counter = Metric("c_total", kind=Kind.COUNTER, value_type=ValueType.INT, program="", label_names=("k",))
    store.register([counter])
    for number in range(10_000):
        counter.new((b"%030d" % number,), 1)
    app = make_app(Answers(store.view, Status, lambda: True), PrometheusOptions())
    bound = bind_server(ServerSettings(unix_socket=tmp_path / "s"))
    assert bound is not None
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, app, bound.socket, shutdown)
        headers = (f"Accept: {PROTOBUF}", f"Accept-Encoding: {encoding}")
        answer = await ask(tmp_path / "s", "GET /metrics HTTP/1.1", *headers)
        shutdown.set()
    bound.close()
    assert answer.headers["transfer-encoding"] == "chunked"
    body = gzip.decompress(answer.body) if encoding == "gzip" else answer.body
    assert body == prometheus.render(store.snapshot(), variant=prometheus.PROTOBUF)


PIECES = (b"GET /-/healthy HTTP/1.1", b"\r\n", b": ", b"Host: x", b"Content-Length: 9")


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=60) | st.sampled_from(PIECES)))
def test_any_bytes_are_answered_or_refused(caplog: pytest.LogCaptureFixture, pieces: list[bytes]) -> None:
    """Never an error of ours, and whoever comes next is answered."""

    async def try_bytes(path: Path) -> None:
        async with serving(path):
            async with await trio.open_unix_socket(str(path)) as client:
                await client.send_all(b"".join(pieces) + b"\r\n\r\n")
                await client.send_eof()
                received = b"".join([bytes(part) async for part in client])
            statuses = [part[:4] for part in received.split(b"HTTP/1.1 ")[1:]]
            assert {*statuses} <= {b"100 ", b"200 ", b"400 ", b"404 ", b"405 ", b"431 ", b"501 ", b"505 "}
            assert (await ask(path, "GET /-/healthy HTTP/1.1")).body == HEALTHY

    with TemporaryDirectory(prefix="manners-") as name:
        trio.run(try_bytes, Path(name) / "s")
    assert caplog.messages == []
