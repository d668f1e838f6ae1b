"""What a run of the benchmark is made of: how much of everything, who takes part, where results go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.contenders import MTAIL, Contender
from tests.bench.report import Report


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. The fields that end in `lines` are the lines of a log or stream.

    `examples` are the programs of the mtail package that the dense and the sparse group run; empty: all.
    """

    runs: int = 3
    start_runs: int = 5
    dense_lines: int = 300_000
    sparse_lines: int = 2_000_000
    mixed_lines: int = 400_000
    record_lines: int = 300_000
    pipe_lines: int = 200_000
    datagram_lines: int = 100_000
    memory_lines: int = 500_000
    calls: int = 100_000
    series: tuple[int, ...] = (1_000, 10_000, 100_000)
    paced_seconds: float = 10.0
    examples: frozenset[str] = frozenset()


QUICK = Plan(
    runs=1,
    dense_lines=200_000,
    sparse_lines=1_000_000,
    mixed_lines=100_000,
    record_lines=100_000,
    pipe_lines=30_000,
    datagram_lines=20_000,
    memory_lines=100_000,
    calls=20_000,
    paced_seconds=4.0,
    examples=frozenset({"apache_combined", "dhcpd", "linecount", "postfix", "rsyncd"}),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many times our CPU time another one needs for the same. No ratio: too little to be told from noise."""

    group: str
    name: str
    contender: str
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Bench:
    """One run: the groups read what they need, and leave their comparisons and facts here.

    `facts` are single figures for the summary: `memory` in bytes, `check` in seconds, `wait` in milliseconds.
    """

    plan: Plan
    contenders: tuple[Contender, ...]
    folder: Path
    report: Report
    only: frozenset[str] = frozenset()
    comparisons: list[Comparison] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only

    def pick_examples(self, names: Iterable[str]) -> list[str]:
        """Return which of the package's examples to run: those asked for, or those of the plan."""
        chosen = self.only or self.plan.examples
        return [name for name in names if not chosen or name in chosen]

    @property
    def others(self) -> tuple[Contender, ...]:
        return self.contenders[1:]

    def compare(self, group: str, name: str, ratios: dict[str, float | None]) -> None:
        """Keep the ratios of one pair, by contender."""
        self.comparisons.extend(Comparison(group, name, contender, ratio) for contender, ratio in ratios.items())


def head_ratio(contender: str, figure: str = "ratio") -> str:
    """Return the heading of a column of ratios; those to Debian's mtail need no name."""
    return figure if contender == MTAIL else f"{contender} {figure}"


def spell_ratio(ratio: float | None) -> str:
    return f"{ratio:.2f}×" if ratio is not None else "noise"
