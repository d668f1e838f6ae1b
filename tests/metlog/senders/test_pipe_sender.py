"""Messages through a named pipe, which nobody may read, or several may write to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.metlog.senders import PipeSender
from pipeline.metlog.senders.sender import FAILED, FULL, GONE
from tests.metlog.senders.peers import DEADLINE_SECONDS, make_message, read_payload, read_waiting, run_forked

SCRIPT = """
import sys
from pipeline.metlog.senders import PipeSender
sender = PipeSender(sys.argv[1], timeout_seconds=60)
for number in range(300):
    sender.send_message({"type": sys.argv[2], "payload": sys.argv[2] * (number * 13)})
sys.exit(sender.counts.dropped)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.fifo"
    os.mkfifo(path)
    return path


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """Give the descriptor of a pipe that is open for reading until the block ends."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_reader_that_comes_goes_and_comes_back(path: Path) -> None:
    """Messages arrive while it is there, and are dropped and counted while it is not."""
    sender = PipeSender(path)
    sender.send_message(make_message("lost"))
    for number in ("1", "2", "3"):
        with reading(path) as descriptor:
            sender.send_message(make_message(number))
            data = read_waiting(descriptor)
            assert data.endswith(b"\n")
            assert read_payload(data) == number
        sender.send_message(make_message("lost"))
    sender.close()
    assert (sender.counts.sent, sender.counts.causes) == (3, {GONE: 4})


@pytest.mark.parametrize("timeout_seconds", [0.0, 0.01])
def test_reader_that_hangs(path: Path, timeout_seconds: float) -> None:
    """What finds no room is dropped as a whole; nothing is held."""
    sender = PipeSender(path, timeout_seconds=timeout_seconds)
    with reading(path) as descriptor:
        for number in range(1000):
            sender.send_message(make_message(f"{number} {'x' * 1000}"))
        lines = read_waiting(descriptor).splitlines(keepends=True)
        assert all(line.endswith(b"\n") for line in lines)
        assert (sender.counts.sent, sender.counts.causes) == (len(lines), {FULL: 1000 - len(lines)})
        assert [read_payload(line).split()[0] for line in lines] == [str(number) for number in range(len(lines))]
        sender.send_message(make_message("again"))
        assert read_payload(read_waiting(descriptor)) == "again"
    sender.close()


def test_message_is_cut_to_what_a_pipe_takes_as_a_whole(path: Path) -> None:
    """4,096 bytes with its line feed."""
    sender = PipeSender(path)
    with reading(path) as descriptor:
        sender.send_message(make_message("x" * 10_000))
        data = read_waiting(descriptor)
    sender.close()
    assert len(data) == 4096
    assert json.loads(data)["fields"]["payload_cut"] == 10_000 - data.count(b"x")


def test_longer_lines_for_a_pipe_of_ones_own(path: Path) -> None:
    """A line that went in half is finished before the next one."""
    sender = PipeSender(path, max_bytes=10**6, timeout_seconds=0.0)
    with reading(path) as descriptor:
        sender.send_message(make_message("x" * 100_000))
        assert sender.counts.held == 1
        data = read_waiting(descriptor)
        sender.send_message(make_message("next"))
        data += read_waiting(descriptor)
    sender.close()
    assert [len(read_payload(line)) for line in data.splitlines()] == [100_000, 4]
    assert (sender.counts.sent, sender.counts.held) == (2, 0)


@pytest.mark.slow
def test_lines_of_several_processes_are_never_mixed(path: Path) -> None:
    """All of them arrive whole."""
    descriptor = os.open(path, os.O_RDWR)  # so that there is no end before the first has opened it
    processes = [subprocess.Popen([sys.executable, "-c", SCRIPT, str(path), name]) for name in "abc"]
    with os.fdopen(descriptor, "rb") as pipe:
        lines = [json.loads(pipe.readline()) for _ in range(900)]
    assert [process.wait(DEADLINE_SECONDS) for process in processes] == [0, 0, 0]
    for name in "abc":
        own = [line["payload"] for line in lines if line["type"] == name]
        assert [payload.strip(name) for payload in own] == [""] * 300
        assert [len(payload) for payload in own] == [min(13 * number, len(own[-1])) for number in range(300)]


def test_sigpipe_does_not_end_the_application(path: Path) -> None:
    """Even where it has the effect that it has by default; what others do with pipes is left as it is."""
    script = (
        "import os, signal, sys\n"
        "from pipeline.metlog.senders import PipeSender\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "sender = PipeSender(sys.argv[1])\n"
        "reader = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)\n"
        "sender.send_message({'type': 'a'})\n"
        "os.close(reader)\n"
        "sender.send_message({'type': 'b'})\n"
        "print(sender.counts.sent, sender.counts.causes, signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True)\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "os.write(writer, b'this ends it')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"1 {{'{GONE}': 1}} set()\n", -13)


def test_file_instead_of_a_pipe(tmp_path: Path) -> None:
    """Nothing is written to it; when it has become a pipe, messages arrive."""
    path = tmp_path / "log"
    path.write_text("")
    sender = PipeSender(path)
    sender.send_message(make_message())
    assert path.read_text() == ""
    assert (sender.counts.causes, sender.counts.last_failure) == ({FAILED: 1}, f"{FAILED}: {path} is no named pipe")
    path.unlink()
    os.mkfifo(path)
    with reading(path) as descriptor:
        sender.send_message(make_message())
        assert read_waiting(descriptor)
    sender.close()


def test_forked_process_opens_the_pipe_anew(path: Path) -> None:
    """Both write, and each counts for itself."""
    sender = PipeSender(path)
    with reading(path) as descriptor:
        sender.send_message(make_message("parent"))

        def send() -> int:
            sender.send_message(make_message("child"))
            return sender.counts.sent

        assert run_forked(send) == 1
        assert [read_payload(line) for line in read_waiting(descriptor).splitlines()] == ["parent", "child"]
    sender.close()
