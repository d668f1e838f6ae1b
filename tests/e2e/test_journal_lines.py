"""Lines of the journal beside those that the real rsyslogd writes of the same messages."""

from __future__ import annotations

import socket
import tempfile
from datetime import UTC
from pathlib import Path

import pytest

from pipeline.sources.journal_lines import Entry, LineWriter
from tests.e2e.daemons import run_rsyslog, wait_until

MESSAGES = [
    b"plain",
    b" two  blanks ",
    b"tab\tand feed\nin it",
    b"feed at the end\n",
    bytes(range(1, 32)) + b".",
    b"\x7f\x80\xff",
    "grüßt äöü €".encode(),
    b"nul \x00 in it",
    b"#012",
]

OMFILE = 'action(type="omfile" file="{file}" template="RSYSLOG_TraditionalFileFormat")'


@pytest.mark.slow
def test_line_is_what_rsyslog_writes() -> None:
    """With its traditional file format, whatever bytes a message holds. Time and host are rsyslog's own."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        written = Path(name) / "log"
        with run_rsyslog(Path(name), OMFILE.format(file=written)) as log_socket:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.connect(str(log_socket))
                for message in [*MESSAGES, b"end"]:
                    sender.send(b"<38>Mar  5 06:07:08 app[42]: " + message)
            wait_until(lambda: written.exists() and b": end\n" in written.read_bytes(), "rsyslog has written")
        lines = [line for line in written.read_bytes().splitlines() if b" app[42]:" in line]
    writer = LineWriter(UTC, message_only=False)
    ours = [writer.write(Entry(0, b"h", b"app", b"42", message)) for message in [*MESSAGES, b"end"]]
    assert [line[line.index(b"app[42]") :] for line in ours] == [line[line.index(b"app[42]") :] for line in lines]
