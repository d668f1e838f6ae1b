"""The real daemon is asked for its pages while something presses on it: it answers, and what it says agrees."""

from __future__ import annotations

import json
import re
import resource
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.daemons import DEADLINE_SECONDS, run_pipeline, wait_until

CROWD = 1000
SCRAPES = 20
SOFT_LIMIT = 256
"""Fewer descriptors than there are connections: the daemon has to raise it, as under systemd."""

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Site:
    """Our daemon with a named pipe and a stream socket."""

    folder: Path

    @property
    def fifo(self) -> Path:
        return self.folder / "log.fifo"

    @property
    def stream(self) -> Path:
        return self.folder / "stream.sock"

    @property
    def http(self) -> Path:
        return self.folder / "metrics.sock"

    def read_pages(self) -> dict[str, float]:
        """Ask for each page, each of which must be whole; return the values of the metrics by name and labels."""
        transport = httpx.HTTPTransport(uds=str(self.http))
        with httpx.Client(transport=transport, base_url="http://x", timeout=DEADLINE_SECONDS) as client:
            page, table, status = (client.get(path).raise_for_status() for path in ("/metrics", "/json", "/"))
        assert {metric["Name"] for metric in json.loads(table.content)} >= {"e2e_messages_total", "expected"}
        assert status.text.rstrip().endswith("</html>")
        assert page.text.endswith("\n")
        rows = (row.rpartition(" ") for row in page.text.splitlines() if not row.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def check_counts(self) -> int:
        """Ask for the pages, compare what counts the same lines, and return how many there were."""
        values = self.read_pages()
        lines = values["syslog_pipeline_lines_total"]
        assert sum_of("syslog_pipeline_log_lines_total", values) == lines
        assert sum_of("syslog_pipeline_prog_lines_total", values) == lines
        return int(lines)


def sum_of(name: str, values: dict[str, float]) -> float:
    """Return the sum of all series of a metric."""
    return sum(value for series, value in values.items() if re.split("[{ ]", series)[0] == name)


@contextmanager
def soft_limit(number: int) -> Iterator[None]:
    """Let this process, and what it starts, have so many descriptors open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def site() -> Iterator[Site]:
    """The daemon starts with few descriptors, this process has many. Socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name, ExitStack() as stack:
        site = Site(Path(name))
        flags = ("--progs", str(Path(__file__).parent / "count.mtail"), "--partial_line_timeout", "0")
        with soft_limit(SOFT_LIMIT):
            stack.enter_context(run_pipeline(site.folder, *flags, "--logs", f"{site.fifo},unix://{site.stream}"))
        stack.enter_context(soft_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        yield site


@contextmanager
def crowd(path: Path) -> Iterator[list[socket.socket]]:
    """Connect many clients to a unix socket."""
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(CROWD)]
        for client in clients:
            client.settimeout(DEADLINE_SECONDS)
            client.connect(str(path))
        yield clients


def test_pages_are_served_while_a_pipe_has_no_writer(site: Site) -> None:
    """Whoever opens such a pipe for reading alone would wait."""
    assert site.check_counts() == 0


def test_pages_are_served_while_a_pipe_is_at_full_speed(site: Site) -> None:
    """From a writer that never stops: scrapes see more and more, and in the end nothing is missing."""
    seen = [0]

    def has_grown() -> bool:
        seen.append(site.check_counts())
        assert seen[-1] >= seen[-2]
        return seen[-1] > seen[-2]

    with site.fifo.open("wb") as pipe:
        writer = subprocess.Popen(["yes", "Nov 21 01:13:00 host e2e: e2e pipe 7"], stdout=pipe)
    try:
        for _ in range(SCRAPES):
            wait_until(has_grown, "more is counted")
    finally:
        writer.kill()
        writer.wait()
    wait_until(lambda: not has_grown(), "what lies in the pipe is counted")
    assert sum_of("e2e_messages_total", site.read_pages()) == seen[-1]


def test_pages_are_served_while_many_log_connections_are_idle(site: Site) -> None:
    """Each in the middle of a line; and when they go on, each line is counted."""
    with crowd(site.stream) as clients:
        for client in clients:
            client.send(b"Nov 21 01:13:00 host e2e: e2e stream ")
        wait_until(lambda: sum_of("syslog_pipeline_connections", site.read_pages()) == CROWD, "all are connected")
        assert site.check_counts() == 0
        for number, client in enumerate(clients):
            client.send(b"%d\n" % number)
        wait_until(lambda: site.check_counts() == CROWD, "all lines are counted")
    values = site.read_pages()
    assert sum_of("e2e_messages_total", values) == CROWD
    assert sum_of("e2e_numbers_total", values) == sum(range(CROWD))
    wait_until(lambda: sum_of("syslog_pipeline_connections", site.read_pages()) == 0, "nobody is connected")


@pytest.mark.parametrize(
    "request_begun", [b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"], ids=["silent", "half a request"]
)
def test_pages_are_served_while_many_http_connections_are_idle(request_begun: bytes, site: Site) -> None:
    """Those that are idle longest have to go."""
    with crowd(site.http) as clients:
        for client in clients:
            with suppress(BrokenPipeError):
                client.send(request_begun)
        values = [site.read_pages() for _ in range(SCRAPES)][-1]
    assert values["syslog_pipeline_http_connections_evicted_total"] > CROWD / 2
