"""What the patterns of a program cost, tried on lines that came to it when somebody asks.

Nothing is measured while lines are processed: a copy of the program, with metrics of its own, runs on the lines that
were kept, and what each pattern was searched in is searched again, on time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from pipeline.batch import Batch
from pipeline.language import Position
from pipeline.runtime import Program, SearchRecord, join_records, record_searches, share_searches
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
    ascii_process, ascii_records = record_searches(copy.bound.process_ascii, keep_subjects=True)
    utf8_process, utf8_records = record_searches(copy.bound.process_utf8, keep_subjects=True)
    copy.bound = replace(copy.bound, process_ascii=ascii_process, process_utf8=utf8_process)
    copy.run(Batch.of(lines, program.origin), now)
    costs = {}
    for place, variants in join_records((ascii_records, utf8_records)).items():
        if time.thread_time_ns() > deadline:
            break
        searched, found = share_searches(variants, len(lines))
        if searched:
            costs[place] = PatternCost(time_searches(variants) / len(lines), searched, found)
    return costs


def time_searches(variants: list[list[SearchRecord]]) -> int:
    """Return how many ns it takes to search once more in what one pattern was searched in."""
    begin = time.thread_time_ns()
    for steps in variants:
        for step in steps:
            for subject in step.subjects:
                step.search(subject)
    return time.thread_time_ns() - begin
