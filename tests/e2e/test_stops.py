"""What sources promise when nobody reads, at a stop and at a kill: what lies in them then, and what comes later."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import pytest

from tests.e2e.counting import make_messages, run_counting, scraping, starting
from tests.e2e.daemons import DEADLINE_SECONDS, wait_count
from tests.ports import find_port

KINDS = ("pipe", "unix", "unixgram", "tcp", "udp")

LINES = 8
"""As many as the kernel lets wait at any of the sockets: 10 at a unix datagram socket."""

pytestmark = pytest.mark.slow


class PipeWriter(FileIO):
    """A named pipe that is written to as a socket is. What is sent is less than a pipe takes in one piece."""

    def setblocking(self, flag: bool) -> None:
        os.set_blocking(self.fileno(), flag)

    def send(self, data: bytes) -> int:
        return os.write(self.fileno(), data)

    sendall = send


@dataclass(frozen=True, slots=True)
class Place:
    """Where one kind of source is, and how to write to it."""

    kind: str
    folder: Path
    port: int

    @property
    def spec(self) -> str:
        """What an operator writes."""
        if self.kind == "pipe":
            return f"{self.folder}/log.fifo"
        is_unix = self.kind.startswith("unix")
        return f"{self.kind}://{self.folder}/log.sock" if is_unix else f"{self.kind}://127.0.0.1:{self.port}"

    @property
    def flags(self) -> list[str]:
        return ["--logs", self.spec, "--state_file", f"{self.folder}/state"]

    def connect(self) -> socket.socket | PipeWriter:
        """Return what writes there."""
        if self.kind == "pipe":
            return PipeWriter(self.spec, "wb")
        family = socket.AF_UNIX if self.kind.startswith("unix") else socket.AF_INET
        client = socket.socket(family, socket.SOCK_STREAM if self.kind in ("unix", "tcp") else socket.SOCK_DGRAM)
        client.connect(f"{self.folder}/log.sock" if family == socket.AF_UNIX else ("127.0.0.1", self.port))
        return client

    def write(self, route: str) -> None:
        """Write numbered lines, one at a time, and hang up."""
        with self.connect() as client:
            for number in range(LINES):
                client.send(make_messages(route, [number]))


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A pipe, or a socket of each kind, in a folder whose path is short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        yield Place(request.param, Path(name), find_port())


@contextmanager
def halted(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """Run our daemon, and halt it when it is ready; whatever the block does to it, it ends there."""
    with starting(place.folder, *place.flags) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        yield process


def test_clean_stop_counts_what_was_sent(place: Place) -> None:
    """Although the stop comes first: what lies in the socket, and in a connection that nobody has accepted, is read."""
    with halted(place) as process:
        place.write("before")
        process.terminate()
        process.send_signal(signal.SIGCONT)
        assert process.wait(DEADLINE_SECONDS) == 0
    with run_counting(place.folder, *place.flags) as counting:
        place.write("after")
        counting.wait_counted("after", LINES)
        counting.assert_exact("before", LINES)
        counting.assert_exact("after", LINES)


def test_what_is_written_meanwhile_is_lost(place: Place) -> None:
    """The writer gets an error, though of UDP none and of TCP a late one; the next run begins with what is new."""
    with run_counting(place.folder, *place.flags) as counting:
        writer = place.connect()
        writer.send(make_messages("before", [0]))
        counting.wait_counted("before", 1)
    with writer:
        if isinstance(writer, socket.socket) and writer.type == socket.SOCK_STREAM:
            assert writer.recv(1) == b""
        with nullcontext() if place.kind in ("tcp", "udp") else pytest.raises(ConnectionError):
            writer.send(make_messages("meanwhile", [0]))
        with run_counting(place.folder, *place.flags) as counting:
            place.write("after")
            counting.wait_counted("after", LINES)
            counting.assert_exact("after", LINES)
            counting.assert_exact("before", 1)
            assert counting.read_counter("messages", "meanwhile") == 0


def test_kill_loses_what_lies_in_the_source(place: Place) -> None:
    """And nothing else; the next run replaces the file of a unix socket and has the port at once."""
    with halted(place) as process:
        place.write("before")
        process.kill()
        assert process.wait(DEADLINE_SECONDS) == -signal.SIGKILL
    with run_counting(place.folder, *place.flags) as counting:
        place.write("after")
        counting.wait_counted("after", LINES)
        counting.assert_exact("after", LINES)
        assert counting.read_counter("messages", "before") == 0


@pytest.mark.parametrize("place", ["pipe"], indirect=True)
def test_kill_leaves_what_lies_in_a_pipe_that_is_held(place: Place) -> None:
    """By a writer that stays, as by systemd: the kernel keeps it for the next run."""
    with halted(place) as process, place.connect() as writer:
        for number in range(LINES):
            writer.send(make_messages("before", [number]))
        process.kill()
        assert process.wait(DEADLINE_SECONDS) == -signal.SIGKILL
        with run_counting(place.folder, *place.flags) as counting:
            counting.wait_counted("before", LINES)
            counting.assert_exact("before", LINES)


def test_nobody_reads_and_nothing_is_lost_unseen(place: Place) -> None:
    """The writer of a pipe, a stream or a unix datagram has to wait; what the kernel drops of UDP is counted."""
    with halted(place) as process, place.connect() as writer, scraping(place.folder) as counting:

        def count_dropped() -> float:
            return counting.read("syslog_pipeline_datagrams_dropped_total", "logfile", place.spec)

        sent = fill(writer, 1000 if place.kind == "udp" else 1_000_000)
        process.send_signal(signal.SIGCONT)
        writer.setblocking(True)
        writer.sendall(sent[-1])
        wait_count(lambda: counting.read_counter("messages", "full") + count_dropped(), len(sent), "all is counted")
        assert counting.read_counter("messages", "full") + count_dropped() == len(sent)
        assert (count_dropped() > 0) == (place.kind == "udp")


def fill(writer: socket.socket | PipeWriter, most: int) -> list[bytes]:
    """Send numbered lines until one has to wait; return them, and what of the last one is still to be sent."""
    writer.setblocking(False)
    sent: list[bytes] = []
    with suppress(BlockingIOError):
        while len(sent) < most:
            sent.append(make_messages("full", [len(sent)]))
            taken = writer.send(sent[-1])
            if taken < len(sent[-1]):
                return [*sent[:-1], sent[-1][taken:]]
    if len(sent) == most:
        sent.append(make_messages("full", [most]))
    return sent
