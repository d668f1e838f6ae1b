"""syslog-ng writes to each of our sources, in each of its ways, and all that it got is counted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.counting import Counting, run_counting, write_messages
from tests.e2e.daemons import find_free_port, run_syslog_ng

MESSAGES = 200_000

TEMPLATE = 'template("$DATE $HOST $MSGHDR$MSG\\n")'

DESTINATIONS = {
    "pipe": f'pipe("{{folder}}/log.fifo" {TEMPLATE});',
    "stream": f'unix-stream("{{folder}}/stream.sock" {TEMPLATE});',
    "datagram": f'unix-dgram("{{folder}}/datagram.sock" {TEMPLATE});',
    "network": f'network("127.0.0.1" port({{port}}) transport("tcp") {TEMPLATE});',
    "syslog": 'syslog("127.0.0.1" port({port}) transport("tcp"));',
}
"""The last one counts octets (RFC 6587, 3.4.1) and writes as RFC 5424 has it."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> int:
    return find_free_port()


@pytest.fixture(scope="module")
def counting(port: int) -> Iterator[Counting]:
    """Our daemon with all its kinds of sources. Socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        folder = Path(name)
        logs = f"{folder}/log.fifo,unix://{folder}/stream.sock,unixgram://{folder}/datagram.sock,tcp://127.0.0.1:{port}"
        with run_counting(folder, "--logs", logs) as counting:
            yield counting


@pytest.mark.parametrize("route", DESTINATIONS)
def test_messages_are_counted_exactly(counting: Counting, port: int, route: str) -> None:
    """Nothing is lost, doubled or out of order; the sender waits for us."""
    destination = DESTINATIONS[route].format(folder=counting.folder, port=port)
    with (
        tempfile.TemporaryDirectory(prefix="e2e-sng-") as folder,
        run_syslog_ng(Path(folder), destination) as log_socket,
    ):
        write_messages(log_socket, route, MESSAGES)
        counting.wait_counted(route, MESSAGES)
    counting.assert_exact(route, MESSAGES)
