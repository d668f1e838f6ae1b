"""What a program costs on a log: its patterns, the rest of its text, and what is done around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType

from pipeline.language import CompiledProgram, PatternReport, Position
from pipeline.profiling.sampler import Sampler
from pipeline.runtime import LineFailure

LOOP = Position(0, 0)
"""Stands for what belongs to no place of the program's text: the loop over the lines."""


@dataclass(frozen=True, slots=True)
class PatternCost:
    """What one pattern costs. `searched` and `found` are shares of all lines; None for one that needs no engine."""

    pattern: PatternReport
    position: Position
    ns: float
    searched: float | None = None
    found: float | None = None


@dataclass(frozen=True, slots=True)
class SieveTrial:
    """What the sieve does with a log: the share of lines that it lets through, and what a line costs both ways."""

    passed: float
    sieved_ns: float
    full_ns: float

    @property
    def pays(self) -> bool:
        """Whether the program costs less behind the sieve."""
        return self.sieved_ns < self.full_ns


@dataclass(frozen=True, slots=True)
class Profile:
    """What a program costs. All `ns` are nanoseconds of processor time for one line, kept back or not.

    `patterns` are in order of their cost. `elsewhere` is what the lines of the program's text cost beside them, by
    their numbers; 0 is the loop. `around_ns` is spent outside of the program: in the sieve, or to split lines.
    """

    compiled: CompiledProgram
    lines: int
    samples: int
    ns: float
    around_ns: float
    patterns: tuple[PatternCost, ...]
    elsewhere: dict[int, float]
    trial: SieveTrial | None
    failed: float
    failure: LineFailure | None
    """The share of lines on which the program fails, and the last such failure."""
    is_admitted: bool = True
    """Whether the program's `log_filter` lets the log in."""

    @property
    def is_sieved(self) -> bool:
        """Whether the program was run behind the sieve, because that pays."""
        return self.trial is not None and self.trial.pays

    def share(self, ns: float) -> float:
        """Return which part of the whole a cost is."""
        return ns / self.ns if self.ns else 0.0


def attribute_costs(sampler: Sampler, lines: int) -> dict[Position, float]:
    """Return what was spent at each place of the program's text, for one of `lines`."""
    costs: Counter[Position] = Counter()
    for number, code in sampler.codes.items():
        places = list_places(code)
        for instruction, cost in sampler.inside[number].items():
            costs[places[instruction // 2]] += cost
    return {position: cost / lines for position, cost in costs.items()}


def list_places(code: CodeType) -> list[Position]:
    """Return the place of each instruction."""
    return [
        LOOP if line is None or (line, column) == (end_line, end_column) else Position(line, (column or 0) + 1)
        for line, end_line, column, end_column in code.co_positions()
    ]


def cost_patterns(
    compiled: CompiledProgram, costs: Mapping[Position, float], searches: Mapping[Position, tuple[float, float]]
) -> Iterator[PatternCost]:
    """Yield the cost of each pattern; `searches` are the shares of lines with a search, and with one that found."""
    for pattern in compiled.patterns:
        position = compiled.source.position(pattern.span.start)
        searched, found = searches.get(position, (None, None))
        yield PatternCost(pattern, position, costs.get(position, 0.0), searched, found)


def cost_lines(costs: Mapping[Position, float], patterns: Iterable[PatternCost]) -> dict[int, float]:
    """Return what each line of the program costs beside its patterns."""
    places = {pattern.position for pattern in patterns}
    lines: dict[int, float] = {}
    for position, cost in costs.items():
        if position not in places:
            lines[position.line] = lines.get(position.line, 0.0) + cost
    return lines
