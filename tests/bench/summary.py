"""The least ratio and the geometric mean, by group and over all, beside the targets."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.contenders import MTAIL
from tests.bench.plan import Bench, Comparison, spell_ratio

LINE_GROUPS = ("dense", "sparse", "mixed", "pipe", "datagrams")
"""Whose ratios are of CPU time per line, of the same programs."""

ABOUT = (
    "the ratios of CPU time, another's by ours. A pair of which too little can be told from the "
    "noise of the start is in no mean; `untold` counts these."
)
TARGETS_ABOUT = "what is aimed at, against Debian's mtail. A miss is shown, and changes nothing else."
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """The ratios of several pairs, summed up."""

    least: float
    mean: float
    pairs: int
    untold: int


@dataclass(frozen=True, slots=True)
class Target:
    """One aim: what was measured (None: not in this run), and its bound, from below or from above."""

    what: str
    measured: float | None
    bound: float
    unit: str
    is_lower_bound: bool = True

    @property
    def is_met(self) -> bool:
        assert self.measured is not None
        return self.measured >= self.bound if self.is_lower_bound else self.measured < self.bound

    def spell(self) -> tuple[str, str, str, str]:
        sign = "≥" if self.is_lower_bound else "<"
        aim = f"{sign} {self.bound:g}{self.unit}"
        if self.measured is None:
            return self.what, aim, "-", "not measured"
        return self.what, aim, f"{self.measured:.2f}{self.unit}", "met" if self.is_met else "missed"


def sum_up(comparisons: Iterable[Comparison]) -> Spread | None:
    """Return the spread of the ratios that were told; None when there are none."""
    everything = list(comparisons)
    told = [each.ratio for each in everything if each.ratio is not None]
    if not told:
        return None
    return Spread(min(told), statistics.geometric_mean(told), len(told), len(everything) - len(told))


def select(bench: Bench, contender: str, groups: Sequence[str]) -> list[Comparison]:
    return [each for each in bench.comparisons if each.contender == contender and each.group in groups]


def show_summary(bench: Bench) -> None:
    headings = ("group", "pairs", "untold", "least", "geometric mean")
    table = bench.report.open_table("Summary", ABOUT, headings)
    groups = list(dict.fromkeys(each.group for each in bench.comparisons))
    for other in bench.others:
        for name, members in [*((group, [group]) for group in groups), ("all lines", LINE_GROUPS)]:
            if (spread := sum_up(select(bench, other.name, members))) is not None:
                label = name if other.name == MTAIL else f"{name}, {other.name}"
                figures = (str(spread.pairs), str(spread.untold), spell_ratio(spread.least), spell_ratio(spread.mean))
                bench.report.add_row(table, label, *figures)
    show_targets(bench)


def show_targets(bench: Bench) -> None:
    table = bench.report.open_table("Targets", TARGETS_ABOUT, ("target", "aim", "measured", "so"), least_width=12)
    for target in list_targets(bench):
        bench.report.add_row(table, *target.spell())


def list_targets(bench: Bench) -> list[Target]:
    lines = sum_up(select(bench, MTAIL, LINE_GROUPS))
    sparse = sum_up(select(bench, MTAIL, ["sparse"]))
    memory = bench.facts.get("memory")
    return [
        Target("each pair of lines", lines.least if lines else None, 3, "×"),
        Target("mean of these pairs", lines.mean if lines else None, 8, "×"),
        Target("each sparse pair", sparse.least if sparse else None, 20, "×"),
        Target("mixed, 20 programs", find_ratio(bench, "mixed", "20 programs"), 12, "×"),
        Target("scrape, 100,000 series", find_ratio(bench, "scrape", "100,000 series, plain"), 3, "×"),
        Target("the same, with gzip", find_ratio(bench, "scrape", "100,000 series, gzip"), 3, "×"),
        Target("the same, all changed", find_ratio(bench, "scrape", "100,000 series, all changed"), 3, "×"),
        Target("longest wait, scraped", bench.facts.get("wait"), 50, " ms", is_lower_bound=False),
        Target("resident memory", memory / MEGABYTE if memory else None, 80, " MB", is_lower_bound=False),
        Target("check beyond Python's", bench.facts.get("check"), 0.3, " s", is_lower_bound=False),
    ]


def find_ratio(bench: Bench, group: str, name: str) -> float | None:
    return next((each.ratio for each in select(bench, MTAIL, [group]) if each.name == name), None)
