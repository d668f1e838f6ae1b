"""Scrapes of many series while a pipe carries a steady stream: is anything lost, and how long does it wait?"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.bench import series
from tests.bench.contenders import OURS
from tests.bench.daemons import RunningDaemon, running
from tests.bench.feeding import held_pipe, write_pipe
from tests.bench.measure import BenchError
from tests.bench.mixed import write_mixed_log
from tests.bench.plan import Bench
from tests.bench.program_sets import copy_five
from tests.bench.waits import BOUNDS_MS, count_buckets
from tests.generators.strewing import write_strewn_log

RATE = 100_000
ONE_IN = 10
PAUSE_SECONDS = 0.5
"""Between two scrapes."""

ABOUT = (
    f"our daemon with the 5 programs and that of the series; the mixed stream comes through a pipe at {RATE:,} lines a "
    "second, 500 lines each 5 ms, and one line in ten changes one of the series. In the second row the page is scraped "
    f"meanwhile, with {PAUSE_SECONDS:g} s between two scrapes. The columns count the chunks of 500 lines by how long "
    "they waited, in ms: from when they were due to when the daemon had read them. The writer looks about every 0.2 ms."
)


@dataclass(frozen=True, slots=True)
class PacedRun:
    """What the writer saw and what came of it; times are in seconds."""

    waits: list[float]
    scrapes: list[float]
    lost: int


def measure_paced(bench: Bench, count: int) -> None:
    headings = ("stream", "lines", "lost", "scrapes", "slowest s")
    bounds = (*(f"≤ {bound}" for bound in BOUNDS_MS), f"> {BOUNDS_MS[-1]}", "max ms")
    table = bench.report.open_table(f"Lines while {count:,} series are scraped", ABOUT, (*headings, *bounds))
    log = write_stream(bench, count)
    for name, is_scraped in (("not scraped", False), ("scraped", True)):
        run = run_paced(bench, log, count, is_scraped=is_scraped)
        longest = max(run.waits, default=0.0) * 1e3
        if is_scraped:
            bench.facts["wait"] = longest
        slowest = f"{max(run.scrapes):.2f}" if run.scrapes else "-"
        figures = (f"{RATE * bench.plan.paced_seconds / 1e6:g} M", str(run.lost), str(len(run.scrapes)), slowest)
        bench.report.add_row(table, name, *figures, *map(str, count_buckets(run.waits)), f"{longest:.1f}")
    log.unlink()


def write_stream(bench: Bench, count: int) -> Path:
    """Write the mixed stream with a line in ten that changes a series, of which an answer may so hold none ready."""
    mixed, path = write_mixed_log(bench, int(RATE * bench.plan.paced_seconds)), bench.folder / "paced.log"
    groups = int(RATE * bench.plan.paced_seconds) // ONE_IN
    with mixed.open("rb") as lines:
        write_strewn_log(path, series.pick_lines(count, Random(1)), lines, groups=groups, one_in=ONE_IN)
    mixed.unlink()
    return path


def run_paced(bench: Bench, log: Path, count: int, *, is_scraped: bool) -> PacedRun:
    ours = next(contender for contender in bench.contenders if contender.name == OURS)
    folder = Path(bench.folder, f"paced-{is_scraped}")
    programs = series.write_program(copy_five(folder / "programs"))
    path = folder / "pipe"
    with held_pipe(path) as pipe, running(ours, programs, str(path), folder) as daemon:
        bench.report.progress(f"{count} series: filling")
        write_pipe(pipe, series.spell_lines(count), daemon)
        before = daemon.wait_for_lines(count)
        bench.report.progress(f"{count} series: {bench.plan.paced_seconds:g} s at {RATE} lines/s")
        waits, scrapes = watch_writer(path, log, daemon, is_scraped=is_scraped)
        wanted = before + int(RATE * bench.plan.paced_seconds)
        return PacedRun(waits, scrapes, wanted - daemon.wait_for_lines(wanted))


def watch_writer(path: Path, log: Path, daemon: RunningDaemon, *, is_scraped: bool) -> tuple[list[float], list[float]]:
    """Scrape until the writer has ended; return the waits that it reports, and the seconds of each scrape."""
    report = path.with_name("waits")
    command = [sys.executable, "-m", "tests.bench.paced_writer", str(path), str(log), str(RATE)]
    scrapes: list[float] = []
    with report.open("wb") as output, subprocess.Popen(command, stdout=output) as writer:
        try:
            while writer.poll() is None:
                if is_scraped:
                    scrapes.append(time_scrape(daemon))
                time.sleep(PAUSE_SECONDS)
        finally:
            writer.kill()
    if writer.returncode:
        raise BenchError("The writer of the paced stream failed.")
    waits: list[float] = json.loads(report.read_bytes())
    return waits, scrapes


def time_scrape(daemon: RunningDaemon) -> float:
    begin = time.perf_counter()
    daemon.scrape()
    return time.perf_counter() - begin
