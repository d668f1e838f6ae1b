"""A real journald, in a /run of its own: our daemon reads from it, logs to it, and takes what it forwards."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, answers, running, wait_until
from tests.notify_socket import listening

JOURNALD_PATH = f"{DAEMON_PATH}:/usr/lib/systemd:/lib/systemd"

JOURNALD_CONF = """[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
RateLimitIntervalSec=0
ForwardToSyslog=yes
ForwardToWall=no
"""

# Only these processes see the folder as /run; the machine's own journal, if there is one, they do not see, nor
# the kernel's messages.
ENTER = """
mount --bind "$0/run" /run
mount --bind /dev/null /dev/kmsg
if [ -d /var/log/journal ]; then mount --bind "$0/empty" /var/log/journal; fi
exec "$@"
"""

ENTRIES = 5_000

PROGRAM = r"""counter seen_total
gauge sum
/ e2e\[\d+\]: number (?P<number>\d+)$/ {
  seen_total++
  sum += $number
}
/ e2e\[\d+\]: bad (?P<date>.*)$/ {
  strptime($date, "2006")
  seen_total++
}
"""

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Site:
    """A folder that some processes see as /run, with what they leave there."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def enter(self, *command: str) -> list[str]:
        """Return the command that runs `command` with our /run."""
        rights = [] if os.geteuid() == 0 else ["--map-root-user"]
        return ["unshare", *rights, "--mount", "--net", "sh", "-e", "-c", ENTER, str(self.folder), *command]

    @contextmanager
    def run_journald(self) -> Iterator[None]:
        """Run journald until the block ends. It says itself when all its sockets are open, and signals obeyed."""
        with (
            listening() as notify,
            running(
                self.enter("systemd-journald"),
                self.folder / "journald.out",
                ready=lambda: any("READY" in message for message in notify.receive()),
                environment={"PATH": JOURNALD_PATH, "NOTIFY_SOCKET": notify.address},
            ),
        ):
            yield

    @contextmanager
    def run_daemon(
        self, *flags: str, before: tuple[str, ...] = (), stop: signal.Signals = signal.SIGTERM
    ) -> Iterator[httpx.Client]:
        """Run our daemon as `before` starts it, its standard error on the journal as systemd connects it."""
        http = self.folder / "daemon.sock"
        command = [sys.executable, "-m", "pipeline", "run", "--progs", str(self.folder / "progs"), *flags]
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(str(self.run / "systemd/journal/stdout"))
            # Identifier, unit, priority, whether prefixes tell priorities, and where to forward: as systemd does it.
            stream.sendall(b"stream\n\n6\n1\n0\n0\n0\n")
            status = os.fstat(stream.fileno())
            process = subprocess.Popen(
                self.enter(*before, *command, "--unix_socket", str(http)),
                stdout=stream.fileno(),
                stderr=stream.fileno(),
                env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
            )
        try:
            transport = httpx.HTTPTransport(uds=str(http))
            with httpx.Client(transport=transport, base_url="http://x", timeout=DEADLINE_SECONDS) as client:
                if not before:
                    wait_until(lambda: process.poll() is not None or answers(http, socket.SOCK_STREAM), "it is ready")
                yield client
            process.send_signal(stop)
            assert process.wait(DEADLINE_SECONDS) == (0 if stop is signal.SIGTERM else -stop)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def log(self, count: int, **fields: str) -> None:
        """Send numbered entries to journald, each with `fields`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(self.run / "systemd/journal/socket"))
            for number in range(count):
                told = {"MESSAGE": f"number {number}", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "e2e", **fields}
                sender.send("".join(f"{name}={value}\n" for name, value in told.items()).encode())

    def read_journal(self, *flags: str) -> list[Mapping[str, str]]:
        """Return what journalctl shows of the entries of this site."""
        command = ["journalctl", "--directory", str(self.run / "log/journal"), "--output=json", "--quiet", *flags]
        return [
            json.loads(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
        ]


@pytest.fixture
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        site = Site(Path(name))
        for folder in ("empty", "progs", "run/systemd/journald.conf.d"):
            (site.folder / folder).mkdir(parents=True)
        (site.run / "systemd/journald.conf.d/test.conf").write_text(JOURNALD_CONF)
        (site.folder / "progs" / "p.mtail").write_text(PROGRAM)
        yield site


def read_value(client: httpx.Client, name: str) -> float:
    """Return the value of a metric of one series, whatever its labels, 0 if it is not there."""
    found = re.search(
        rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", client.get("/metrics").raise_for_status().text, re.MULTILINE
    )
    return float(found[1]) if found else 0


def wait_value(client: httpx.Client, name: str, value: float) -> None:
    """Return when a metric has reached `value`, which it may not exceed."""
    wait_until(lambda: read_value(client, name) >= value, f"{name} is {value}")
    assert read_value(client, name) == value


def test_entries_of_a_living_journald_are_counted(site: Site) -> None:
    """All of them once, as they are logged, and after journald has rotated its files."""
    with site.run_journald(), site.run_daemon("--logs", "journal://?identifier=e2e") as client:
        site.log(ENTRIES)
        site.log(10, SYSLOG_IDENTIFIER="other")
        wait_value(client, "seen_total", ENTRIES)
        subprocess.run(site.enter("journalctl", "--rotate"), check=True, env={**os.environ, "PATH": JOURNALD_PATH})
        site.log(ENTRIES)
        wait_value(client, "seen_total", 2 * ENTRIES)
        assert read_value(client, "sum") == ENTRIES * (ENTRIES - 1)
        assert read_value(client, "syslog_pipeline_lines_total") == 2 * ENTRIES


def test_what_is_logged_while_we_are_away_is_counted_after(site: Site) -> None:
    """With the position and the values in the state file, each entry once."""
    flags = ("--logs", "journal://?identifier=e2e", "--read_positions", "--state_file", str(site.folder / "state"))
    with site.run_journald():
        for total in (ENTRIES, 3 * ENTRIES, 5 * ENTRIES):
            with site.run_daemon(*flags) as client:
                site.log(ENTRIES)
                wait_value(client, "seen_total", total)
            site.log(ENTRIES)


def test_what_was_counted_before_a_kill_is_counted_once(site: Site) -> None:
    """Values and position go back to the same moment, and the journal still has what came after it."""
    state = site.folder / "state"
    flags = ("--logs", "journal://?identifier=e2e", "--read_positions", "--state_file", str(state))
    with site.run_journald():
        for total in (ENTRIES, 3 * ENTRIES, 5 * ENTRIES):
            with site.run_daemon(*flags, "--state_interval=50ms", stop=signal.SIGKILL) as client:
                wait_until(state.exists, "the state file is there")
                site.log(ENTRIES)
                wait_value(client, "seen_total", total)
            site.log(ENTRIES)


def test_our_messages_are_entries_with_fields(site: Site) -> None:
    """What systemd would make of standard error is a line each; these keep their level, place, program and source."""
    (site.folder / "progs" / "broken.mtail").write_text("counter x /\n")
    with site.run_journald():
        with site.run_daemon("--logs", "journal://?identifier=e2e") as client:
            site.log(1, MESSAGE="bad date")
            wait_value(client, 'syslog_pipeline_prog_runtime_errors_total{prog="p.mtail"}', 1)
        end = "MESSAGE=All sources are closed. The metrics are no longer served."
        wait_until(lambda: len(site.read_journal(end)) == 1, "the end is in the journal")
        entries = site.read_journal("SYSLOG_IDENTIFIER=syslog-pipeline")
        assert site.read_journal("SYSLOG_IDENTIFIER=stream") == []
    loaded = next(entry for entry in entries if entry["MESSAGE"] == "Program p.mtail is loaded.")
    assert (loaded["PRIORITY"], loaded["SYSLOG_PIPELINE_PROGRAM"]) == ("6", "p.mtail")
    assert Path(loaded["CODE_FILE"]).name == "daemon.py"
    broken = next(entry for entry in entries if entry.get("SYSLOG_PIPELINE_PROGRAM") == "broken.mtail")
    assert broken["PRIORITY"] == "3"
    assert broken["MESSAGE"].splitlines()[0] == "Program broken.mtail is not loaded. The others run."
    assert "broken.mtail:1:11: error: " in broken["MESSAGE"]
    failed = next(entry for entry in entries if " failed at p.mtail:" in entry["MESSAGE"])
    assert (failed["SYSLOG_PIPELINE_PROGRAM"], failed["SYSLOG_PIPELINE_SOURCE"]) == (
        "p.mtail",
        "journal://?identifier=e2e",
    )


def test_socket_of_syslog_is_taken_by_socket_activation(site: Site) -> None:
    """Where systemd listens for us: journald forwards to it what it gets, with its priority and without a host."""
    path = "/run/systemd/journal/syslog"
    before = ("systemd-socket-activate", "--datagram", f"--listen={path}", "--fdname=syslog")
    (site.folder / "progs" / "p.mtail").write_text(
        "counter seen_total\n"
        + r"/^<14>\w{3} [ \d]\d \d\d:\d\d:\d\d e2e\[\d+\]: number \d+$/ {"
        + "\n  seen_total++\n}\n"
    )
    with site.run_journald(), site.run_daemon("--logs", f"unixgram://{path}", before=before) as client:
        wait_until(lambda: answers(site.run / "systemd/journal/syslog", socket.SOCK_DGRAM), "systemd listens")
        site.log(1)
        wait_until(lambda: answers(site.folder / "daemon.sock", socket.SOCK_STREAM), "we are started by it")
        for count in range(2, 100):
            site.log(1)
            wait_value(client, "seen_total", count)
