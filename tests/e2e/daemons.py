"""Starts the real daemons around ours, each by its process id, and stops them again."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path

ROOT = Path(__file__).parents[2]
DAEMON_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
"""Debian keeps daemons where the PATH of an ordinary user does not lead."""

HTTP_SOCKET = "metrics.sock"
"""Where our daemon serves, in its folder. An instance has `metrics@N.sock`."""

POLL_SECONDS = 0.02
DEADLINE_SECONDS = 60.0
"""Far more than any wait takes on a slow machine: a deadline that passes is a failure."""

RSYSLOG_CONF = """
global(workDirectory="{folder}" net.enableDNS="off")
main_queue(queue.type="linkedList" queue.size="100000" queue.dequeueBatchSize="1024")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/log.sock" CreatePath="off" RateLimit.Interval="0")
{rest}
"""

SYSLOG_NG = ROOT / ".cache" / "syslog-ng"
"""Where `make` unpacks it: Debian lets it not be installed beside rsyslog."""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return as soon as `condition` holds; fail with `what` when it does not in time."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE_SECONDS:.0f} s in vain: {what}"
        time.sleep(POLL_SECONDS)


def wait_count(read: Callable[[], float], count: float, what: str) -> None:
    """Return as soon as `read` gives at least `count`; fail with `what` when it does not grow in time.

    So that many may come, however slow they do on a busy machine.
    """
    seen, end = read(), time.monotonic() + DEADLINE_SECONDS
    while seen < count:
        assert time.monotonic() < end, f"waited {DEADLINE_SECONDS:.0f} s for more than {seen:g}: {what}"
        time.sleep(POLL_SECONDS)
        if (found := read()) > seen:
            seen, end = found, time.monotonic() + DEADLINE_SECONDS


@contextmanager
def running(
    command: list[str],
    log: Path,
    *,
    ready: Callable[[], bool],
    stop: signal.Signals = signal.SIGTERM,
    status: int = 0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a daemon until the block ends, and give its process. It must be ready in time and end with `status`.

    Call it from the main thread: if that is killed, so is the daemon.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": DAEMON_PATH, **(environment or {})},
        )
    try:
        wait_until(lambda: process.poll() is not None or ready(), f"{command[0]} is ready")
        assert process.poll() is None, f"{command[0]} ended at once: {log.read_text()}"
        yield process
        assert process.poll() is None, f"{command[0]} ended by itself: {log.read_text()}"
        process.send_signal(stop)
        assert process.wait(DEADLINE_SECONDS) == status, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def answers(path: Path, kind: socket.SocketKind) -> bool:
    """Whether somebody listens on the unix socket at `path`."""
    with socket.socket(socket.AF_UNIX, kind) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


@contextmanager
def run_rsyslog(folder: Path, rest: str) -> Iterator[Path]:
    """Run rsyslogd with the configuration `rest` behind an input; give the path of its log socket."""
    log_socket = folder / "log.sock"
    conf = folder / "rsyslog.conf"
    conf.write_text(RSYSLOG_CONF.format(folder=folder, rest=rest))
    pid_file = folder / "rsyslog.pid"
    command = ["rsyslogd", "-n", "-f", str(conf), "-i", str(pid_file)]

    def is_ready() -> bool:
        """Whether all its inputs are open: it writes its number behind that."""
        return pid_file.exists() and bool(pid_file.read_text())

    with running(command, folder / "rsyslog.out", ready=is_ready):
        yield log_socket


@contextmanager
def run_pipeline(folder: Path, *flags: str, socket_name: str = HTTP_SOCKET) -> Iterator[subprocess.Popen[bytes]]:
    """Run `syslog-pipeline run` with its HTTP socket in `folder`, and give its process."""
    http_socket = folder / socket_name
    command = [sys.executable, "-m", "pipeline", "run", *flags, "--unix_socket", str(http_socket)]
    ready = functools.partial(is_at_work, http_socket)
    log = folder / socket_name.replace("metrics", "pipeline").replace(".sock", ".out")
    with running(command, log, ready=ready) as process:
        yield process


def fetch_metrics(http_socket: Path) -> str:
    """Return the page of metrics, or nothing while our daemon is away; it may go in the middle."""
    return fetch_page(http_socket, "/metrics")


def is_at_work(http_socket: Path) -> bool:
    """Whether our daemon says that it is ready. It answers before that, when its sources may not be open yet."""
    return fetch_page(http_socket, "/-/ready") == "syslog-pipeline is ready.\n"


def fetch_page(http_socket: Path, path: str) -> str:
    """Return a page, or nothing while our daemon is away; it may go in the middle."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE_SECONDS)
        try:
            client.connect(str(http_socket))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            with HTTPResponse(client) as response:
                response.begin()
                return response.read().decode()
        except (OSError, HTTPException):
            return ""


def is_open(port: int) -> bool:
    """Whether somebody listens on a TCP port of the loopback address."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
