"""What other users can do to mislead the doctor, whom root asks, or to hold it up."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipeline.doctor.checks.line import put_into_pipe
from pipeline.doctor.processes import list_processes, read_start
from pipeline.doctor.scrape import ask
from pipeline.doctor.syslog_daemons import RSYSLOG, read_configuration
from tests.doctor.chain import Chain, find_holding
from tests.e2e.daemons import wait_until

NOBODY = 65534
SECRET = "hunter2"


@contextmanager
def running(*arguments: bytes | str, executable: str, user: int | None = None) -> Iterator[int]:
    """Run a process that calls itself what it likes, until its input ends; give its number."""
    with subprocess.Popen(
        arguments, executable=executable, user=user, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def test_process_without_a_name() -> None:
    """One whose arguments are blanks is no daemon, and no reason to give up."""
    with running(" ", executable="/bin/cat") as pid:
        processes = list_processes()
        assert pid in [process.pid for process in processes]
        assert RSYSLOG.find_processes(Path("/nowhere.conf"), processes) == []


def test_process_that_calls_itself_a_daemon(open_folder: Path) -> None:
    """It may be there first: still its user is not the one whose rights are looked at."""
    config = open_folder / "rsyslog.conf"
    config.write_text("read line\n")
    command = ("rsyslogd", "-f", str(config))
    with (
        running(*command, executable="/bin/sh", user=NOBODY) as first,
        running(*command, executable="/bin/sh") as second,
    ):
        found = RSYSLOG.find_processes(config, list_processes())
    assert [(process.pid, process.account.uid) for process in found] == [(second, 0), (first, NOBODY)]


def test_name_of_a_process_is_shown_without_its_effect(chain: Chain) -> None:
    """What a terminal would obey is escaped, what is no text does no harm, and what may be a password is not told."""
    script = 'exec 3<"$0"; read line'
    name = b"\x1b[2J\xff\nbash"
    with running(name, "-c", script, str(chain.fifo), f"--password={SECRET}", executable="/bin/bash") as pid:
        wait_until(lambda: pid in find_holding(chain.fifo), "it reads the pipe")
        found = chain.ask().find("reader")
    assert "\\x1b[2J\\udcff" in str(found["what"])
    assert str(found["what"]).isprintable()
    assert SECRET not in json.dumps(found)


def test_start_of_a_process_is_not_when_it_was_looked_at() -> None:
    """To a second it is what `ps` says."""
    told = subprocess.run(["ps", "-o", "lstart=", "-p", "1"], capture_output=True, text=True, check=True).stdout
    seconds = subprocess.run(["date", "-d", told.strip(), "+%s"], capture_output=True, text=True, check=True).stdout
    assert abs(read_start(1) - int(seconds)) < 2


def test_answer_that_never_ends(tmp_path: Path) -> None:
    """A header a moment is no answer."""
    path = tmp_path / "metrics.sock"
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def trickle() -> None:
            client, _ = server.accept()
            with client, suppress(OSError):  # nobody waits for it any more
                client.sendall(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.01):
                    client.sendall(b"x: y\r\n")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            assert ask(path, "/metrics", 0.2) is None
        finally:
            ended.set()
            thread.join()


def test_pipe_in_the_place_of_a_configuration(chain: Chain, tmp_path: Path) -> None:
    """Nobody writes to it, and nobody waits for that."""
    config = tmp_path / "settings.toml"
    os.mkfifo(config)
    chain.ask(config=config).assert_only("settings", f"{config} is no file.", f"editor {config}")
    assert read_configuration(RSYSLOG, config) == {config: ""}


def test_nothing_is_written_to_what_takes_the_place_of_the_pipe(tmp_path: Path) -> None:
    """A link to a file of root's, say."""
    (tmp_path / "passwd").write_text("root:x:0:0")
    (tmp_path / "log.fifo").symlink_to("passwd")
    with pytest.raises(OSError, match="it is not a named pipe"):
        put_into_pipe(str(tmp_path / "log.fifo"), b"line\n", 1)
    with pytest.raises(FileNotFoundError):
        put_into_pipe(str(tmp_path / "none.fifo"), b"line\n", 1)
    assert (tmp_path / "passwd").read_text() == "root:x:0:0"
    assert not (tmp_path / "none.fifo").exists()


def test_full_pipe_is_waited_for_and_then_left_alone(tmp_path: Path) -> None:
    """The line goes in as a whole, or not at all."""
    path = tmp_path / "log.fifo"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
        os.write(pipe, b"x" * 4090)
        with pytest.raises(BlockingIOError):
            put_into_pipe(str(path), b"line of the doctor\n", 0.1)
        assert os.read(pipe, 5000) == b"x" * 4090
        put_into_pipe(str(path), b"line of the doctor\n", 0.1)
        assert os.read(pipe, 5000) == b"line of the doctor\n"
    finally:
        os.close(pipe)
