"""A pair: programs and their logs, read by us and by mtail in turn, from files that are in the page cache.

The runs alternate (A B A B …), so that a machine that slows down slows both. The start of the process is
measured by the same runs over empty logs, and taken off.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contenders import OURS, Contender
from tests.bench.measure import Usage, run_command, take_medians
from tests.bench.neighbours import grep_seconds, loop_seconds
from tests.bench.plan import Bench, head_ratio, spell_ratio
from tests.bench.report import Table

LEAST_NET_SECONDS = 0.001
LEAST_NET_SHARE = 0.1
LEAST_DEVIATIONS = 7
"""Times the median absolute deviation; in a normal distribution, 5 standard deviations."""

FIGURES = (
    "Start is the CPU time (user and system) of a run over empty logs, net is what the logs cost beyond it, in "
    "seconds; µs is net per line. Ratio is another's net by ours; `noise`: a net below a tenth of the start, or below "
    "seven median absolute deviations of its runs, is no basis for one. Wall is the ratio of wall times, start "
    "included. grep is `grep -c` of one literal on the same files, loop an empty loop over their lines in Python, both "
    "in µs per line."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """`programs` is a program or a folder of them. `literal` occurs in the logs, for grep.

    `their_programs` is what the others run, where the language has something that theirs has not.
    """

    name: str
    programs: Path
    logs: tuple[Path, ...]
    lines: int
    literal: str
    their_programs: Path | None = None

    def pick_programs(self, contender: Contender) -> Path:
        return self.programs if contender.name == OURS else self.their_programs or self.programs


@dataclass(frozen=True, slots=True)
class Side:
    """The medians of one contender: over the logs, and over empty ones, with their median absolute deviation."""

    gross: Usage
    start: Usage
    start_deviation: float

    @property
    def net_cpu_seconds(self) -> float:
        # The difference of two noisy numbers may come out as nothing.
        return max(self.gross.cpu_seconds - self.start.cpu_seconds, LEAST_NET_SECONDS)

    @property
    def is_told(self) -> bool:
        """Whether the logs cost enough beside the start to be told from its noise.

        Seen: a start of 0.55 s, a run of 0.55 s, and a net ratio of 2672, which made the mean a fiction.
        """
        noise = max(LEAST_NET_SHARE * self.start.cpu_seconds, LEAST_DEVIATIONS * self.start_deviation)
        return self.net_cpu_seconds >= noise


def open_table(bench: Bench, title: str, about: str) -> Table:
    headings = ["program", "lines"]
    for contender in bench.contenders:
        headings += [f"{contender.name} {figure}" for figure in ("start", "net", "µs")]
        headings += [head_ratio(contender.name), head_ratio(contender.name, "wall")] if contender.name != OURS else []
    return bench.report.open_table(title, about, (*headings, "grep", "loop"), legend=FIGURES)


def measure_pair(bench: Bench, group: str, table: Table, pair: Pair) -> None:
    """Measure one pair, add its row, keep its ratios."""
    sides = measure_sides(bench, pair)
    bench.report.progress(f"{pair.name}: grep and an empty loop")
    neighbours = [seconds(bench, pair) / pair.lines for seconds in (time_grep, time_loop)]
    ratios = {other.name: find_ratio(sides[OURS], sides[other.name]) for other in bench.others}
    bench.compare(group, pair.name, ratios)
    cells = [spell_side(bench, contender, sides, pair.lines) for contender in bench.contenders]
    figures = [figure for side in cells for figure in side] + [f"{each * 1e6:.3f}" for each in neighbours]
    bench.report.add_row(table, pair.name, f"{pair.lines / 1e6:g} M", *figures)


def time_grep(bench: Bench, pair: Pair) -> float:
    return grep_seconds(pair.literal, pair.logs, bench.plan.runs)


def time_loop(bench: Bench, pair: Pair) -> float:
    return loop_seconds(pair.logs, bench.plan.runs)


def measure_sides(bench: Bench, pair: Pair) -> dict[str, Side]:
    empty = [make_empty(log) for log in pair.logs]
    starts = alternate(
        bench,
        f"{pair.name}: start of",
        bench.plan.start_runs,
        lambda each: each.replay(pair.pick_programs(each), empty),
    )
    gross = alternate(
        bench, f"{pair.name}:", bench.plan.runs, lambda each: each.replay(pair.pick_programs(each), pair.logs)
    )
    return {name: make_side(gross[name], starts[name]) for name in gross}


def make_side(gross: Sequence[Usage], starts: Sequence[Usage]) -> Side:
    start = take_medians(starts)
    deviation = statistics.median(abs(each.cpu_seconds - start.cpu_seconds) for each in starts)
    return Side(take_medians(gross), start, deviation)


def make_empty(log: Path) -> Path:
    """An empty log of the same file name, which `getfilename()` may ask for."""
    path = log.parent / "empty" / log.name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


def alternate(bench: Bench, what: str, runs: int, command: Callable[[Contender], list[str]]) -> dict[str, list[Usage]]:
    """Run each contender's command in turn, `runs` times; return what they took by name."""
    usages: dict[str, list[Usage]] = {contender.name: [] for contender in bench.contenders}
    for number in range(runs):
        for contender in bench.contenders:
            bench.report.progress(f"{what} {contender.name}, run {number + 1} of {runs}")
            usages[contender.name].append(run_command(command(contender)))
    return usages


def find_ratio(ours: Side, other: Side) -> float | None:
    return other.net_cpu_seconds / ours.net_cpu_seconds if ours.is_told and other.is_told else None


def spell_side(bench: Bench, contender: Contender, sides: dict[str, Side], lines: int) -> list[str]:
    side, ours = sides[contender.name], sides[OURS]
    figures = [f"{side.start.cpu_seconds:.3f}", f"{side.net_cpu_seconds:.3f}"]
    figures.append(f"{side.net_cpu_seconds / lines * 1e6:.3f}")
    if contender.name != OURS:
        wall = side.gross.wall_seconds / ours.gross.wall_seconds
        figures += [spell_ratio(find_ratio(ours, side)), f"{wall:.2f}×"]
    return figures
