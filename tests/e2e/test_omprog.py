"""rsyslogd's omprog starts our daemon and waits for its confirmations; nothing is lost when we are killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.counting import PROGRAM, log_messages
from tests.e2e.daemons import ROOT, answers, fetch_metrics, run_rsyslog, substitute, wait_until

SNIPPET = re.compile(r"^```\n(module\(load=\"omprog\"\).*?)^```$", re.MULTILINE | re.DOTALL)
"""The configuration in docs/sources.md that users copy."""

MESSAGES = 200_000
MESSAGES_WHILE_KILLED = {"on": 20_000, "off": 300}
"""How many are sent with transactions and without, while we are killed; each confirmation writes the state."""
KILLS = 4

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with all files of rsyslogd and of the daemon that it starts."""

    folder: Path

    @property
    def http_socket(self) -> Path:
        return self.folder / "metrics.sock"

    @property
    def process(self) -> int:
        """The process id of our daemon."""
        return int((self.folder / "process").read_text())

    def read_counter(self, name: str) -> float:
        """Return the value of a metric with any labels."""
        found = re.search(rf"^{name}{{.*}} (\S+)$", fetch_metrics(self.http_socket), re.MULTILINE)
        return float(found[1]) if found else 0

    def read_numbers(self) -> list[int]:
        """Return the numbers of the messages that have been counted."""
        return sorted(
            map(
                int, re.findall(r'^omprog_messages_total{number="(\d+)"', fetch_metrics(self.http_socket), re.MULTILINE)
            )
        )

    def wait_numbers(self, count: int) -> None:
        """Return when so many different messages have been counted."""
        wait_until(lambda: len(self.read_numbers()) >= count, f"{count} messages are counted")

    def write_command(self) -> Path:
        """Write what stands in for the command: it notes its process id and becomes our daemon."""
        command = self.folder / "syslog-pipeline"
        command.write_text(
            f"#!/bin/sh\necho $$ > {self.folder}/process.new\nmv {self.folder}/process.new {self.folder}/process\n"
            f'PYTHONPATH={ROOT} exec {sys.executable} -m pipeline "$@"\n'
        )
        command.chmod(0o755)
        return command

    @contextmanager
    def run(self, program: Path, replacements: dict[str, str]) -> Iterator[Path]:
        """Run rsyslogd with the snippet that users copy; give the path of its log socket."""
        found = SNIPPET.search((ROOT / "docs" / "sources.md").read_text())
        assert found
        snippet = substitute(
            found[1],
            {
                "/usr/bin/syslog-pipeline": str(self.write_command()),
                "/etc/syslog-pipeline/programs": str(program),
                "/run/syslog-pipeline/metrics.sock": str(self.http_socket),
                "/var/lib/syslog-pipeline/state": str(self.folder / "state"),
                "/var/log/syslog-pipeline.log": str(self.folder / "log"),
                **replacements,
            },
        )
        with run_rsyslog(self.folder, snippet) as log_socket:
            yield log_socket
        # rsyslogd has closed our standard input and waited for our end.
        assert not answers(self.http_socket, socket.SOCK_STREAM)


@pytest.fixture
def site() -> Iterator[Site]:
    """Socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        yield Site(Path(name))


def test_messages_in_transactions_are_counted_exactly(site: Site) -> None:
    """Nothing is lost, doubled or out of order, although the first transaction is refused."""
    with site.run(PROGRAM, {}) as log_socket:
        log_messages(log_socket, "omprog", MESSAGES)
        wait_until(lambda: site.read_counter("e2e_messages_total") >= MESSAGES, "all messages are counted")
        assert site.read_counter("e2e_messages_total") == MESSAGES
        assert site.read_counter("e2e_numbers_total") == MESSAGES * (MESSAGES - 1) // 2
        assert site.read_counter("e2e_disorder_total") == 0


@pytest.mark.parametrize("transactions", ["on", "off"])
def test_kill_loses_nothing(site: Site, transactions: str) -> None:
    """Neither what was confirmed, which the state file holds, nor what was not, which rsyslog sends again."""
    count = MESSAGES_WHILE_KILLED[transactions]
    switch = {'useTransactions="on"': f'useTransactions="{transactions}"'}
    with site.run(Path(__file__).parent / "omprog.mtail", switch) as log_socket:
        log_messages(log_socket, "omprog", count)
        for kill in range(1, KILLS + 1):
            site.wait_numbers(count * kill // (KILLS + 1))
            os.kill(site.process, signal.SIGKILL)
        site.wait_numbers(count)
        assert site.read_numbers() == list(range(count))
