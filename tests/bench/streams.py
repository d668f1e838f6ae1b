"""Streams at full speed: how many lines a second a daemon takes, what a line costs it, whether any is lost."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contenders import OURS, Contender
from tests.bench.daemons import RunningDaemon
from tests.bench.mixed import write_mixed_log
from tests.bench.plan import Bench, head_ratio, spell_ratio
from tests.bench.report import Table

FIGURES = (
    "Lines/s is until the daemon's own count, scraped, says that all have arrived; µs is its CPU time (user and "
    "system) per line meanwhile. Medians, and the most lines that a run lost. Ratio is another's CPU time by ours."
)


@dataclass(frozen=True, slots=True)
class StreamRun:
    """What it took one daemon to take all lines, or all that it ever did."""

    lines: int
    wall_seconds: float
    cpu_seconds: float
    lost: int


@dataclass(frozen=True, slots=True)
class ProgramSet:
    """Programs that `copy` puts into a new folder. `times` as many lines are sent where a line costs little."""

    copy: Callable[[Path], Path]
    times: int = 1


@dataclass(frozen=True, slots=True)
class Stream:
    """A group. `time_run` times one contender, with the programs, on the lines, in a new folder."""

    group: str
    title: str
    about: str
    sets: Mapping[str, ProgramSet]
    lines: int
    time_run: Callable[[Contender, Path, bytes, Path], StreamRun]


def measure_streams(bench: Bench, stream: Stream) -> None:
    table = open_table(bench, stream.title, stream.about)
    log = write_mixed_log(bench, stream.lines)
    data = log.read_bytes()
    log.unlink()
    for name, programs in stream.sets.items():
        if bench.wants(name):
            runs = run_in_turn(bench, stream, name, data * programs.times)
            add_row(bench, table, stream.group, name, runs)


def run_in_turn(bench: Bench, stream: Stream, name: str, data: bytes) -> dict[str, list[StreamRun]]:
    """Time each contender in turn, each time in a new folder; return the runs by contender."""
    runs: dict[str, list[StreamRun]] = {contender.name: [] for contender in bench.contenders}
    folder = Path(bench.folder, stream.group, name)
    programs = stream.sets[name].copy(folder / "programs")
    for turn in range(bench.plan.runs):
        for contender in bench.contenders:
            bench.report.progress(f"{name}: {contender.name}, run {turn + 1} of {bench.plan.runs}")
            place = folder / f"{contender.name}-{turn}"
            place.mkdir()
            runs[contender.name].append(stream.time_run(contender, programs, data, place))
    return runs


def time_stream(daemon: RunningDaemon, lines: int, write: Callable[[], None]) -> StreamRun:
    """Have the stream written, and wait for its last line."""
    begin, cpu_before = time.perf_counter(), daemon.cpu_seconds
    write()
    counted = daemon.wait_for_lines(lines)
    return StreamRun(lines, time.perf_counter() - begin, daemon.cpu_seconds - cpu_before, lines - counted)


def open_table(bench: Bench, title: str, about: str) -> Table:
    headings = ["programs", "lines"]
    for contender in bench.contenders:
        headings += [f"{contender.name} {figure}" for figure in ("lines/s", "µs", "lost")]
        headings += [head_ratio(contender.name)] if contender.name != OURS else []
    return bench.report.open_table(title, about, tuple(headings), legend=FIGURES)


def add_row(bench: Bench, table: Table, group: str, name: str, runs: Mapping[str, Sequence[StreamRun]]) -> None:
    """Add one row and keep its ratios; no start is in these figures, so all are told."""
    cpu = {key: statistics.median(run.cpu_seconds for run in each) for key, each in runs.items()}
    ratios: dict[str, float | None] = {other.name: cpu[other.name] / cpu[OURS] for other in bench.others}
    bench.compare(group, name, ratios)
    cells: list[str] = []
    for key, each in runs.items():
        cells += spell_runs(each)
        cells += [spell_ratio(ratios[key])] if key != OURS else []
    bench.report.add_row(table, name, f"{runs[OURS][0].lines / 1e6:g} M", *cells)


def spell_runs(runs: Sequence[StreamRun]) -> list[str]:
    lines = runs[0].lines
    wall = statistics.median(run.wall_seconds for run in runs)
    cpu = statistics.median(run.cpu_seconds for run in runs)
    return [f"{lines / wall:,.0f}", f"{cpu / lines * 1e6:.3f}", str(max(run.lost for run in runs))]
