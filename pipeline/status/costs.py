"""What the patterns of a program cost, tried on lines that came to it when somebody asks.

Nothing is measured while lines are processed: a copy of the program, with metrics of its own, runs on the lines that
were kept, and what each pattern was searched in is searched again, on time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TypeAlias

from pipeline.batch import Batch
from pipeline.language import Position
from pipeline.runtime import Process, Program, Search, find_searches, replace_searches
from pipeline.telemetry import ProgramCounts

BUDGET_NS = 5_000_000
"""Processor time for one look. What is not tried by then is not known."""


@dataclass(frozen=True, slots=True)
class PatternCost:
    """What one pattern costs: `ns` for each line that comes to the program, and the shares of lines with a search and
    with one that finds something."""

    ns: float
    searched: float
    found: float


@dataclass(slots=True)
class Trial:
    """One search, and what it was called with."""

    search: Search
    subjects: list[bytes]

    def record(self, subject: bytes) -> object:
        """Search, and remember in what."""
        self.subjects.append(subject)
        return self.search(subject)


Trials: TypeAlias = dict[Position, list[Trial]]
"""By pattern its steps, of one variant of a program: most patterns have one."""


def try_patterns(program: Program, now: int) -> dict[Position, PatternCost]:
    """Return the costs of patterns by their places, of those that were searched; `now` is in ns since 1970."""
    lines = list(program.samples)
    if not lines:
        return {}
    deadline = time.thread_time_ns() + BUDGET_NS
    compiled = program.compiled
    # Those of `compiled` are the ones that live.
    metrics = {metric: metric.make_empty() for metric in program.metrics}
    copy = Program(
        compiled,
        [metrics[metric] for metric in program.metrics],
        ProgramCounts(program.name),
        logs_failures=False,
    )
    variants: tuple[Trials, Trials] = ({}, {})
    copy.bound = replace(
        copy.bound,
        process_ascii=record_searches(copy.bound.process_ascii, variants[0]),
        process_utf8=record_searches(copy.bound.process_utf8, variants[1]),
    )
    copy.run(Batch.of(lines, program.origin), now)
    costs = {}
    for place in dict.fromkeys(place for trials in variants for place in trials):
        if time.thread_time_ns() > deadline:
            break
        tried = [trials[place] for trials in variants if any(step.subjects for step in trials.get(place, ()))]
        if tried:
            costs[place] = try_pattern(tried, len(lines))
    return costs


def record_searches(process: Process, trials: Trials) -> Process:
    """Return a copy of a generated function that notes in `trials` what each pattern is searched in."""
    places = find_searches(process)

    def replaced(name: str, search: Search) -> Search:
        trial = Trial(search, [])
        trials.setdefault(places[name], []).append(trial)
        return trial.record

    return replace_searches(process, replaced)


def try_pattern(variants: list[list[Trial]], lines: int) -> PatternCost:
    """Return what one pattern costs, given its steps in each variant; a step follows one that has not found it."""
    begin = time.thread_time_ns()
    found = sum(step.search(subject) is not None for steps in variants for step in steps for subject in step.subjects)
    taken = time.thread_time_ns() - begin
    searched = sum(max(len(step.subjects) for step in steps) for steps in variants)
    return PatternCost(taken / lines, searched / lines, found / lines)
