"""varnish with the file that users copy, before our daemon: who shares a page, and for how long."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from pipeline.shipped import render_shipped, substitute
from tests.e2e.counting import Counting, make_messages, run_counting
from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, ROOT, is_open, running, wait_until
from tests.e2e.pages import BLOCK
from tests.e2e.web import BASIC_AUTH, prepare_nginx, render_nginx, serving
from tests.ports import find_port

PAGE = ROOT / "docs" / "nginx.md"
"""Where the command stands that runs varnishd, and what is changed in nginx's configuration."""

IS_ROOT = os.geteuid() == 0
RIGHTS = ("--unix_socket_group", "varnish") if IS_ROOT else ()
"""As root varnishd gives up its rights, as Debian has it, and has only those of its group."""

VARNISH = "nginx/varnish.vcl"

PAGES = ("/metrics", "/-/healthy", "/-/ready")

DENIED = (
    "/",
    "/program/p.mtail",
    "/json",
    "/quitquitquit",
    "/debug/pprof/",
    "/-/reload",
    "/-/ready/x",
    "/metrics/",
    "//metrics",
    "/metrics/../json",
    "/metrics%0a",
    "/json?/metrics",
    "/%6detrics",
)

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Varnish:
    """varnishd at work: where it listens, and what it counts."""

    folder: Path
    client: httpx.Client

    def count(self, *names: str) -> list[int]:
        """Return the values of its own counters, to which a thread may add what it did some time later."""
        command = ["varnishstat", "-1", "-j", "-n", f"{self.folder}/work"]
        told = subprocess.run(command, check=True, capture_output=True).stdout
        counters = json.loads(told)["counters"]
        return [counters[f"MAIN.{name}"]["value"] for name in names]

    def list_headers(self, side: str, url: str) -> set[str]:
        """Return which headers logged requests for `url` have: `Req` are those to varnish, `Bereq` those of its own."""
        command = ["varnishlog", "-d", "-g", "vxid", "-n", f"{self.folder}/work", "-i", f"{side}Header"]
        told = subprocess.run(
            [*command, "-q", f'{side}URL eq "{url}"'], check=True, capture_output=True, text=True
        ).stdout
        return {name.lower() for name in re.findall(rf"{side}Header +([^:]+):", told)}


def read_command(folder: Path) -> list[str]:
    """Return the command that the page shows, with the paths in `folder`, and what who is not root can do of it."""
    (shown,) = re.findall(r"^# (varnishd (?:.*\\\n)*.*)$", PAGE.read_text(), re.MULTILINE)
    changes = {"/etc/varnish/syslog-pipeline.vcl": f"{folder}/varnish.vcl", "/run/syslog-pipeline/": f"{folder}/"}
    if not IS_ROOT:
        changes |= {"-j unix,user=vcache": "-j none", ",group=www-data": ""}
    return shlex.split(substitute(shown.replace("\\\n", ""), changes, PAGE.name))


@contextmanager
def run_varnish(sockets: Path, name: str, *, ttl: str = "1s") -> Iterator[Varnish]:
    """Run varnishd before what listens in `sockets`. It keeps pages for `ttl`, which is shipped as a second."""
    folder, port = sockets / name, find_port()
    folder.mkdir()
    vcl = render_shipped(VARNISH, {"/run/syslog-pipeline/": f"{sockets}/", "beresp.ttl = 1s": f"beresp.ttl = {ttl}"})
    (folder / "varnish.vcl").write_text(vcl)
    command = read_command(folder)
    command += ["-n", f"{folder}/work", "-a", f"127.0.0.1:{port}", "-T", "none", "-S", "none"]
    with (
        running(command, folder / "varnish.out", ready=lambda: is_open(port)),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_SECONDS, trust_env=False) as client,
    ):
        yield Varnish(folder, client)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that varnishd can find its way into."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def counting(folder: Path) -> Iterator[Counting]:
    """Our daemon, with the program that counts."""
    with run_counting(folder, "--logs", f"{folder}/log.fifo", *RIGHTS) as counting:
        yield counting


@pytest.fixture(scope="module")
def keeping(counting: Counting) -> Iterator[Varnish]:
    """One that keeps each page until the end of the tests: what it makes anew does not depend on the time."""
    with run_varnish(counting.folder, "keeping", ttl="1h") as varnish:
        yield varnish


def read_counted(page: str, route: str) -> int:
    """Return how many messages came by one way, according to a page."""
    found = re.search(rf'^e2e_messages_total{{.*route="{route}"}} (\d+)$', page, re.MULTILINE)
    return int(found[1]) if found else 0


def test_scrapers_share_a_page(keeping: Varnish) -> None:
    """Also those who come while it is made, with a cookie or a password, and for the headers alone."""
    before = keeping.count("cache_hit", "cache_miss", "backend_req")
    headers = [{}, {"Cookie": "a=b"}, {"Authorization": "Basic YTpi"}, {"Accept-Encoding": "gzip"}] * 4
    with ThreadPoolExecutor(len(headers)) as threads:
        answers = list(threads.map(lambda some: keeping.client.get("/metrics?x=1", headers=some), headers))
    assert keeping.client.head("/metrics?x=1").status_code == 200
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1

    def count_since() -> list[int]:
        after = keeping.count("cache_hit", "cache_miss", "backend_req")
        return [new - old for new, old in zip(after, before, strict=True)]

    wait_until(lambda: sum(count_since()) >= len(headers) + 2, "all are counted")
    assert count_since() == [len(headers), 1, 1]


def test_our_daemon_does_not_learn_who_asks(keeping: Varnish) -> None:
    """Neither a cookie nor a password goes on."""
    for path in ("/metrics?learn", "/-/ready?learn"):
        keeping.client.get(path, headers={"Cookie": "a=b", "Authorization": "Basic YTpi"}).raise_for_status()
        wait_until(partial(keeping.list_headers, "Req", path), "it is logged")
        assert keeping.list_headers("Req", path) >= {"host", "cookie", "authorization"}
        assert keeping.list_headers("Bereq", path) & {"host", "cookie", "authorization"} == {"host"}


def test_page_is_compressed_for_those_who_take_it(keeping: Varnish) -> None:
    """From the same copy."""
    plain = keeping.client.get("/metrics", headers={"Accept-Encoding": "identity"})
    with keeping.client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        body = b"".join(answer.iter_raw())
    assert (answer.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert gzip.decompress(body) == plain.content


def test_only_our_pages_are_served(counting: Counting) -> None:
    """What else is asked for never reaches our daemon, and whether it is well is asked each time."""
    # It is a varnish of its own, as what another one was asked before may be counted late.
    with run_varnish(counting.folder, "only", ttl="1h") as varnish:
        ask_for_anything(varnish)
        wait_until(lambda: varnish.count("backend_req")[0] >= len(PAGES) + 3, "all are counted")
        assert varnish.count("backend_req") == [len(PAGES) + 3]


def ask_for_anything(varnish: Varnish) -> None:
    """Ask for our pages, for what is denied, and three times whether our daemon is ready."""
    assert [varnish.client.get(path).status_code for path in PAGES] == [200] * len(PAGES)
    url = str(varnish.client.base_url)
    for path in DENIED:
        command = ["curl", "--silent", "--path-as-is", "--output", "/dev/null", "--write-out", "%{http_code}"]
        told = subprocess.run([*command, f"{url.rstrip('/')}{path}"], check=True, capture_output=True, text=True)
        assert (path, told.stdout) == (path, "404")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PURGE", "BAN"):
        assert {varnish.client.request(method, path).status_code for path in PAGES} == {405}
    for _ in range(3):
        assert varnish.client.get("/-/ready").text == "syslog-pipeline is ready.\n"


def test_server_tells_no_version(keeping: Varnish) -> None:
    """Nor that anything stands between."""
    headers = keeping.client.get("/metrics").headers
    assert [headers.get(name) for name in ("via", "x-varnish")] == [None, None]
    assert headers.get("server") in (None, "Varnish")


def test_values_move_on_and_old_ones_are_never_served(folder: Path) -> None:
    """As soon as the second has passed. A daemon that is away is seen to be away, and found again when it is back."""
    place = folder / "moving"
    place.mkdir()
    with run_varnish(place, "moving") as varnish:

        def fetch_count(route: str) -> int:
            return read_counted(varnish.client.get("/metrics").text, route)

        def is_gone() -> bool:
            answer = varnish.client.get("/metrics")
            assert answer.status_code == 503 or int(answer.headers["age"]) <= 2
            return answer.status_code == 503

        assert varnish.client.get("/metrics").status_code == 503
        for route in ("first", "second"):
            with run_counting(place, "--logs", f"{place}/log.fifo", *RIGHTS) as counting:
                (place / "log.fifo").write_bytes(make_messages(route, range(1000)))
                counting.wait_counted(route, 1000)
                wait_until(partial(fetch_count, route), "it moves on")
                assert fetch_count(route) == 1000
            assert varnish.client.get("/-/ready").status_code == 503
            wait_until(is_gone, "the copy is forgotten")


def test_varnish_stands_behind_nginx(keeping: Varnish, counting: Counting) -> None:
    """As the document has it: nginx terminates TLS, asks for the password, and asks varnish instead of our daemon."""
    web = prepare_nginx(keeping.folder / "nginx")
    render_nginx(web, counting.folder, BASIC_AUTH, user="www-data")
    section = PAGE.read_text().partition("\n## varnish\n")[2]
    (shown,) = [block["text"] for block in BLOCK.finditer(section) if block["language"] == "nginx"]
    conf = web.folder / "syslog-pipeline.conf"
    before = "upstream syslog_pipeline {\n" + f"    server unix:{counting.folder}/metrics.sock;\n"
    after = substitute(shown, {"/run/syslog-pipeline/": f"{keeping.folder}/"}, PAGE.name)
    conf.write_text(substitute(conf.read_text(), {before: after}, BASIC_AUTH))
    with serving(web), web.connect() as client, web.connect(auth=None) as stranger:
        pages = {client.get("/metrics?nginx").raise_for_status().text for _ in range(3)}
        assert len(pages) == 1
        assert [client.get(path).status_code for path in (*PAGES, "/json")] == [200, 200, 200, 404]
        assert stranger.get("/metrics").status_code == 401
        client.get("/metrics?who", headers={"Cookie": "a=b"}).raise_for_status()
    wait_until(partial(keeping.list_headers, "Req", "/metrics?who"), "it is logged")
    assert keeping.list_headers("Req", "/metrics?who") & {"host", "cookie", "authorization"} == {"host"}


def test_varnish_compiles_the_file_in_silence(counting: Counting) -> None:
    """Here the socket is there; where it is not, varnishd warns, and runs."""
    vcl = counting.folder / "check.vcl"
    vcl.write_text(render_shipped(VARNISH, {"/run/syslog-pipeline/": f"{counting.folder}/"}))
    command = ["varnishd", "-C", "-f", str(vcl), "-n", f"{counting.folder}/check"]
    environment = {**os.environ, "PATH": DAEMON_PATH}
    check = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "warning" not in check.stderr.lower()
