"""Sockets, with real writers: rsyslogd over TCP and UDP, and a thousand connections at once."""

from __future__ import annotations

import resource
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.counting import Counting, log_messages, make_messages, run_counting
from tests.e2e.daemons import run_rsyslog, wait_until
from tests.ports import find_port

MESSAGES = 200_000
DATAGRAMS = 50_000
CONNECTIONS = 1100

OMFWD = """
action(
    type="omfwd" target="127.0.0.1" port="{port}" {how}
    action.resumeRetryCount="-1" action.resumeInterval="1"
    queue.type="linkedList" queue.size="200000" queue.dequeueBatchSize="1024"
)
"""

WAYS = {
    "lines": 'protocol="tcp" template="RSYSLOG_TraditionalFileFormat"',
    "octets": 'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_ForwardFormat"',
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> int:
    return find_port()


@pytest.fixture(scope="module")
def counting(port: int) -> Iterator[Counting]:
    """Our daemon with a source of each kind of socket. Socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        logs = f"unix://{name}/stream.sock,tcp://127.0.0.1:{port},udp://127.0.0.1:{port}"
        with run_counting(Path(name), "--logs", logs, "--partial_line_timeout", "0") as counting:
            yield counting


@pytest.fixture
def rsyslog_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="e2e-rsyslog-") as name:
        yield Path(name)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """As many as the connections of a test need, and as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, CONNECTIONS + 400)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("way", WAYS)
def test_rsyslog_over_tcp_is_counted_exactly(counting: Counting, port: int, rsyslog_folder: Path, way: str) -> None:
    """Framed by line feeds, and by counts."""
    with run_rsyslog(rsyslog_folder, OMFWD.format(port=port, how=WAYS[way])) as log_socket:
        log_messages(log_socket, way, MESSAGES)
        counting.wait_counted(way, MESSAGES)
    counting.assert_exact(way, MESSAGES)


def test_rsyslog_over_udp_is_counted_or_known_to_be_dropped(
    counting: Counting, port: int, rsyslog_folder: Path
) -> None:
    """What is not counted as a message is counted as a datagram that the kernel dropped."""

    def count_dropped() -> float:
        source = f"udp://127.0.0.1:{port}"
        return counting.read("syslog_pipeline_datagrams_dropped_total", "logfile", source)

    how = 'protocol="udp" template="RSYSLOG_TraditionalFileFormat"'
    with run_rsyslog(rsyslog_folder, OMFWD.format(port=port, how=how)) as log_socket:
        log_messages(log_socket, "udp", DATAGRAMS)
        wait_until(
            lambda: counting.read_counter("messages", "udp") + count_dropped() >= DATAGRAMS,
            f"{DATAGRAMS} datagrams are counted or dropped",
        )
    assert counting.read_counter("messages", "udp") + count_dropped() == DATAGRAMS


def test_writers_at_once_are_counted_exactly(counting: Counting) -> None:
    """Four at full speed on a unix stream socket, each one's lines in order."""
    routes = [f"writer{number}" for number in range(4)]
    threads = [threading.Thread(target=write_stream, args=(counting.folder, route)) for route in routes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for route in routes:
        counting.wait_counted(route, MESSAGES // 4)
        counting.assert_exact(route, MESSAGES // 4)


def write_stream(folder: Path, route: str) -> None:
    """Write the messages of one route, and hang up."""
    text = make_messages(route, range(MESSAGES // 4))
    with socket.socket(socket.AF_UNIX) as writer:
        writer.connect(f"{folder}/stream.sock")
        writer.sendall(text)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_a_thousand_connections_have_lines_of_their_own(
    counting: Counting, port: int, many_descriptors: None, kind: str
) -> None:
    """Lines begun on all of them, and ended in another order."""
    source = f"unix://{counting.folder}/stream.sock" if kind == "unix" else f"tcp://127.0.0.1:{port}"
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(counting.folder, port, kind)) for _ in range(CONNECTIONS)]
        wait_until(
            lambda: counting.read("syslog_pipeline_connections", "logfile", source) == CONNECTIONS, "all are connected"
        )
        messages = [make_messages(f"many_{kind}", [number]) for number in range(CONNECTIONS)]
        for client, message in zip(clients, messages, strict=True):
            client.sendall(message[:30])
        for client, message in reversed(list(zip(clients, messages, strict=True))):
            client.sendall(message[30:])
        counting.wait_counted(f"many_{kind}", CONNECTIONS)
    assert counting.read_counter("messages", f"many_{kind}") == CONNECTIONS
    assert counting.read_counter("numbers", f"many_{kind}") == CONNECTIONS * (CONNECTIONS - 1) // 2


def connect(folder: Path, port: int, kind: str) -> socket.socket:
    """Return a connection to one of our sources."""
    if kind == "tcp":
        return socket.create_connection(("127.0.0.1", port))
    client = socket.socket(socket.AF_UNIX)
    client.connect(f"{folder}/stream.sock")
    return client
