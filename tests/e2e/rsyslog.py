"""Runs rsyslogd with the files that users copy, and sends it numbered messages."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.shipped import render_shipped
from tests.e2e.counting import PROGRAM, Counting, scraping
from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, RSYSLOG_CONF, is_open, running, wait_until
from tests.e2e.manager import Manager, managing
from tests.ports import find_port

FIFO = "/run/syslog-pipeline/log.fifo"
"""What stands in the files for the pipe."""

EXPECTED_WORDS = ("config validation run", "End of config validation")
"""What `rsyslogd -N1` says in any case."""

INPUT = """
module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="{port}")
if $syslogfacility-text == "syslog" then {{
    stop
}}
"""
"""An input that believes what messages say of their host. What rsyslogd says of itself goes to standard error only."""


@dataclass(frozen=True, slots=True)
class Rsyslog:
    """rsyslogd at work: where it takes messages, and its process."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """What rsyslogd says of itself."""
        return (self.folder / "rsyslog.out").read_text()

    def send(self, *messages: bytes) -> None:
        """Hand messages over."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS) as writer:
            writer.sendall(b"".join(messages))

    def send_numbers(self, route: str, numbers: Iterable[int]) -> None:
        """Hand numbered messages over, of a host called as the route."""
        self.send(*(f"<22>Nov 21 01:13:00 {route} e2e[42]: e2e {route} {number}\n".encode() for number in numbers))


def check_config(conf: Path) -> None:
    """rsyslogd finds nothing to say of a configuration."""
    check = subprocess.run(
        ["rsyslogd", "-N1", "-f", str(conf)],
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": DAEMON_PATH},
        text=True,
    )
    said = [line for line in (check.stdout + check.stderr).splitlines() if not any(map(line.count, EXPECTED_WORDS))]
    assert (said, check.returncode) == ([], 0)


def configure(folder: Path, snippets: Iterable[str]) -> tuple[list[str], int]:
    """Write a configuration, which rsyslogd must find nothing to say of; return the command and the port."""
    port = find_port()
    conf = folder / "rsyslog.conf"
    rest = "\n".join((INPUT.format(port=port), *snippets))
    conf.write_text(RSYSLOG_CONF.format(folder=folder, rest=rest))
    check_config(conf)
    return ["rsyslogd", "-n", "-f", str(conf), "-i", str(folder / "rsyslog.pid")], port


@contextmanager
def run_configured(folder: Path, *snippets: str, prefix: Iterable[str] = ()) -> Iterator[Rsyslog]:
    """Run rsyslogd with snippets; it must end when it is told."""
    command, port = configure(folder, snippets)
    with running([*prefix, *command], folder / "rsyslog.out", ready=lambda: is_open(port)) as process:
        yield Rsyslog(folder, port, process)


@contextmanager
def crash_configured(folder: Path, *snippets: str) -> Iterator[Rsyslog]:
    """Run rsyslogd with snippets, and kill it at the end of the block."""
    command, port = configure(folder, snippets)
    process = subprocess.Popen(command, env={**os.environ, "PATH": DAEMON_PATH})
    try:
        wait_until(lambda: process.poll() is not None or is_open(port), "rsyslogd is ready")
        yield Rsyslog(folder, port, process)
    finally:
        process.kill()
        process.wait()


def render_pipe(fifo: Path, name: str = "rsyslog/pipe.conf", more: Mapping[str, str] | None = None) -> str:
    """Return the text of a file that hands messages to the pipe."""
    return render_shipped(name, {FIFO: str(fifo), **(more or {})})


@dataclass(frozen=True, slots=True)
class Held:
    """Our daemon under a manager that holds its pipe or socket while it is stopped, as systemd does."""

    manager: Manager
    counting: Counting

    @property
    def folder(self) -> Path:
        return self.manager.folder

    @property
    def fifo(self) -> Path:
        return self.folder / "log.fifo"


@contextmanager
def hold_pipeline(folder: Path, *, source: str = "log.fifo", programs: Path = PROGRAM) -> Iterator[Held]:
    """Run our daemon over restarts that lose neither lines nor values."""
    logs = source.replace("unixgram://", f"unixgram://{folder}/") if "://" in source else f"{folder}/{source}"
    command = [sys.executable, "-m", "pipeline", "run", "--progs", str(programs), "--logs", logs]
    command += ["--unix_socket", f"{folder}/metrics.sock", "--state_file", f"{folder}/state", "--store_descriptors"]
    manager = Manager(folder, command)
    with managing(manager), ExitStack() as stack:
        manager.start()
        yield Held(manager, stack.enter_context(scraping(folder)))
        manager.stop()
