"""A daemon under measurement: started, asked over its unix socket, and stopped by its process id."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contenders import Contender
from tests.bench.measure import BenchError, Memory, last_words, read_cpu_seconds, read_memory

DEADLINE_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
STANDSTILL_SECONDS = 5.0
"""So long no further line was counted: what is missing then is taken as lost."""

ANSWER_SECONDS = 60.0
MAX_SOCKET_PATH = 107
"""Bytes that the kernel takes for the name of a unix socket."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; stays connected from request to request, as a scraper does."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """One daemon that answers scrapes."""

    contender: Contender
    process: subprocess.Popen[bytes]
    connection: UnixConnection
    log: Path

    @property
    def cpu_seconds(self) -> float:
        return read_cpu_seconds(self.process.pid)

    @property
    def memory(self) -> Memory:
        return read_memory(self.process.pid)

    def scrape(self, encoding: str = "identity", path: str = "/metrics") -> bytes:
        """Return the page as it came, so compressed if that was asked for and the daemon can."""
        try:
            self.connection.request("GET", path, headers={"Accept-Encoding": encoding})
            with self.connection.getresponse() as response:
                page = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self.fail(f"did not answer a scrape ({error!r})") from error
        if response.status != http.client.OK:
            raise self.fail(f"answered a scrape with {response.status}")
        return page

    def count_lines(self) -> int:
        """Return how many lines it says it was given. Before the first, an mtail may not say."""
        prefix = f"{self.contender.lines_metric} ".encode()
        values = [line.split()[1] for line in self.scrape().splitlines() if line.startswith(prefix)]
        return int(float(values[0])) if values else 0

    def wait_for_lines(self, wanted: int) -> int:
        """Return how many it counts: `wanted`, or fewer if for `STANDSTILL_SECONDS` no more came."""
        counted, changed = self.count_lines(), time.monotonic()
        while counted < wanted and time.monotonic() - changed < STANDSTILL_SECONDS:
            time.sleep(POLL_SECONDS)
            if (count := self.count_lines()) != counted:
                counted, changed = count, time.monotonic()
        return counted

    def require_life(self) -> None:
        if self.process.poll() is not None:
            raise self.fail("ended before its time")

    def fail(self, what: str) -> BenchError:
        said = last_words(self.log.read_bytes())
        return BenchError(f"The daemon {self.contender.name} {what}; its log ends with: {said}")


@contextmanager
def running(
    contender: Contender, programs: Path, source: str, folder: Path, *, eager: bool = False
) -> Iterator[RunningDaemon]:
    """Run a daemon until the block ends. Its socket and its log are in `folder`."""
    path, log = folder / "http", folder / "log"
    if len(str(path)) > MAX_SOCKET_PATH:
        raise BenchError(f"The name of the temporary folder is too long for a socket: {folder}.")
    command = contender.run(programs, source, path, eager=eager)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    daemon = RunningDaemon(contender, process, UnixConnection(path), log)
    try:
        wait_until(lambda: answers(daemon), daemon)
        yield daemon
    finally:
        daemon.connection.close()
        stop(process)


def answers(daemon: RunningDaemon) -> bool:
    try:
        daemon.connection.connect()
    except (FileNotFoundError, ConnectionRefusedError):
        daemon.connection.close()
        return False
    return True


def wait_until(condition: Callable[[], bool], daemon: RunningDaemon, *, poll_seconds: float = POLL_SECONDS) -> None:
    """Return when `condition` holds; it must within `DEADLINE_SECONDS`, and the daemon must live."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        daemon.require_life()
        if time.monotonic() > end:
            raise daemon.fail(f"was not ready, or not done, after {DEADLINE_SECONDS:.0f} s")
        time.sleep(poll_seconds)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; kill it if it does not in time."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
