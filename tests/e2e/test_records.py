"""Traces of several lines through the real rsyslogd, and in files written line by line, over stops and kills."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.daemons import DAEMON_PATH, ROOT, fetch_metrics, wait_count, wait_until
from tests.e2e.manager import Manager, managing
from tests.e2e.pages import follow, open_shell, read_steps
from tests.e2e.rsyslog import render_pipe, run_configured
from tests.e2e.test_omprog import Site

PROGRAM = r"""
counter traces_total by app, number
counter others_total
/(?P<app>\w+)\[\d+\]: [\w.]+Exception: boom (?P<number>\d+) TRACE$/ {
  traces_total[$app][$number]++
}
/accepted/ {
  others_total++
}
"""

ONCE = r"\s+\S*at a\s+\S*at b Caused by: x\s+\S*at c"
REPEATED = r"(?:\s+at a)+(?:\s+at b)+(?: Caused by: x)+(?:\s+at c)+"
"""The lines of a trace; as rsyslog sends them again that were counted and not confirmed."""

SETTINGS = r"""
record_timeout = "0"

[records.traces]
header = '[A-Z][a-z]{2} [ \d]\d [\d:]{8} (\S+ [^ :]+): '
start = '^[\w.]+Exception'
continue = '^#011at |^\s+at |^Caused by: '
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """Socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="rec-") as name:
        (Path(name) / "p.mtail").write_text(PROGRAM.replace(" TRACE", ONCE))
        (Path(name) / "records.toml").write_text(SETTINGS)
        yield Path(name)


def make_manager(folder: Path, logs: Path, *flags: str) -> Manager:
    """Return what runs our daemon under a manager that keeps its descriptors."""
    command = [sys.executable, "-m", "pipeline", "run", "--progs", f"{folder}/p.mtail", "--logs", str(logs)]
    command += ["--unix_socket", f"{folder}/metrics.sock", "--state_file", f"{folder}/state"]
    return Manager(folder, [*command, "--config", f"{folder}/records.toml", *flags])


def read_counts(folder: Path) -> dict[tuple[str, int], int]:
    """Return how often each trace has been counted, by application and number."""
    page = fetch_metrics(folder / "metrics.sock")
    found = re.findall(r'^traces_total{app="(\w+)",number="(\d+)".*} (\d+)$', page, re.MULTILINE)
    return {(app, int(number)): int(count) for app, number, count in found}


def read_own(folder: Path, name: str) -> float:
    """Return the sum of a metric of ours, or of a program."""
    page = fetch_metrics(folder / "metrics.sock")
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE)))


def make_traces(apps: Sequence[str], numbers: range) -> list[bytes]:
    """Return messages: one trace of each application at a time, line by line in turns, with others between."""
    lines = []
    for number in numbers:
        for text in (f"java.lang.Exception: boom {number}", "\tat a", "\tat b", "Caused by: x", "\tat c"):
            lines += [f"<22>Nov 21 01:13:00 web1 {app}[42]: {text}\n".encode() for app in apps]
            lines.append(b"<22>Nov 21 01:13:00 web1 sshd[7]: accepted\n")
    return lines


def test_page_of_sources_joins_traces(folder: Path) -> None:
    """What it shows of Java, Python, Go and syslog, typed as it stands there."""
    steps = read_steps(ROOT / "docs" / "sources.md", "Records of several lines")
    with open_shell(folder, {"PATH": f"{Path(sys.executable).parent}:{DAEMON_PATH}"}) as shell:
        follow(steps, shell)


def test_traces_of_several_programs_through_rsyslogd(folder: Path) -> None:
    """Their lines mingle in the pipe, and we are stopped in the middle of some: each is counted once and whole."""
    apps, traces = ("shop", "cart", "till"), 300
    fifo = folder / "log.fifo"
    manager = make_manager(folder, fifo, "--store_descriptors")
    lines = make_traces(apps, range(traces))
    middle = len(lines) // 2 + 7  # two of a trace's lines have come
    with managing(manager):
        manager.start()
        with run_configured(folder, render_pipe(fifo)) as rsyslog:
            rsyslog.send(*lines[:middle])
            wait_count(lambda: len(read_counts(folder)), len(apps) * (traces // 2), "half of the traces are counted")
            wait_until(lambda: read_own(folder, "syslog_pipeline_records_open") == len(apps), "traces have begun")
            manager.stop()
            rsyslog.send(
                *lines[middle:], *(b"<22>Nov 21 01:13:00 web1 %s[42]: accepted\n" % app.encode() for app in apps)
            )
            manager.start()
            expected = {(app, number): 1 for app in apps for number in range(traces)}
            wait_count(lambda: len(read_counts(folder)), len(expected), "all traces are counted")
            assert read_counts(folder) == expected
            wait_until(lambda: read_own(folder, "syslog_pipeline_records_open") == 0, "none waits any more")
            assert read_own(folder, "others_total") == traces * 5 + len(apps)
            assert read_own(folder, "syslog_pipeline_records_cut_total") == 0
        manager.stop()


def test_file_written_line_by_line_over_kills(folder: Path) -> None:
    """What had begun is in the state of the same moment as the position and the values."""
    log = folder / "app.log"
    log.touch()
    manager = make_manager(folder, log, "--read_positions", "--state_interval=50ms")
    lines = [b"Nov 21 01:13:00 web1 shop[4]: java.lang.Exception: boom %d\n" % number for number in range(3)]
    rest = [
        b"Nov 21 01:13:00 web1 shop[4]: " + text for text in (b"  at a\n", b"  at b\n", b"Caused by: x\n", b" at c\n")
    ]
    with managing(manager), log.open("ab", buffering=0) as writer:
        manager.start()
        for number, first in enumerate(lines):
            for text in (first, *rest[:number]):
                writer.write(text)
            begun = f'"lines":{1 + number},"kept":{1 + number}'
            wait_until(lambda begun=begun: begun in (folder / "state").read_text(), "the state has what has begun")  # type: ignore[misc]
            manager.kill()
            for text in rest[number:]:
                writer.write(text)
            manager.start()
        writer.write(b"Nov 21 01:13:00 web1 shop[4]: accepted\n")
        wait_until(lambda: read_own(folder, "others_total") == 1, "the last line is counted")
        assert read_counts(folder) == {("shop", number): 1 for number in range(3)}
        manager.stop()


def test_confirmed_to_rsyslogd_over_kills(folder: Path) -> None:
    """What was confirmed survives, although nothing counted it yet; what was not comes again, perhaps twice."""
    (folder / "p.mtail").write_text(PROGRAM.replace(" TRACE", REPEATED))
    traces, kills = 15, 1
    site = Site(folder)
    state = f" --state_file {folder}/state"
    changes = {
        'useTransactions="on"': 'useTransactions="off"',
        state: f"{state} --config {folder}/records.toml",
    }
    with site.run(folder / "p.mtail", changes) as log_socket:
        messages = "".join(
            f"java.lang.Exception: boom {number}\n  at a\n  at b\nCaused by: x\n  at c\n" for number in range(traces)
        )
        messages += "accepted\n"  # which ends the last trace at once
        command = ["logger", "--socket", str(log_socket), "--tag", "shop[4]", "--priority", "mail.info"]
        subprocess.run(command, input=messages.encode(), check=True)
        for kill in range(1, kills + 1):
            wanted = traces * kill // (kills + 1)
            wait_until(lambda wanted=wanted: len(read_counts(folder)) >= wanted, "traces are counted")  # type: ignore[misc]
            os.kill(site.process, signal.SIGKILL)
        wait_until(lambda: len(read_counts(folder)) == traces, "all traces are counted")
        assert {number for _, number in read_counts(folder)} == set(range(traces))
