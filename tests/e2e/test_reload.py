"""Reloads, and the state file, with a real process: no line and no value is lost while programs come and go."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from pipeline.state_file import VERSION
from tests.e2e.daemons import DEADLINE_SECONDS, run_pipeline, wait_until

RELOADS = 10
LINES_PER_RELOAD = 50_000

STEADY = """counter steady_lines_total
counter steady_numbers_total
/ n=(?P<n>\\d+)$/ {
  steady_lines_total++
  steady_numbers_total += $n
}
"""
"""Changes in nothing but a comment, so that it is compiled anew each time."""

TWIN = """counter {twin}_lines_total by generation
/ n=\\d+$/ {{
  {twin}_lines_total["{generation}"]++
}}
"""
"""Two of these change together; lines are told apart by who was there to count them."""

VISITOR = """counter visitor_lines_total
gauge visitor_first
gauge visitor_last
/ n=(?P<n>\\d+)$/ {
  visitor_lines_total++
  visitor_last = $n
  visitor_lines_total == 1 {
    visitor_first = $n
  }
}
"""
"""Comes, is broken and repaired, goes and comes back."""

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "torn": lambda data: data[: len(data) // 2],
    "truncated": lambda data: b"",
    "a bit flipped": lambda data: (int.from_bytes(data) ^ 1 << 4 * len(data)).to_bytes(len(data)),
    "of a newer version": lambda data: data.replace(b'"version":%d' % VERSION, b'"version":%d' % (VERSION + 1), 1),
}
"""What may have happened to a state file between two runs."""

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="reload-") as name:
        (Path(name) / "progs").mkdir()
        yield Path(name)


def scrape(folder: Path) -> dict[str, float]:
    """Return the value of each series of the daemon, by name and labels."""
    transport = httpx.HTTPTransport(uds=str(folder / "metrics.sock"))
    with httpx.Client(transport=transport, base_url="http://x", timeout=DEADLINE_SECONDS) as client:
        page = client.get("/metrics").raise_for_status().text
    rows = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def wait_value(folder: Path, name: str, least: float) -> None:
    """Return when a series has at least that value."""
    wait_until(lambda: scrape(folder).get(name, -1) >= least, f"{name} reaches {least}")


def write_programs(folder: Path, generation: int) -> None:
    """Put the programs of a generation into the folder."""
    progs = folder / "progs"
    (progs / "steady.mtail").write_text(STEADY + f"# {generation}\n")
    for twin in ("first", "second"):
        (progs / f"{twin}.mtail").write_text(TWIN.format(twin=twin, generation=generation))
    visitor = progs / "visitor.mtail"
    if generation in (0, 6):
        visitor.unlink(missing_ok=True)
    elif generation in (3, 8):
        visitor.write_text(VISITOR + "visitor_lines_total +\n")
    else:
        visitor.write_text(VISITOR + f"# {generation}\n")


def make_lines(first: int, count: int) -> bytes:
    return b"".join(b"Nov 21 01:13:00 host app[%d]: n=%d\n" % (n % 99, n) for n in range(first, first + count))


def count_reloads(folder: Path) -> float:
    """Return how many reloads there have been, however they went."""
    return sum(value for name, value in scrape(folder).items() if name.startswith("syslog_pipeline_reloads_total"))


def wait_reloads(folder: Path, count: int) -> None:
    wait_until(lambda: count_reloads(folder) == count, f"reload {count}")


def reload_under_load(folder: Path, process: subprocess.Popen[bytes], pipe: int) -> None:
    """Write all lines; before each so many the programs change, and a reload is asked for."""
    for generation in range(RELOADS):
        if generation:
            write_programs(folder, generation)
            process.send_signal(signal.SIGHUP)
        data = memoryview(make_lines(generation * LINES_PER_RELOAD, LINES_PER_RELOAD))
        while data:
            data = data[os.write(pipe, data) :]
        wait_reloads(folder, generation)


def wait_written(folder: Path, lines: float) -> None:
    """Return when `lines` lines have been counted and a state with them has been written.

    One that was begun before may be written after that, and has its time from before.
    """
    wait_value(folder, "steady_lines_total", lines)
    wait_value(folder, "syslog_pipeline_state_last_write_timestamp_seconds", time.time_ns() / 1e9)


def test_reload_under_load_loses_no_line_and_no_value(folder: Path) -> None:
    """Programs are changed, added, broken, repaired and removed while half a million lines pass."""
    write_programs(folder, 0)
    total = RELOADS * LINES_PER_RELOAD
    os.mkfifo(folder / "fifo")
    flags = ["--progs", f"{folder}/progs", "--logs", f"{folder}/fifo", "--emit_prog_label=false"]
    with run_pipeline(folder, *flags) as process:
        pipe = os.open(folder / "fifo", os.O_WRONLY)
        try:
            reload_under_load(folder, process, pipe)
        finally:
            os.close(pipe)
        wait_value(folder, "syslog_pipeline_lines_total", total)
        values = scrape(folder)
        log = (folder / "pipeline.out").read_text()
    assert values["syslog_pipeline_lines_total"] == total
    assert values["steady_lines_total"] == total
    assert values["steady_numbers_total"] == total * (total - 1) / 2
    twins = [
        [values.get(f'{twin}_lines_total{{generation="{generation}"}}', 0) for generation in range(RELOADS)]
        for twin in ("first", "second")
    ]
    assert twins[0] == twins[1]
    assert sum(twins[0]) == total
    assert values["visitor_last"] == total - 1
    assert values["visitor_lines_total"] == total - values["visitor_first"]
    assert 6 * LINES_PER_RELOAD < values["visitor_first"] <= 8 * LINES_PER_RELOAD
    assert (values['syslog_pipeline_reloads_total{outcome="failure"}'], RELOADS - 1) == (2, 9)
    assert values["syslog_pipeline_config_last_reload_successful"] == 1
    assert re.findall(r"Reload: (.*)\.", log) == [
        "4 loaded, 0 unchanged, 0 failed, 0 removed",
        "4 loaded, 0 unchanged, 0 failed, 0 removed",
        "3 loaded, 0 unchanged, 1 failed (kept), 0 removed",
        "4 loaded, 0 unchanged, 0 failed, 0 removed",
        "4 loaded, 0 unchanged, 0 failed, 0 removed",
        "3 loaded, 0 unchanged, 0 failed, 1 removed",
        "4 loaded, 0 unchanged, 0 failed, 0 removed",
        "3 loaded, 0 unchanged, 1 failed (kept), 0 removed",
        "4 loaded, 0 unchanged, 0 failed, 0 removed",
    ]


def test_values_go_over_to_the_next_run(folder: Path) -> None:
    """Five times; each run goes on where the last one ended."""
    write_programs(folder, 1)
    flags = ["--progs", f"{folder}/progs", "--logs", f"{folder}/fifo", "--state_file", f"{folder}/state"]
    os.mkfifo(folder / "fifo")
    for run in range(5):
        with run_pipeline(folder, *flags, "--emit_prog_label=false"):
            (folder / "fifo").write_bytes(make_lines(run * 1000, 1000))
    with run_pipeline(folder, *flags, "--emit_prog_label=false"):
        values = scrape(folder)
    assert (values["steady_lines_total"], values["steady_numbers_total"]) == (5000, 5000 * 4999 / 2)
    assert (values["visitor_first"], values["visitor_last"]) == (0, 4999)
    assert values["syslog_pipeline_lines_total"] == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_state_is_set_aside_and_the_start_goes_on(folder: Path, damage: str) -> None:
    """With values that begin anew, and are kept from then on."""
    write_programs(folder, 1)
    flags = ["--progs", f"{folder}/progs", "--logs", f"{folder}/fifo", "--state_file", f"{folder}/state"]
    os.mkfifo(folder / "fifo")
    for run in range(3):
        with run_pipeline(folder, *flags, "--emit_prog_label=false"):
            (folder / "fifo").write_bytes(make_lines(run * 1000, 1000))
            wait_value(folder, "syslog_pipeline_lines_total", 1000)
            assert scrape(folder)["steady_lines_total"] == 1000 * max(run, 1)
        if run == 0:
            damaged = DAMAGES[damage]((folder / "state").read_bytes())
            (folder / "state").write_bytes(damaged)
        assert (folder / "state.damaged").exists() == (run > 0)
    assert (folder / "state.damaged").read_bytes() == damaged


def test_crash_leaves_the_last_state_that_was_written(folder: Path) -> None:
    """`kill -9` in the middle of writing leaves a whole file; the next run goes on from it."""
    write_programs(folder, 1)
    flags = ["--progs", f"{folder}/progs", "--logs", f"{folder}/fifo", "--state_file", f"{folder}/state"]
    flags += ["--state_interval", "1ms", "--emit_prog_label=false"]
    os.mkfifo(folder / "fifo")
    for run in range(5):
        with suppress(AssertionError), run_pipeline(folder, *flags) as process:
            (folder / "fifo").write_bytes(make_lines(run * 1000, 1000))
            wait_written(folder, (run + 1) * 1000)
            process.kill()
            process.wait()
        assert process.returncode == -signal.SIGKILL
    with run_pipeline(folder, *flags):
        values = scrape(folder)
    assert values["steady_lines_total"] == 5000
    assert (values["visitor_first"], values["visitor_last"]) == (0, 4999)


def test_crashes_count_the_lines_of_a_file_once(folder: Path) -> None:
    """`kill -9` at any moment, between a batch and the next state as well: values and position go back together."""
    write_programs(folder, 1)
    flags = ["--progs", f"{folder}/progs", "--logs", f"{folder}/app.log", "--read_positions", "--read_from", "start"]
    flags += ["--state_file", f"{folder}/state", "--state_interval", "50ms", "--emit_prog_label=false"]
    total = 10 * LINES_PER_RELOAD
    with (folder / "app.log").open("wb", buffering=0) as file:
        for run in range(5):
            with suppress(AssertionError), run_pipeline(folder, *flags) as process:
                file.write(make_lines(run * total // 5, total // 5))
                if run == 2:
                    wait_written(folder, total * 3 // 5)
                wait_value(folder, "syslog_pipeline_lines_total", 1)
                process.kill()
                process.wait()
            assert process.returncode == -signal.SIGKILL
    with run_pipeline(folder, *flags):
        wait_value(folder, "visitor_last", total - 1)
        values = scrape(folder)
    assert values["steady_lines_total"] == total
    assert values["steady_numbers_total"] == total * (total - 1) / 2
    assert values["syslog_pipeline_lines_total"] <= total * 2 / 5, "the last run has begun anew"
