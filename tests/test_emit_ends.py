"""How emit ends before it has sent all: by signals, by time, and when a reader or a sender is gone."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
from array import array
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemons import DEADLINE_SECONDS, wait_until
from tests.emitted import SUMMARY, folder
from tests.test_cli import make_env

__all__ = ["folder"]


@pytest.mark.slow
@pytest.mark.parametrize("senders", ["1", "2"])
@pytest.mark.parametrize(("flags", "status"), [(["--count", "0"], 0), (["--count", "10000000"], 1)])
def test_signal_ends_it_in_order(flags: list[str], status: int, senders: str) -> None:
    """What was sent by then is told. It is no failure if there was no end to be reached."""
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--rate", "1000", *flags]
    with subprocess.Popen(
        [*command, "--senders", senders], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env(), text=True
    ) as process:
        wait_until(lambda: Path("out").exists() and Path("out").stat().st_size > 10_000, "messages are sent")
        wait_until(lambda: is_obeying(process, senders), "all senders are at work")
        process.send_signal(signal.SIGINT)
        told, wrong = process.communicate(timeout=DEADLINE_SECONDS)
    assert (wrong, process.returncode) == ("", status)
    found = SUMMARY.fullmatch(told)
    assert found
    assert found.groups() == (str(Path("out").read_bytes().count(b"\n")), "0")


FORKED = """
import os, runpy, signal, sys
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGINT))
runpy.run_module("pipeline", run_name="__main__")
"""
"""Has each process interrupted as soon as it is there."""


@pytest.mark.slow
def test_signal_before_a_sender_obeys_it_is_not_lost() -> None:
    """Whoever presses Ctrl-C at once sees how it went, and nothing of how it is done."""
    flags = ["--to", "file://out", "--rate", "1", "--count", "1000", "--senders", "3"]
    command = [sys.executable, "-c", FORKED, "emit", *flags]
    ended = subprocess.run(
        command, capture_output=True, check=False, env=make_env(), text=True, timeout=DEADLINE_SECONDS
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("0 sent in ")


@pytest.mark.slow
def test_signal_ends_waiting_for_a_line() -> None:
    """Which may never come; what came before is sent and told."""
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--lines", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=make_env()) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"line\n")
        process.stdin.flush()
        wait_until(lambda: Path("out").exists() and Path("out").read_bytes() == b"line\n", "the line is sent")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert SUMMARY.fullmatch(process.stdout.read().decode())


@pytest.mark.slow
def test_time_ends_waiting_for_a_line() -> None:
    """As it ends everything else."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--lines", "-", "--duration", "10ms"]
    result = subprocess.run(command, stdin=reader, capture_output=True, env=make_env(), timeout=DEADLINE_SECONDS)
    os.close(reader)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"0 sent in ")


@pytest.mark.slow
@pytest.mark.parametrize("senders", ["1", "2"])
def test_signal_ends_waiting_for_room(senders: str) -> None:
    """Which a receiver that hangs never makes; lines of a file that were not sent are a failure."""
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    Path("log").write_text("x" * 99 + "\n")
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "pipe", "--wait", "1h", "--lines", "log"]
    command += ["--count", "100000", "--senders", senders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=make_env()) as process:
        assert process.stdout is not None
        wait_until(lambda: measure_waiting(reader) > 60_000, "the pipe is full")
        wait_until(lambda: is_obeying(process, senders), "all senders are at work")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 1
        assert b" sent in " in process.stdout.read()
    os.close(reader)


def is_obeying(process: subprocess.Popen[Any], senders: str) -> bool:
    """Return whether all its processes have been started, and know what to do at a signal."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    wanted = 0 if senders == "1" else int(senders)
    return len(children) == wanted and all(catches_sigterm(pid) for pid in (str(process.pid), *children))


def catches_sigterm(pid: str) -> bool:
    """Return whether a process has a handler for it (proc_pid_status(5))."""
    found = re.search(r"^SigCgt:\s(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return bool(int(found[1], 16) >> (signal.SIGTERM - 1) & 1)


def measure_waiting(descriptor: int) -> int:
    """Return how many bytes wait in a pipe."""
    waiting = array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
    return waiting[0]


@pytest.mark.slow
def test_file_that_was_not_sent_to_its_end_is_a_failure() -> None:
    """It has an end, although no number of lines was asked for."""
    Path("log").write_text("line\n" * 10_000)
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--lines", "log", "--rate", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=make_env()) as process:
        wait_until(lambda: Path("out").exists() and Path("out").stat().st_size > 100, "lines are sent")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 1


@pytest.mark.slow
@pytest.mark.parametrize("senders", ["1", "2"])
def test_reader_of_standard_output_that_leaves_ends_it(senders: str) -> None:
    """As in `| head -1`, although it was to have no end."""
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "-", "--count", "0", "--senders", senders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env()) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"type":"counter",')
        process.stdout.close()
        assert process.wait(DEADLINE_SECONDS) == 1
        assert process.stderr is not None
        assert process.stderr.read().endswith(b"nobody listens: Broken pipe.\n")


@pytest.mark.slow
def test_sender_that_is_killed_is_a_failure() -> None:
    """The others are told of."""
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--rate", "2000", "--count", "0"]
    with subprocess.Popen(
        [*command, "--senders", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env(), text=True
    ) as process:
        wait_until(lambda: Path("out").exists() and Path("out").stat().st_size > 10_000, "messages are sent")
        wait_until(lambda: is_obeying(process, "2"), "both senders are at work")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        os.kill(int(children[1]), signal.SIGINT)
        told, wrong = process.communicate(timeout=DEADLINE_SECONDS)
    assert (wrong, process.returncode) == ("", 1)
    assert SUMMARY.fullmatch(told)
