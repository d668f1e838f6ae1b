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

from pipeline.shipped import render_shipped
from tests.e2e.counting import PROGRAM, log_messages
from tests.e2e.daemons import ROOT, answers, fetch_metrics, run_rsyslog, wait_count

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

    def wait_counted(self, count: int) -> None:
        """Return when at least so many messages have been counted."""
        wait_count(lambda: self.read_counter("e2e_messages_total"), count, f"{count} messages are counted")

    def assert_exact(self, count: int) -> None:
        """Nothing was lost, doubled, or put out of order."""
        assert self.read_counter("e2e_messages_total") == count
        assert self.read_counter("e2e_numbers_total") == count * (count - 1) // 2
        assert self.read_counter("e2e_disorder_total") == 0

    def read_counts(self) -> dict[int, int]:
        """Return how often each message has been counted, by its number."""
        found = re.findall(
            r'^omprog_messages_total{number="(\d+)".*} (\d+)$', fetch_metrics(self.http_socket), re.MULTILINE
        )
        return {int(number): int(times) for number, times in found}

    def wait_numbers(self, count: int) -> None:
        """Return when so many different messages have been counted."""
        wait_count(lambda: len(self.read_counts()), count, f"{count} messages are counted")

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
        snippet = render_shipped(
            "rsyslog/omprog.conf",
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
        site.wait_counted(MESSAGES)
        site.assert_exact(MESSAGES)


def test_stop_loses_nothing(site: Site) -> None:
    """rsyslog starts us again; what was held of a transaction it sends again, and the state file has the rest.

    It also sends the next message twice when we end between two transactions.
    """
    count, stops = MESSAGES_WHILE_KILLED["on"], 2
    with site.run(Path(__file__).parent / "omprog.mtail", {}) as log_socket:
        log_messages(log_socket, "omprog", count)
        for stop in range(1, stops + 1):
            site.wait_numbers(count * stop // (stops + 1))
            os.kill(site.process, signal.SIGTERM)
        site.wait_numbers(count)
        counts = site.read_counts()
        assert sorted(counts) == list(range(count))
        assert sum(counts.values()) - count in range(stops + 1)


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
        assert sorted(site.read_counts()) == list(range(count))


def test_kill_without_state_loses_no_message(site: Site) -> None:
    """The values begin anew, but what was not counted comes again."""
    stateless = {f" --state_file {site.folder}/state": ""}
    with site.run(Path(__file__).parent / "omprog.mtail", stateless) as log_socket:
        log_messages(log_socket, "omprog", 1)
        site.wait_numbers(1)
        os.kill(site.process, signal.SIGSTOP)
        log_messages(log_socket, "omprog", MESSAGES_WHILE_KILLED["on"])
        os.kill(site.process, signal.SIGKILL)
        site.wait_numbers(MESSAGES_WHILE_KILLED["on"])
        assert sorted(site.read_counts()) == list(range(MESSAGES_WHILE_KILLED["on"]))
    assert not (site.folder / "state").exists()
