"""Our daemon, counting numbered messages by the way they came: nothing may be lost, doubled, or put out of order."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.e2e.daemons import HTTP_SOCKET, is_at_work, run_pipeline, wait_count, wait_until

PROGRAM = Path(__file__).parent / "count.mtail"

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Counting:
    """Our daemon at work, and how to scrape it."""

    folder: Path
    client: httpx.Client

    def read(self, name: str, label: str, value: str) -> float:
        """Return the value of the series of a metric of which one label has that value; 0 if there is none."""
        page = self.client.get("/metrics").raise_for_status().text
        found = re.search(rf'^{name}{{(?:.*,)?{label}="{re.escape(value)}".*}} (\S+)$', page, re.MULTILINE)
        return float(found[1]) if found else 0

    def read_counter(self, name: str, route: str) -> float:
        """Return what the program counted for one way of messages."""
        return self.read(f"e2e_{name}_total", "route", route)

    def wait_counted(self, route: str, count: int) -> None:
        """Return when at least `count` messages have been counted."""
        wait_count(lambda: self.read_counter("messages", route), count, f"{count} messages by {route}")

    def assert_exact(self, route: str, count: int) -> None:
        """Nothing was lost, doubled, or put out of order."""
        assert self.read_counter("messages", route) == count
        assert self.read_counter("numbers", route) == count * (count - 1) // 2
        assert self.read_counter("disorder", route) == 0


@contextmanager
def run_counting(
    folder: Path, *flags: str, program: Path = PROGRAM, socket_name: str = HTTP_SOCKET
) -> Iterator[Counting]:
    """Run our daemon with the program that counts, or another."""
    with (
        run_pipeline(folder, "--progs", str(program), *flags, socket_name=socket_name),
        scraping(folder, socket_name) as counting,
    ):
        yield counting


@contextmanager
def scraping(folder: Path, socket_name: str = HTTP_SOCKET) -> Iterator[Counting]:
    """Give what scrapes our daemon, which somebody else runs in `folder`."""
    transport = httpx.HTTPTransport(uds=str(folder / socket_name))
    with httpx.Client(transport=transport, base_url="http://localhost", timeout=TIMEOUT_SECONDS) as client:
        yield Counting(folder, client)


@contextmanager
def starting(folder: Path, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run our daemon with the program that counts, and give its process when it is ready; the block decides its end."""
    command = [sys.executable, "-m", "pipeline", "run", "--progs", str(PROGRAM), *flags]
    command += ["--unix_socket", f"{folder}/metrics.sock"]
    with (folder / "pipeline.out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: is_at_work(folder / "metrics.sock"), "the daemon is ready")
        yield process
    finally:
        process.kill()
        process.wait()


def make_messages(route: str, numbers: Iterable[int]) -> bytes:
    """Return numbered lines, as a syslog daemon writes them to a file."""
    return "".join(f"Nov 21 01:13:00 host e2e: e2e {route} {number}\n" for number in numbers).encode()


def log_messages(log_socket: Path, route: str, count: int) -> None:
    """Write numbered messages to rsyslogd with `logger`, as a program would."""
    subprocess.run(
        ["logger", "--socket", str(log_socket), "--tag", "e2e", "--priority", "mail.info"],
        input="".join(f"e2e {route} {number}\n" for number in range(count)).encode(),
        check=True,
    )
