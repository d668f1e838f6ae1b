"""The real logrotate on a log that is being written, and our daemon that reads it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.counting import PROGRAM, Counting, log_messages, run_counting, scraping
from tests.e2e.daemons import DAEMON_PATH, run_pipeline, run_rsyslog, wait_until

pytestmark = pytest.mark.slow

ROUNDS = 5
LINES_PER_ROUND = 50_000

TRUNCATIONS = 3
LINES_PER_TRUNCATION = 20_000

# A line that was cut in two is none of these.
SEEN = r"""counter seen_total by number
/e2e file (?P<number>\d{6})$/ {
  seen_total[$number]++
}
"""

# Writes as many lines as it is told to, ten at once, and opens its log anew at SIGHUP, as daemons do.
WRITER = """
import os, signal, sys

def ask_to_reopen(*_):
    asked.append(True)

asked = []
signal.signal(signal.SIGHUP, ask_to_reopen)
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
number = 0
print("ready", flush=True)
for order in sys.stdin:
    for _ in range(int(order) // 10):
        if asked:
            asked.clear()
            os.close(log)
            log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        lines = "".join(f"Nov 21 01:13:00 host e2e: e2e file {n:06}\\n" for n in range(number, number + 10))
        assert os.write(log, lines.encode()) == len(lines)
        number += 10
    print("done", flush=True)
"""

CREATE = """{folder}/app.log {{
    rotate 20
    create
    postrotate
        kill -HUP {process}
    endscript
}}
"""

COPYTRUNCATE = """{folder}/app.log {{
    rotate 20
    copytruncate
}}
"""


OMFILE = """
action(type="omfile" file="{folder}/app.log" template="RSYSLOG_TraditionalFileFormat")
"""


class KilledError(Exception):
    """Tells that a daemon was killed, so that nobody waits for its end in good order."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that writes `app.log` in a folder."""

    folder: Path
    process: subprocess.Popen[str]

    def begin(self, count: int) -> None:
        """Have it write so many lines."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        """Return when it has done what it was told."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def rotate(self, conf: str) -> None:
        """Run logrotate, which tells this process."""
        rotate(self.folder, conf, self.process.pid)


def rotate(folder: Path, conf: str, process: int) -> None:
    """Run logrotate on the log, however new it is."""
    (folder / "conf").write_text(conf.format(folder=folder, process=process))
    subprocess.run(
        ["logrotate", "--force", "--state", str(folder / "rotated"), str(folder / "conf")],
        check=True,
        env={"PATH": DAEMON_PATH},
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="e2e-logrotate-") as name:
        yield Path(name)


@contextmanager
def writing(folder: Path) -> Iterator[Writer]:
    """Run the writer."""
    command = [sys.executable, "-c", WRITER, str(folder / "app.log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        writer = Writer(folder, process)
        writer.wait()
        yield writer


@contextmanager
def killing(folder: Path, *flags: str) -> Iterator[Counting]:
    """Run our daemon until the block ends, and have it end in no order at all."""
    with (
        suppress(KilledError),
        run_pipeline(folder, "--progs", str(PROGRAM), *flags) as process,
        scraping(folder) as counting,
    ):
        yield counting
        process.kill()
        raise KilledError


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_create_loses_and_doubles_nothing(folder: Path, pattern: str) -> None:
    """While the writer writes on, to the old file until it is told of the new one."""
    with (
        writing(folder) as writer,
        run_counting(folder, "--logs", f"{folder}/{pattern}") as counting,
    ):
        for _ in range(ROUNDS):
            writer.begin(LINES_PER_ROUND)
            writer.rotate(CREATE)
            writer.wait()
        counting.wait_counted("file", ROUNDS * LINES_PER_ROUND)
        counting.assert_exact("file", ROUNDS * LINES_PER_ROUND)


def test_log_of_rsyslogd_is_counted_exactly(folder: Path) -> None:
    """It is rotated again and again while rsyslogd writes, which opens it anew when it is told to."""
    count = ROUNDS * LINES_PER_ROUND
    (folder / "rsyslog").mkdir()
    with (
        run_rsyslog(folder / "rsyslog", OMFILE.format(folder=folder)) as log_socket,
        run_counting(folder, "--logs", f"file://{folder}/app.log") as counting,
    ):
        process = int((folder / "rsyslog" / "rsyslog.pid").read_text())
        sender = threading.Thread(target=log_messages, args=(log_socket, "file", count))
        sender.start()
        for rotation in range(1, ROUNDS):
            counting.wait_counted("file", rotation * LINES_PER_ROUND)
            rotate(folder, CREATE, process)
        sender.join()
        counting.wait_counted("file", count)
        counting.assert_exact("file", count)
    assert len(list(folder.glob("app.log.*"))) == ROUNDS - 1


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_copytruncate_loses_what_the_copy_lacks_and_no_more(folder: Path, pattern: str) -> None:
    """All lines are counted that logrotate left on the disk, and none is counted twice."""
    (folder / "seen.mtail").write_text(SEEN)
    with writing(folder) as writer, run_counting(folder, "--logs", f"{folder}/{pattern}", program=folder) as counting:
        for _ in range(TRUNCATIONS):
            writer.begin(10)  # by its first lines the copy will be known
            writer.wait()
            wait_caught_up(counting, folder)
            writer.begin(LINES_PER_TRUNCATION)
            writer.rotate(COPYTRUNCATE)
            writer.wait()
            wait_caught_up(counting, folder)
        seen = read_seen(counting)
    assert set(seen.values()) == {1}
    assert find_on_disk(folder) <= seen.keys()


def read_seen(counting: Counting) -> dict[int, float]:
    """Return how often each number was counted."""
    page = counting.client.get("/metrics").raise_for_status().text
    found = re.findall(r'^seen_total{number="(\d+)",.*} (\S+)$', page, re.MULTILINE)
    return {int(number): float(count) for number, count in found}


def find_on_disk(folder: Path) -> set[int]:
    """Return the numbers of the lines in the log and in what was rotated."""
    texts = [path.read_text() for path in folder.glob("app.log*")]
    return {int(number) for text in texts for number in re.findall(r"e2e file (\d{6})$", text, re.MULTILINE)}


def wait_caught_up(counting: Counting, folder: Path) -> None:
    """Return when nothing is left to be read."""
    wait_until(lambda: find_on_disk(folder) <= read_seen(counting).keys(), "the log is read to its end")


def test_killed_daemon_goes_on_where_its_state_was_written(folder: Path) -> None:
    """With positions in the state file `kill -9` loses and doubles nothing, even when the log is rotated meanwhile."""
    flags = ["--logs", f"{folder}/app.log", "--read_positions", "--state_file", f"{folder}/state"]
    flags += ["--state_interval", "10ms"]
    total = 0
    with writing(folder) as writer:
        for round_number in range(ROUNDS):
            with killing(folder, *flags) as counting:
                writer.begin(LINES_PER_ROUND)
                total += LINES_PER_ROUND
                counting.wait_counted("file", total - LINES_PER_ROUND + 1)
            if round_number % 2:
                writer.rotate(CREATE)
            writer.wait()
        with run_counting(folder, *flags) as counting:
            counting.wait_counted("file", total)
            counting.assert_exact("file", total)
