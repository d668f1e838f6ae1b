"""What files and the journal promise: the disk keeps it while nobody reads, and a later run knows where to go on."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.counting import make_messages, run_counting, scraping, starting
from tests.e2e.daemons import DEADLINE_SECONDS, wait_until
from tests.sources.journals import make_entry, write_journal

LINES = {"file": 200_000, "journal": 20_000}
"""How many come while nobody reads."""

FEW = 8

pytestmark = pytest.mark.slow


@dataclass(slots=True)
class Disk:
    """A log file, or a file of the journal."""

    kind: str
    folder: Path
    written: int = 0

    @property
    def flags(self) -> list[str]:
        """Read it, and write the state at the start and at the end."""
        spec = f"journal://{self.folder}/log.journal" if self.kind == "journal" else f"{self.folder}/log"
        return ["--logs", spec, "--state_file", f"{self.folder}/state", "--state_interval", "1h"]

    def write(self, route: str, count: int) -> None:
        """Append numbered lines, or entries."""
        if self.kind == "journal":
            entries = [make_entry(self.written + n, MESSAGE=f"e2e {route} {n}") for n in range(count)]
            write_journal(self.folder / "log.journal", entries)
        else:
            with (self.folder / "log").open("ab") as file:
                file.write(make_messages(route, range(count)))
        self.written += count


@pytest.fixture(params=LINES)
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    """With something in it from before, which nobody wants. Socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        disk = Disk(request.param, Path(name))
        disk.write("old", FEW)
        yield disk


def test_what_is_on_the_disk_waits_for_us(disk: Disk) -> None:
    """However much comes while nobody reads: it is counted once, and in order."""
    with starting(disk.folder, *disk.flags) as process, scraping(disk.folder) as counting:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        disk.write("waited", LINES[disk.kind])
        process.send_signal(signal.SIGCONT)
        counting.wait_counted("waited", LINES[disk.kind])
        counting.assert_exact("waited", LINES[disk.kind])
        assert counting.read_counter("messages", "old") == 0


@pytest.mark.parametrize(
    ("positions", "end", "counted"),
    [
        (True, signal.SIGTERM, {"before": FEW, "meanwhile": FEW}),
        (True, signal.SIGKILL, {"before": FEW, "meanwhile": FEW}),
        (False, signal.SIGTERM, {"before": FEW, "meanwhile": 0}),
        (False, signal.SIGKILL, {"before": 0, "meanwhile": 0}),
    ],
)
def test_next_run_goes_on_where_it_knows_the_position(
    disk: Disk, positions: bool, end: signal.Signals, counted: dict[str, int]
) -> None:
    """Each line once; without a position it begins at the end, and a kill leaves the values of the last state."""
    flags = [*disk.flags, "--read_positions"] if positions else disk.flags
    with starting(disk.folder, *flags) as process:
        wait_until((disk.folder / "state").exists, "the state is written")
        disk.write("before", FEW)
        with scraping(disk.folder) as counting:
            counting.wait_counted("before", FEW)
        process.send_signal(end)
        assert process.wait(DEADLINE_SECONDS) == (0 if end is signal.SIGTERM else -end)
    disk.write("meanwhile", FEW)
    with run_counting(disk.folder, *flags) as counting:
        disk.write("after", FEW)
        counting.wait_counted("after", FEW)
        counting.assert_exact("after", FEW)
        assert {route: counting.read_counter("messages", route) for route in counted} == counted
