"""Standard input of the real daemon: a pipe that a writer fills, until it closes it or we are told to stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.counting import PROGRAM
from tests.e2e.daemons import DEADLINE_SECONDS, answers, fetch_metrics, wait_until

LINES = 200_000

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """Socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        yield Path(name)


@contextmanager
def run_on(folder: Path, name: str, stdin: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon with standard input as its source."""
    flags = ["--progs", str(PROGRAM), "--logs", name, "--unix_socket", str(folder / "metrics.sock")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "run", *flags], stdin=stdin, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_counter(folder: Path, name: str) -> str:
    """Return the value of a metric with whatever labels, as it is spelled; nothing if there is none yet."""
    lines = fetch_metrics(folder / "metrics.sock").splitlines()
    return next((line.split()[-1] for line in lines if line.startswith(f"{name}{{")), "")


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_every_line_is_counted(folder: Path, name: str) -> None:
    """None is lost or doubled; then the end of the pipe ends the daemon, with status 0."""
    with run_on(folder, name, subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(b"".join(b"e2e stdin %d\n" % number for number in range(LINES)))
        process.stdin.flush()
        wait_until(lambda: read_counter(folder, "e2e_messages_total") == str(LINES), "all lines are counted")
        assert read_counter(folder, "e2e_disorder_total") in ("", "0")
        process.stdin.close()
        assert process.wait(DEADLINE_SECONDS) == 0, (folder / "log").read_text()


def test_kill_leaves_what_lies_in_a_pipe_that_is_held(folder: Path) -> None:
    """By whoever started us, for the next run; where nobody holds it the writer gets an error."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as held, os.fdopen(writing, "wb", buffering=0) as writer:
        with run_on(folder, "-", held) as process:
            wait_until(lambda: answers(folder / "metrics.sock", socket.SOCK_STREAM), "the daemon is ready")
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            writer.write(b"e2e stdin 0\n")
            process.kill()
            assert process.wait(DEADLINE_SECONDS) == -signal.SIGKILL
        with run_on(folder, "-", held):
            held.close()
            wait_until(lambda: answers(folder / "metrics.sock", socket.SOCK_STREAM), "the daemon is ready")
            wait_until(lambda: read_counter(folder, "e2e_messages_total") == "1", "the line is counted")
        with pytest.raises(BrokenPipeError):
            writer.write(b"e2e stdin 1\n")


def test_sigterm_takes_what_was_written(folder: Path) -> None:
    """The writer may hold its end open; the status is 0."""
    with run_on(folder, "-", subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(b"e2e stdin 0\n")
        process.stdin.flush()
        wait_until(lambda: read_counter(folder, "e2e_messages_total") == "1", "the line is counted")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0, (folder / "log").read_text()
        assert "- has ended." not in (folder / "log").read_text()
