"""What a scrape costs the daemon, by the number of series."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import series
from tests.bench.contenders import OURS
from tests.bench.daemons import RunningDaemon, running
from tests.bench.paced import measure_paced
from tests.bench.plan import Bench, head_ratio, spell_ratio
from tests.bench.report import Table

GROUP = "scrape"
SCRAPES = {1_000: 50, 10_000: 10, 100_000: 3}
"""In one run, by the number of series: enough CPU time for the clock."""

PACED = "paced"
NAMES = (*map(str, SCRAPES), PACED)

SETTLE_SECONDS = 0.1
"""What a daemon does after an answer, such as to collect its garbage, belongs to the scrape."""

ENCODINGS = ("identity", "gzip")
ABOUT = (
    "one counter by two labels, scraped with `GET /metrics` over one connection on the unix socket, plain or "
    "compressed with gzip. CPU is the server's user and system time for a scrape, wall the client's wait for it. "
    "Ratio is another's CPU time by ours."
)


@dataclass(frozen=True, slots=True)
class ScrapeRun:
    """One scrape, as the mean of several. `wire_bytes` is the page as it came."""

    cpu_seconds: float
    wall_seconds: float
    wire_bytes: int


def run(bench: Bench) -> None:
    table = open_table(bench)
    for count in bench.plan.series:
        if bench.wants(str(count)):
            measure_series(bench, table, count)
    if bench.wants(PACED):
        measure_paced(bench, max(bench.plan.series))


def open_table(bench: Bench) -> Table:
    headings = ["series"]
    for contender in bench.contenders:
        headings += [f"{contender.name} {figure}" for figure in ("CPU ms", "wall ms", "kB")]
        headings += [head_ratio(contender.name)] if contender.name != OURS else []
    return bench.report.open_table("Scrapes", ABOUT, tuple(headings))


def measure_series(bench: Bench, table: Table, count: int) -> None:
    """Fill all daemons from the same file, which they follow, and scrape them in turn."""
    folder = Path(bench.folder, GROUP, str(count))
    programs = series.write_program(folder / "programs")
    log = folder / "log"
    log.touch()
    with ExitStack() as stack:
        daemons = []
        for contender in bench.contenders:
            place = folder / contender.name
            place.mkdir()
            daemons.append(stack.enter_context(running(contender, programs, str(log), place)))
        with log.open("ab") as file:
            file.write(series.spell_lines(count))
        for daemon in daemons:
            fill(bench, daemon, count)
        for encoding in ENCODINGS:
            add_row(bench, table, count, encoding, scrape_in_turn(bench, daemons, count, encoding))


def fill(bench: Bench, daemon: RunningDaemon, count: int) -> None:
    bench.report.progress(f"{count} series: waiting for {daemon.contender.name}")
    daemon.wait_for_lines(count)
    if (shown := series.count_series(daemon.scrape())) != count:
        raise daemon.fail(f"shows {shown} of {count} series")


def scrape_in_turn(bench: Bench, daemons: list[RunningDaemon], count: int, encoding: str) -> dict[str, list[ScrapeRun]]:
    runs: dict[str, list[ScrapeRun]] = {daemon.contender.name: [] for daemon in daemons}
    for number in range(bench.plan.runs):
        for daemon in daemons:
            bench.report.progress(f"{count} series, {encoding}: {daemon.contender.name}, run {number + 1}")
            runs[daemon.contender.name].append(time_scrapes(daemon, SCRAPES[count], encoding))
    return runs


def time_scrapes(daemon: RunningDaemon, scrapes: int, encoding: str) -> ScrapeRun:
    cpu_before, walls, size = daemon.cpu_seconds, [], 0
    for _ in range(scrapes):
        begin = time.perf_counter()
        size = len(daemon.scrape(encoding))
        walls.append(time.perf_counter() - begin)
    time.sleep(SETTLE_SECONDS)
    return ScrapeRun((daemon.cpu_seconds - cpu_before) / scrapes, statistics.median(walls), size)


def add_row(bench: Bench, table: Table, count: int, encoding: str, runs: dict[str, list[ScrapeRun]]) -> None:
    cpu = {key: statistics.median(run.cpu_seconds for run in each) for key, each in runs.items()}
    ratios: dict[str, float | None] = {other.name: cpu[other.name] / cpu[OURS] for other in bench.others}
    name = f"{count:,} series, {'plain' if encoding == 'identity' else encoding}"
    bench.compare(GROUP, name, ratios)
    cells: list[str] = []
    for key, each in runs.items():
        wall = statistics.median(run.wall_seconds for run in each)
        cells += [f"{cpu[key] * 1e3:.2f}", f"{wall * 1e3:.1f}", f"{each[0].wire_bytes / 1e3:,.0f}"]
        cells += [spell_ratio(ratios[key])] if key != OURS else []
    bench.report.add_row(table, name, *cells)
