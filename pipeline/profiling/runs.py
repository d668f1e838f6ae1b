"""A program run over the lines of a log, in the ways that tell what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from pipeline.batch import Batch
from pipeline.language import BoundProgram, CompiledProgram
from pipeline.metrics import Store
from pipeline.profiling.costs import Profile, SieveTrial, attribute_costs, cost_lines, cost_patterns
from pipeline.profiling.log import LogSample
from pipeline.profiling.sampler import Sampler
from pipeline.runtime import Program, ProgramGroup, Records, join_records, record_searches, share_searches
from pipeline.telemetry import ProgramCounts

BUDGET_NS = 2_000_000_000
"""Processor time for one program. That is 1,500 samples, of which a share of 50 % is told to 3 points, one of 1 % to
half a point."""

TRIAL_SHARE, COUNT_SHARE = 0.15, 0.1
"""Of the budget go into the trial of the sieve, and into counting searches. The rest is sampled."""

ROUND_NS = 50_000_000
"""Processor time between two reports of how far it is."""


class Profiler:
    """Profiles one program, which must have an effect, with the lines of a log, which must have some."""

    def __init__(self, compiled: CompiledProgram, log: LogSample, budget_ns: int = BUDGET_NS) -> None:
        self.compiled = compiled
        self.log = log
        self.budget_ns = budget_ns
        self.counts = ProgramCounts(compiled.source.name)
        self.program = Program(compiled, Store().register(compiled.metrics), self.counts, logs_failures=False)
        self.records: list[Records] = []
        self.counted_lines = 0
        self.trial: SieveTrial | None = None
        self.sampler = Sampler(process.__code__ for process in list_functions(self.program.bound).values())
        self.sampled_lines = self.failures = self.sampled_ns = 0

    def run(self) -> Iterator[int]:
        """Do it; yield now and then how much of the budget was used."""
        self.program.begin(time.time_ns())
        group = ProgramGroup([self.program], has_sieve=False)
        self.time_run(group, next(self.log.repeat()))  # creates series, and fills memories
        sieved = ProgramGroup([self.program])
        if sieved.sieve is not None:
            yield self.try_sieve(sieved, group)
            if self.trial is not None and self.trial.pays:
                group = sieved
        yield self.count(group)
        yield from self.sample(group)

    def time_run(self, group: ProgramGroup, batch: Batch) -> int:
        """Run the program on a batch, and return what that took."""
        begin = time.thread_time_ns()
        group.run_placed(batch, time.time_ns())
        return time.thread_time_ns() - begin

    def try_sieve(self, sieved: ProgramGroup, full: ProgramGroup) -> int:
        """Run the program behind the sieve and without it, on the same lines."""
        sieved_ns = full_ns = lines = 0
        skipped = self.counts.lines_skipped
        for batch in self.log.repeat():
            sieved_ns += self.time_run(sieved, batch)
            full_ns += self.time_run(full, Batch(batch.block, batch.origin))
            lines += batch.line_count
            if sieved_ns + full_ns >= self.budget_ns * TRIAL_SHARE:
                break
        passed = 1 - (self.counts.lines_skipped - skipped) / lines
        self.trial = SieveTrial(passed, sieved_ns / lines, full_ns / lines)
        return sieved_ns + full_ns

    def count(self, group: ProgramGroup) -> int:
        """Run the program with searches that count themselves."""
        bound = self.program.bound
        counting = {name: record_searches(process) for name, process in list_functions(bound).items()}
        self.records = [records for _, records in counting.values()]
        self.program.bound = replace(bound, **{name: process for name, (process, _) in counting.items()})
        used = 0
        for batch in self.log.repeat():
            used += self.time_run(group, batch)
            self.counted_lines += batch.line_count
            if used >= self.budget_ns * COUNT_SHARE:
                break
        self.program.bound = bound
        return used

    def sample(self, group: ProgramGroup) -> Iterator[int]:
        """Run the program, sampled; yield after each round what it took."""
        batches = self.log.repeat()
        lines, failures = self.counts.lines, self.counts.runtime_errors
        budget = self.budget_ns * (1 - TRIAL_SHARE - COUNT_SHARE)
        while self.sampled_ns < budget:
            begin = time.thread_time_ns()
            with self.sampler:
                while time.thread_time_ns() - begin < min(ROUND_NS, budget):
                    group.run_placed(next(batches), time.time_ns())
            used = time.thread_time_ns() - begin
            self.sampled_ns += used
            yield used
        self.sampled_lines = self.counts.lines - lines
        self.failures = self.counts.runtime_errors - failures

    @property
    def profile(self) -> Profile:
        """What came of it, after `run`."""
        lines = self.sampled_lines
        costs = attribute_costs(self.sampler, lines)
        joined = join_records(self.records)
        searches = {place: share_searches(steps, self.counted_lines) for place, steps in joined.items()}
        patterns = sorted(cost_patterns(self.compiled, costs, searches), key=lambda cost: -cost.ns)
        return Profile(
            compiled=self.compiled,
            lines=lines,
            samples=self.sampler.samples,
            ns=self.sampled_ns / lines,
            around_ns=self.sampler.outside_ns / lines,
            patterns=tuple(patterns),
            elsewhere=cost_lines(costs, patterns),
            trial=self.trial,
            failed=self.failures / lines,
            failure=self.program.last_failure,
            is_admitted=self.program.admits(self.log.origin),
        )


def list_functions(bound: BoundProgram) -> dict[str, Callable[..., int]]:
    """Return the functions that process lines, by the names of their fields."""
    return {field.name: getattr(bound, field.name) for field in fields(bound) if field.name.startswith("process")}
