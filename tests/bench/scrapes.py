"""What a scrape costs the daemon, by the number of series."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import series
from tests.bench.contenders import OURS
from tests.bench.daemons import RunningDaemon, running, wait_until
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

IDLE_SECONDS = 0.4
"""Longer than both daemons wait before they look at a file again."""

IDLE_CPU_SECONDS = 0.02
"""What a daemon that does nothing may use in that time."""

ABOUT = (
    "one counter by two labels, scraped with `GET /metrics` over one connection on the unix socket: as it was at the "
    "last scrape, plain or compressed with gzip, and after a line for each series has changed them all; then its other "
    "pages of one line for each series. CPU is the server's user and system time for a scrape, wall the client's wait "
    "for it. Ratio is another's CPU time by ours."
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How the page is asked for, and whether all series change before. Then a run is one scrape."""

    name: str
    encoding: str = "identity"
    is_changed: bool = False
    path: str = "/metrics"


MANNERS = (
    Manner("plain"),
    Manner("gzip", encoding="gzip"),
    Manner("all changed", is_changed=True),
    Manner("/varz", path="/varz"),
    Manner("/graphite", path="/graphite"),
)


@dataclass(frozen=True, slots=True)
class ScrapeRun:
    """One scrape, as the mean of several. `wire_bytes` is the page as it came."""

    cpu_seconds: float
    wall_seconds: float
    wire_bytes: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Daemons that all follow the same log, each with the same `count` series."""

    count: int
    log: Path
    daemons: tuple[RunningDaemon, ...]

    def change_all(self) -> None:
        """Append a line for each series, and wait until nobody is busy with them."""
        with self.log.open("ab") as file:
            file.write(series.spell_lines(self.count))
        for daemon in self.daemons:
            wait_until(partial(is_idle, daemon), daemon)


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
    with open_scene(bench, count) as scene:
        for manner in MANNERS:
            add_row(bench, table, f"{count:,} series, {manner.name}", scrape_in_turn(bench, scene, manner))
        for daemon in scene.daemons:
            require_series(daemon, count)


@contextmanager
def open_scene(bench: Bench, count: int) -> Iterator[Scene]:
    """Run all daemons, filled."""
    folder = Path(bench.folder, GROUP, str(count))
    programs, log = series.write_program(folder / "programs"), folder / "log"
    log.touch()
    with ExitStack() as stack:
        daemons = []
        for contender in bench.contenders:
            place = folder / contender.name
            place.mkdir()
            daemons.append(stack.enter_context(running(contender, programs, str(log), place)))
        scene = Scene(count, log, tuple(daemons))
        bench.report.progress(f"{count} series: filling")
        scene.change_all()
        for daemon in daemons:
            require_series(daemon, count)
        yield scene


def require_series(daemon: RunningDaemon, count: int) -> None:
    """Make sure that the daemon was measured with all series, and had read all lines."""
    shown, lines = series.count_series(daemon.scrape()), daemon.count_lines()
    if shown != count or lines % count:
        raise daemon.fail(f"shows {shown} of {count} series, after {lines} lines")


def is_idle(daemon: RunningDaemon) -> bool:
    """Look for `IDLE_SECONDS` whether it does anything."""
    before = daemon.cpu_seconds
    time.sleep(IDLE_SECONDS)
    return daemon.cpu_seconds - before < IDLE_CPU_SECONDS


def scrape_in_turn(bench: Bench, scene: Scene, manner: Manner) -> dict[str, list[ScrapeRun]]:
    """Scrape the daemons in turn; return the runs by contender."""
    runs: dict[str, list[ScrapeRun]] = {daemon.contender.name: [] for daemon in scene.daemons}
    for number in range(bench.plan.runs):
        bench.report.progress(f"{scene.count} series, {manner.name}: run {number + 1} of {bench.plan.runs}")
        if manner.is_changed:
            scene.change_all()
        for daemon in scene.daemons:
            scrapes = 1 if manner.is_changed else SCRAPES[scene.count]
            runs[daemon.contender.name].append(time_scrapes(daemon, scrapes, manner))
    return runs


def time_scrapes(daemon: RunningDaemon, scrapes: int, manner: Manner) -> ScrapeRun:
    cpu_before, walls, size = daemon.cpu_seconds, [], 0
    for _ in range(scrapes):
        begin = time.perf_counter()
        size = len(daemon.scrape(manner.encoding, manner.path))
        walls.append(time.perf_counter() - begin)
    time.sleep(SETTLE_SECONDS)
    return ScrapeRun((daemon.cpu_seconds - cpu_before) / scrapes, statistics.median(walls), size)


def add_row(bench: Bench, table: Table, name: str, runs: dict[str, list[ScrapeRun]]) -> None:
    cpu = {key: statistics.median(run.cpu_seconds for run in each) for key, each in runs.items()}
    ratios: dict[str, float | None] = {other.name: cpu[other.name] / cpu[OURS] for other in bench.others}
    bench.compare(GROUP, name, ratios)
    cells: list[str] = []
    for key, each in runs.items():
        wall = statistics.median(run.wall_seconds for run in each)
        cells += [f"{cpu[key] * 1e3:.2f}", f"{wall * 1e3:.1f}", f"{each[0].wire_bytes / 1e3:,.0f}"]
        cells += [spell_ratio(ratios[key])] if key != OURS else []
    bench.report.add_row(table, name, *cells)
