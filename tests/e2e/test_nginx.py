"""nginx with the configuration that users copy, before our daemon: who is let in, to what, and what gets through."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from pipeline.life import is_readable
from pipeline.shipped import substitute
from tests.e2e.counting import PROGRAM, Counting, make_messages, run_counting
from tests.e2e.daemons import DAEMON_PATH, ROOT, wait_count, wait_until
from tests.e2e.manager import Manager, managing
from tests.e2e.web import (
    AUTHORIZATION,
    BASIC_AUTH,
    CLIENT_CERTIFICATE,
    CONNECTIONS,
    LOCATIONS,
    PASSWORD,
    USER,
    Certificate,
    Web,
    make_authority,
    make_nginx_command,
    prepare_nginx,
    render_nginx,
    run_nginx,
    serving,
)

MESSAGES = 20_000
SERIES = 4_000
PAGES = ("/metrics", "/-/healthy", "/-/ready")
PAGE = ROOT / "docs" / "nginx.md"

THINGS = """
counter e2e_messages_total by route
counter things_total by thing
/e2e (?P<route>\\w+) \\d+$/ {
  e2e_messages_total[$route]++
}
/thing (?P<thing>\\w+)$/ {
  things_total[$thing]++
}
"""

DENIED = (
    "/",
    "/program/",
    "/program/p.mtail",
    "/json",
    "/quitquitquit",
    "/debug",
    "/debug/pprof/",
    "/-/",
    "/-/reload",
    "/-/healthy/",
    "/-/ready/x",
    "/metrics/",
    "//metrics",
    "/Metrics",
    "/metrics;x",
    "/metrics%2f",
    "/metrics%20",
    "/metrics%0a",
    "/metrics%3fx",
    "/metrics/../json",
    "/metrics/%2e%2e/json",
    "/metrics/..%2fjson",
    "/%6a%73%6f%6e",
    "/-/ready/../../json",
    "/instances/",
    "/instances/1",
    "/instances/1/json",
    "/instances/1/metrics/",
    "/instances/1/metrics/../json",
    "/instances//metrics",
    "/instances/x/metrics",
    "/instances/-1/metrics",
    "/instances/12345/metrics",
    "/instances/1%2f..%2f1%2fjson",
    "/instances/1%0a/metrics",
    "/instances/1/metrics%0a",
)
"""The last are those of an instance: what nginx does not decode reaches no pattern, and no path of a socket."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for everything; the paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def counting(folder: Path) -> Iterator[Counting]:
    """Our daemon, with so many series that a page has several slices."""
    program = folder / "p.mtail"
    program.write_text(THINGS)
    with run_counting(folder, "--logs", f"{folder}/log.fifo", program=program) as counting:
        text = "".join(f"thing {'x' * 100}{number}\n" for number in range(SERIES))
        (folder / "log.fifo").write_text(text)
        wait_until(lambda: counting.read("things_total", "thing", f"{'x' * 100}{SERIES - 1}") > 0, "all are counted")
        yield counting


@pytest.fixture(scope="module")
def web(counting: Counting) -> Iterator[Web]:
    """An nginx that asks for a password."""
    with run_nginx(counting.folder) as web:
        yield web


@pytest.fixture(scope="module")
def certified(counting: Counting) -> Iterator[Web]:
    """An nginx that asks for a certificate."""
    with run_nginx(counting.folder, CLIENT_CERTIFICATE) as web:
        yield web


@pytest.fixture(params=[BASIC_AUTH, CLIENT_CERTIFICATE])
def client(request: pytest.FixtureRequest, web: Web, certified: Web) -> Iterator[httpx.Client]:
    """A client that is let in, by its password or its certificate."""
    if request.param == BASIC_AUTH:
        with web.connect() as client:
            yield client
    else:
        with certified.connect(auth=None, certificate=certified.client_certificate) as client:
            yield client


def ask(web: Web, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> tuple[int, str]:
    """Return status and text of the answer to one who has the password. The path is sent as it stands here."""
    connection = http.client.HTTPSConnection("localhost", web.port, context=web.make_context(), timeout=30)
    try:
        connection.request(method, path, body or None, {"Authorization": AUTHORIZATION, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def select_things(page: str) -> list[str]:
    """Return what does not change from one page to the next."""
    return [line for line in page.splitlines() if line.startswith("things_total{")]


def test_messages_are_counted_by_those_who_may_know(client: httpx.Client, counting: Counting) -> None:
    """Written to the pipe, read over TLS: exactly as many."""
    route = "certificate" if client.auth is None else "password"
    (counting.folder / "log.fifo").write_bytes(make_messages(route, range(MESSAGES)))

    def read_counted() -> int:
        page = client.get("/metrics").raise_for_status().text
        found = re.search(rf'^e2e_messages_total{{.*route="{route}"}} (\d+)$', page, re.MULTILINE)
        return int(found[1]) if found else 0

    wait_count(read_counted, MESSAGES, "all messages are counted")
    assert read_counted() == MESSAGES


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (None, 401),
        ((USER, "wrong"), 401),
        ((USER, ""), 401),
        (("somebody", PASSWORD), 401),
        ((USER, PASSWORD), 200),
    ],
)
def test_password_is_asked_for_on_each_page(web: Web, auth: tuple[str, str] | None, status: int) -> None:
    """Those about health too."""
    with web.connect(auth=auth) as client:
        answers = [client.get(path) for path in PAGES]
    assert [answer.status_code for answer in answers] == [status] * len(PAGES)
    assert [answer.headers.get("www-authenticate") for answer in answers] == [
        'Basic realm="syslog-pipeline"' if status == 401 else None
    ] * len(PAGES)


def test_certificate_of_our_authority_is_let_in(certified: Web) -> None:
    """To each page."""
    with certified.connect(auth=None, certificate=certified.client_certificate) as client:
        assert [client.get(path).status_code for path in PAGES] == [200] * len(PAGES)


@pytest.mark.parametrize(
    "kind", ["none", "of another authority", "of another of the same name", "expired", "a server's"]
)
def test_other_certificates_are_refused(certified: Web, tmp_path: Path, kind: str) -> None:
    """Before anything is asked of our daemon; a password does not help."""
    certificate: Certificate | None = None
    match kind:
        case "of another authority":
            certificate = make_authority(tmp_path, "other").sign("client", "clientAuth")
        case "of another of the same name":
            certificate = make_authority(tmp_path).sign("client", "clientAuth")
        case "expired":
            certificate = certified.authority.sign("expired", "clientAuth", days=-1)
        case "a server's":
            certificate = certified.authority.sign("other-server", "serverAuth")
    with certified.connect(certificate=certificate) as client:
        answers = [client.get(path) for path in PAGES]
    reason = "The SSL certificate error" if certificate else "No required SSL certificate was sent"
    assert [(answer.status_code, reason in answer.text) for answer in answers] == [(400, True)] * len(PAGES)


def test_client_refuses_a_server_that_it_does_not_trust(web: Web, tmp_path: Path) -> None:
    """The server's certificate is verified, and the name in it."""
    stranger = make_authority(tmp_path).root.file
    with web.connect(ca_file=stranger) as client, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        client.get("/metrics")
    with (
        socket.create_connection(("127.0.0.1", web.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        web.make_context().wrap_socket(plain, server_hostname="localhost.localdomain")


@pytest.mark.parametrize("path", DENIED)
def test_other_pages_are_denied(web: Web, path: str) -> None:
    """By nginx, which does not even ask our daemon."""
    status, text = ask(web, "GET", path)
    assert status in (400, 404)
    assert "<center>nginx</center>" in text


def test_pages_for_people_are_served_where_the_page_of_documents_says_how(counting: Counting) -> None:
    """With its lines in the configuration, and nothing else besides."""
    (lines,) = re.findall(
        r"^## The pages for people\n.*?^```nginx\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    web = prepare_nginx(counting.folder / "people")
    render_nginx(web, counting.folder, BASIC_AUTH)
    locations = web.folder / "locations.conf"
    locations.write_text(substitute(locations.read_text(), {"location / {": f"{lines}location / {{"}, LOCATIONS))
    with serving(web):
        assert "p.mtail</a>" in ask(web, "GET", "/")[1]
        status, page = ask(web, "GET", "/program/p.mtail")
        assert (status, "things_total by thing" in page) == (200, True)
        assert ask(web, "GET", "/program/%3Cb%3E%0A")[0] == 404
        for path in ("/json", "/program", "/programs/", "/program/../json", "/program/..%2fjson", "//program/p.mtail"):
            status, page = ask(web, "GET", path)
            assert (path, status, "<center>nginx</center>" in page) == (path, 404, True)
        with web.connect(auth=None) as client:
            assert [client.get(path).status_code for path in ("/", "/program/p.mtail")] == [401, 401]


def test_only_our_pages_are_served(web: Web) -> None:
    """However they are spelled, what is asked of our daemon is one of them."""
    healthy, ready = "syslog-pipeline is healthy.\n", "syslog-pipeline is ready.\n"
    assert ask(web, "GET", "/-/healthy") == ask(web, "GET", "/-/%68ealthy") == (200, healthy)
    assert ask(web, "GET", "/-/ready?x=1") == ask(web, "GET", "/json/../-/ready") == (200, ready)
    status, page = ask(web, "GET", "/metrics?name[]=things_total")
    assert (status, len(select_things(page))) == (200, SERIES)
    assert "e2e_messages_total" not in page


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE", "get"])
def test_other_methods_are_denied(web: Web, method: str) -> None:
    """On our pages too, by nginx."""
    answers = [ask(web, method, path) for path in (*PAGES, "/instances/1/metrics")]
    assert {status for status, _ in answers} <= {400, 405}
    assert all("<center>nginx</center>" in text for _, text in answers)


def test_head_is_answered(client: httpx.Client) -> None:
    """As by our daemon."""
    answers = [client.head(path) for path in PAGES]
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * len(PAGES)


def test_requests_have_limits(web: Web) -> None:
    """Nobody needs a body, or a line of 9 KiB."""
    assert ask(web, "GET", "/metrics", body=b"12")[0] == 413
    assert ask(web, "GET", "/metrics", {"X-Long": "x" * 9_000})[0] == 400
    assert ask(web, "GET", f"/metrics?{'x' * 9_000}")[0] == 414


def test_crowd_that_asks_for_nothing_keeps_nobody_out(web: Web) -> None:
    """More than nginx has connections, after the handshake: it gives up those that are idle."""
    context = web.make_context()
    with ExitStack() as stack:
        for _ in range(2 * CONNECTIONS):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
        assert [ask(web, "GET", path)[0] for path in PAGES] == [200] * len(PAGES)


def test_server_tells_no_version(client: httpx.Client) -> None:
    """Neither when it answers nor when it refuses."""
    answers = [client.get(path) for path in ("/metrics", "/json")]
    assert [answer.headers["server"] for answer in answers] == ["nginx"] * 2
    assert "nginx/" not in answers[1].text


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_modern(web: Web, version: ssl.TLSVersion) -> None:
    """Keys are forgotten after the connection, and what is sent is authenticated."""
    context = web.make_context()
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", web.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        cipher = client.cipher()
    assert cipher is not None
    assert re.fullmatch(r"ECDHE-.*-(GCM-SHA\d+|CHACHA20-POLY1305)|TLS_(AES.*_GCM|CHACHA20_POLY1305)_SHA\d+", cipher[0])


@pytest.mark.parametrize(
    ("version", "ciphers"),
    [(ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"), (ssl.TLSVersion.TLSv1_2, "ECDHE+AES+SHA256:@SECLEVEL=0")],
)
@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated:DeprecationWarning")
def test_old_tls_is_refused(web: Web, version: ssl.TLSVersion, ciphers: str) -> None:
    """By nginx, although the client would do it."""
    context = web.make_context()
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", web.port)) as plain,
        pytest.raises(ssl.SSLError, match=r"TLSV1_ALERT_PROTOCOL_VERSION|SSLV3_ALERT_HANDSHAKE_FAILURE"),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_ipv6_is_served(web: Web) -> None:
    """As IPv4 is."""
    context = web.make_context()
    with httpx.Client(verify=context, auth=(USER, PASSWORD), trust_env=False) as client:
        assert client.get(f"https://[::1]:{web.port}/metrics").status_code == 200


def list_connections(http_socket: Path) -> set[str]:
    """Return the connections that our daemon has accepted: their inodes, by which no two are the same."""
    rows = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
    return {row[6] for row in rows if row[-1] == str(http_socket) and row[5] == "03"}


def test_scrapes_share_a_connection_to_our_daemon(folder: Path) -> None:
    """Each scraper has one of its own to nginx."""
    place = folder / "shared"
    place.mkdir()
    seen = set()
    with run_counting(place, "--logs", f"{place}/log.fifo") as counting, run_nginx(place) as web:
        counting.client.close()
        wait_until(lambda: not list_connections(place / "metrics.sock"), "nobody is connected")
        for _ in range(20):
            assert ask(web, "GET", "/metrics")[0] == 200
            found = list_connections(place / "metrics.sock")
            assert len(found) == 1
            seen |= found
    assert len(seen) == 1


def test_daemon_may_go_and_come_back(folder: Path) -> None:
    """Meanwhile nginx says so; it does not even have to be there first."""
    place = folder / "coming"
    place.mkdir()
    with run_nginx(place) as web, web.connect() as client:
        for _ in range(2):
            assert [client.get(path).status_code for path in PAGES] == [502] * len(PAGES)
            with run_counting(place, "--logs", f"{place}/log.fifo"):
                assert [client.get(path).status_code for path in PAGES] == [200] * len(PAGES)
        assert client.get("/metrics").status_code == 502


def test_request_waits_for_a_daemon_whose_socket_is_held(folder: Path) -> None:
    """As systemd holds it over a restart: nobody is told 502."""
    place = folder / "held"
    place.mkdir()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{place}/metrics.sock")
    listening.listen()
    command = [sys.executable, "-m", "pipeline", "run", "--progs", str(PROGRAM), "--logs", f"{place}/log.fifo"]
    manager = Manager(place, [*command, "--unix_socket", f"{place}/metrics.sock"])
    manager.units.append((listening.detach(), "http"))
    with managing(manager), run_nginx(place) as web, ThreadPoolExecutor() as threads:
        answer = threads.submit(ask, web, "GET", "/-/ready")
        wait_until(lambda: is_readable([manager.units[0][0]]), "nginx has connected")
        assert not answer.done()
        manager.start()
        assert answer.result() == (200, "syslog-pipeline is ready.\n")
        manager.stop()


def test_nginx_needs_the_right_to_connect(folder: Path) -> None:
    """As Debian runs it: as www-data, whose group the socket has. Without root, its own rights are what it needs."""
    folder.chmod(0o755)
    place = folder / "rights"
    place.mkdir()
    http_socket, is_root = place / "metrics.sock", os.geteuid() == 0
    rights = ("--unix_socket_group", "www-data") if is_root else ()
    with (
        run_counting(place, "--logs", f"{place}/log.fifo", *rights),
        run_nginx(place, user="www-data") as web,
        web.connect() as client,
    ):
        before = http_socket.stat()
        os.chown(http_socket, -1, os.getegid())
        http_socket.chmod(0o660 if is_root else 0o060)
        assert [client.get(path).status_code for path in PAGES] == [502] * len(PAGES)
        assert "Permission denied" in (web.folder / "nginx.err").read_text()
        os.chown(http_socket, -1, before.st_gid)
        http_socket.chmod(before.st_mode)
        assert [client.get(path).status_code for path in PAGES] == [200] * len(PAGES)


def test_each_instance_has_its_page(folder: Path) -> None:
    """By its number; one that does not run is missing, and harms no other."""
    place = folder / "instances"
    place.mkdir()
    with (
        run_counting(place, "--logs", f"{place}/log@1.fifo", socket_name="metrics@1.sock") as first,
        run_counting(place, "--logs", f"{place}/log@22.fifo", socket_name="metrics@22.sock") as second,
        run_nginx(place) as web,
        web.connect() as client,
    ):
        for number, counting, count in ((1, first, 100), (22, second, 200)):
            (place / f"log@{number}.fifo").write_bytes(make_messages("instance", range(count)))
            counting.wait_counted("instance", count)
        pages = [client.get(f"/instances/{number}/metrics?name[]=e2e_messages_total") for number in (1, 22)]
        missing = [client.get(path).status_code for path in ("/metrics", "/instances/2/metrics")]
        with web.connect(auth=None) as stranger:
            refused = stranger.get("/instances/1/metrics").status_code
    assert [page.text.splitlines()[2:] for page in pages] == [
        [f'e2e_messages_total{{prog="count.mtail",route="instance"}} {count}'] for count in (100, 200)
    ]
    assert (missing, refused) == ([502, 502], 401)


def test_large_page_arrives_whole(client: httpx.Client, counting: Counting) -> None:
    """Our daemon sends it in chunks, without its length."""
    page = client.get("/metrics", headers={"Accept-Encoding": "identity"})
    direct = counting.client.get("/metrics").text
    assert (page.headers.get("transfer-encoding"), "content-encoding" in page.headers) == ("chunked", False)
    assert len(page.content) > SERIES * 100
    assert select_things(page.text) == select_things(direct)
    assert len(select_things(direct)) == SERIES


def test_compressed_page_passes(client: httpx.Client, counting: Counting) -> None:
    """As our daemon compresses it."""
    with client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        body = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert select_things(gzip.decompress(body).decode()) == select_things(counting.client.get("/metrics").text)


def test_old_client_gets_the_page(web: Web, counting: Counting) -> None:
    """One of HTTP/1.0, which knows no chunks: the page ends with the connection."""
    with (
        socket.create_connection(("127.0.0.1", web.port), timeout=30) as plain,
        web.make_context().wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(f"GET /metrics HTTP/1.0\r\nAuthorization: {AUTHORIZATION}\r\n\r\n".encode())
        head, _, page = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert select_things(page.decode()) == select_things(counting.client.get("/metrics").text)


def test_who_asks_too_often_has_to_wait(counting: Counting, tmp_path: Path) -> None:
    """So that nobody finds a password by trying. Here the limit is lower, and as much may come at once."""
    place = tmp_path
    (place / "metrics.sock").symlink_to(counting.folder / "metrics.sock")
    with run_nginx(place, rate="1r/m") as web, web.connect(auth=(USER, "guess")) as client:
        answers = [client.get("/metrics").status_code for _ in range(103)]
    assert answers == [401] * 101 + [429] * 2


@pytest.mark.parametrize("guard", [BASIC_AUTH, CLIENT_CERTIFICATE])
def test_nginx_has_nothing_to_say_about_the_files(tmp_path: Path, guard: str) -> None:
    """No warning about what is old or doubled."""
    with run_nginx(tmp_path, guard) as web:
        command = make_nginx_command(web.folder, "-t", "-q")
        check = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": DAEMON_PATH}
        )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")
