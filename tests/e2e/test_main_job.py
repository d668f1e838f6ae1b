"""The main job, with everything real: rsyslogd → our pipe or sockets → programs → nginx with TLS → scrape."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.daemons import DAEMON_PATH, ROOT, run_pipeline, run_rsyslog, substitute, wait_until
from tests.e2e.web import run_nginx

MESSAGES = 200_000
SUM = MESSAGES * (MESSAGES - 1) // 2

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Site:
    """Our daemon at work behind nginx: where it listens, and how to scrape it."""

    folder: Path
    client: httpx.Client

    @property
    def fifo(self) -> Path:
        return self.folder / "log.fifo"

    @property
    def stream(self) -> Path:
        return self.folder / "stream.sock"

    @property
    def datagram(self) -> Path:
        return self.folder / "datagram.sock"

    def scrape(self) -> str:
        """Return the page of metrics, read through nginx over TLS."""
        return self.client.get("/metrics").raise_for_status().text

    def read_counter(self, name: str, route: str) -> float:
        """Return what the program counted for one way of messages."""
        found = re.search(rf'^{name}{{.*route="{route}".*}} (\S+)$', self.scrape(), re.MULTILINE)
        return float(found[1]) if found else 0

    def wait_counted(self, route: str, count: int) -> None:
        """Return when at least `count` messages have been counted."""
        wait_until(lambda: self.read_counter("e2e_messages_total", route) >= count, f"{count} messages by {route}")

    def assert_exact(self, route: str, count: int = MESSAGES, total: int = SUM) -> None:
        """Nothing was lost and nothing doubled."""
        assert self.read_counter("e2e_messages_total", route) == count
        assert self.read_counter("e2e_numbers_total", route) == total


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Our daemon with the program that counts, and nginx before it. Socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        folder = Path(name)
        with (
            run_pipeline(
                folder,
                "--progs",
                str(Path(__file__).parent / "count.mtail"),
                "--logs",
                f"{folder}/log.fifo,unix://{folder}/stream.sock,unixgram://{folder}/datagram.sock",
            ),
            run_nginx(folder) as web,
            web.connect() as client,
        ):
            yield Site(folder, client)


@pytest.fixture
def rsyslog_folder() -> Iterator[Path]:
    """A folder of its own for each rsyslogd."""
    with tempfile.TemporaryDirectory(prefix="e2e-rsyslog-") as name:
        yield Path(name)


def log_messages(log_socket: Path, route: str) -> None:
    """Write numbered messages to a syslog daemon with `logger`, as a program would."""
    text = "".join(f"e2e {route} {number}\n" for number in range(MESSAGES))
    subprocess.run(
        ["logger", "--socket", str(log_socket), "--tag", "e2e", "--priority", "mail.info"],
        input=text.encode(),
        check=True,
    )


def test_messages_through_the_pipe_are_counted_exactly(site: Site, rsyslog_folder: Path) -> None:
    """rsyslogd with the snippet that users copy writes to the named pipe: nothing lost, doubled or out of order."""
    snippet = (ROOT / "rsyslog" / "pipe.conf").read_text()
    snippet = substitute(snippet, {"/run/syslog-pipeline/log.fifo": str(site.fifo)})
    with run_rsyslog(rsyslog_folder, snippet) as log_socket:
        log_messages(log_socket, "pipe")
        site.wait_counted("pipe", MESSAGES)
    site.assert_exact("pipe")
    assert site.read_counter("e2e_disorder_total", "pipe") == 0


def test_messages_through_a_datagram_socket_are_counted_exactly(site: Site, rsyslog_folder: Path) -> None:
    """rsyslogd's omuxsock writes a datagram per message to our socket: nothing lost, doubled or out of order."""
    snippet = (ROOT / "rsyslog" / "socket.conf").read_text()
    snippet = substitute(snippet, {"/run/syslog-pipeline/log.sock": str(site.datagram)})
    with run_rsyslog(rsyslog_folder, snippet) as log_socket:
        log_messages(log_socket, "datagram")
        site.wait_counted("datagram", MESSAGES)
    site.assert_exact("datagram")
    assert site.read_counter("e2e_disorder_total", "datagram") == 0


def test_messages_through_a_stream_socket_are_counted_exactly(site: Site) -> None:
    """A writer on a stream connection may close as soon as it has written: all that it wrote is counted."""
    text = "".join(f"Nov 21 01:13:00 host e2e: e2e stream {number}\n" for number in range(MESSAGES))
    with socket.socket(socket.AF_UNIX) as writer:
        writer.connect(str(site.stream))
        writer.sendall(text.encode())
    site.wait_counted("stream", MESSAGES)
    site.assert_exact("stream")
    assert site.read_counter("e2e_disorder_total", "stream") == 0


def test_promtool_is_content(site: Site) -> None:
    """`promtool check metrics` finds nothing to criticise in the page, our own metrics included."""
    page = site.scrape()
    assert "syslog_pipeline_lines_total" in page
    check = subprocess.run(
        ["promtool", "check", "metrics"],
        input=page.encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": DAEMON_PATH},
    )
    assert (check.returncode, check.stderr.decode()) == (0, "")
