"""The main job, with everything real: rsyslogd → our pipe or sockets → programs → nginx with TLS → scrape."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.shipped import render_shipped
from tests.e2e.counting import PROGRAM, Counting, log_messages, make_messages
from tests.e2e.daemons import DAEMON_PATH, run_pipeline, run_rsyslog
from tests.e2e.web import run_nginx

MESSAGES = 200_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def counting() -> Iterator[Counting]:
    """Our daemon with the program that counts, scraped through nginx over TLS."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        folder = Path(name)
        with (
            run_pipeline(
                folder,
                "--progs",
                str(PROGRAM),
                "--logs",
                f"{folder}/log.fifo,unix://{folder}/stream.sock,unixgram://{folder}/datagram.sock",
            ),
            run_nginx(folder) as web,
            web.connect() as client,
        ):
            yield Counting(folder, client)


def test_messages_through_the_pipe_are_counted_exactly(counting: Counting, folder: Path) -> None:
    """rsyslogd with the snippet that users copy writes to the named pipe: nothing lost, doubled or out of order."""
    snippet = render_shipped("rsyslog/pipe.conf", {"/run/syslog-pipeline/log.fifo": f"{counting.folder}/log.fifo"})
    with run_rsyslog(folder, snippet) as log_socket:
        log_messages(log_socket, "pipe", MESSAGES)
        counting.wait_counted("pipe", MESSAGES)
    counting.assert_exact("pipe", MESSAGES)


def test_messages_through_a_datagram_socket_are_counted_exactly(counting: Counting, folder: Path) -> None:
    """rsyslogd's omuxsock writes a datagram per message to our socket: nothing lost, doubled or out of order."""
    snippet = render_shipped(
        "rsyslog/socket.conf", {"/run/syslog-pipeline/log.sock": f"{counting.folder}/datagram.sock"}
    )
    with run_rsyslog(folder, snippet) as log_socket:
        log_messages(log_socket, "datagram", MESSAGES)
        counting.wait_counted("datagram", MESSAGES)
    counting.assert_exact("datagram", MESSAGES)


def test_messages_through_a_stream_socket_are_counted_exactly(counting: Counting) -> None:
    """A writer on a stream connection may close as soon as it has written: all that it wrote is counted."""
    with socket.socket(socket.AF_UNIX) as writer:
        writer.connect(f"{counting.folder}/stream.sock")
        writer.sendall(make_messages("stream", range(MESSAGES)))
    counting.wait_counted("stream", MESSAGES)
    counting.assert_exact("stream", MESSAGES)


def test_promtool_is_content(counting: Counting) -> None:
    """`promtool check metrics` finds nothing to criticise in the page, our own metrics included."""
    page = counting.client.get("/metrics").raise_for_status().text
    assert "syslog_pipeline_lines_total" in page
    check = subprocess.run(
        ["promtool", "check", "metrics"],
        input=page.encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": DAEMON_PATH},
    )
    assert (check.returncode, check.stderr.decode()) == (0, "")
