"""The sieve on trial: every line is run with and without it, and the metrics must agree (`--sieve=check`).

For each program that has a guard there is a shadow: the same code on metrics of its own, to which
only those lines go that the sieve lets through. After each line the two are compared, and whether they
failed on it. It is as slow as it sounds, and meant for tests and for whoever doubts the sieve.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from pipeline.batch import Batch
from pipeline.errors import SettingError, TimeError
from pipeline.language import BoundProgram, Probe
from pipeline.metrics import Datum, HistogramDatum, Metric
from pipeline.runtime.program import Program, show_bytes
from pipeline.runtime.sieve import Sieve, SieveError, holds_guard

logger = logging.getLogger(__name__)


class Shadow:
    """One program behind the sieve, on copies of its metrics."""

    def __init__(self, program: Program, probes: Sequence[Probe]) -> None:
        self.program = program
        self.sieve = Sieve([probes]) if probes else None
        self.metrics: list[Metric] = []
        self.failures = 0
        self.bound: BoundProgram = program.bound

    def follow(self) -> None:
        """Copy the program's metrics, unless they agree: series may have expired, or values been taken over."""
        if not self.metrics or not self.agrees():
            self.metrics = deepcopy(list(self.program.metrics))
            self.bound = self.program.compiled.bind(self.metrics, self.count_failure)

    def run(self, line: Batch, now: int) -> int:
        """Run on a batch of one line, if the sieve lets it through; return 1 unless the line is matched."""
        bound = self.bound
        if not holds_guard(self.program.compiled.guard, self.metrics):
            process = bound.process_ascii if line.is_ascii else bound.process_utf8
            return process(line.lines, line.origin, now)
        if self.sieve is None:
            return 1
        ((lines, hits),) = self.sieve.sift(line.block)
        process_sieved = bound.process_sieved_ascii if line.is_ascii else bound.process_sieved_utf8
        return process_sieved(lines, hits, line.origin, now) if lines else 1

    def count_failure(self, _error: Exception, _line: bytes) -> None:
        """Count a failure. The program itself has reported its own."""
        self.failures += 1

    def fails_alike(self, failures: int) -> bool:
        """Tell whether the shadow failed on the line at hand if the program did; a `strptime` may fail unseen."""
        noted = self.program.last_noted
        missed, self.failures = failures - self.failures, 0
        return missed == 0 or (missed == 1 and noted is not None and isinstance(noted[0].error, TimeError))

    def agrees(self) -> bool:
        """Tell whether the metrics are those of the program."""
        pairs = zip(self.program.metrics, self.metrics, strict=True)
        return all(are_equal(list_contents(ours), list_contents(theirs)) for ours, theirs in pairs)


def are_equal(ours: object, theirs: object) -> bool:
    """Compare what metrics hold; what is not a number is equal to itself here."""
    return ours == theirs or repr(ours) == repr(theirs)


def list_contents(metric: Metric) -> tuple[object, ...]:
    """Return all that a metric holds."""
    return [*map(describe, metric.data.values())], metric.exemplars


def describe(series: Datum | HistogramDatum) -> tuple[object, ...]:
    """Return all that a series holds."""
    return series.labels, series.value, series.time, series.expiry


class CheckedGroup:
    """Runs programs on every line, in the place of a `ProgramGroup`, and compares each with its shadow."""

    def __init__(self, programs: Sequence[Program]) -> None:
        """Raise `SettingError` where there is no Hyperscan."""
        self.programs = tuple(programs)
        try:
            self.shadows = [Shadow(program, program.probes) for program in programs if program.probes is not None]
        except SieveError as error:
            raise SettingError(f"--sieve=check cannot be: {error}.") from error

    def run(self, batch: Batch, now: int) -> None:
        """Run all programs on `batch`; `now` is the wall clock in nanoseconds since 1970."""
        for shadow in self.shadows:
            shadow.follow()
        for line in batch.lines:
            self.run_line(Batch.of([line], batch.origin), now)

    def run_line(self, line: Batch, now: int) -> None:
        """Run all programs on a batch of one line."""
        before = {program: replace(program.counts) for program in self.programs}
        for program in self.programs:
            program.run(line, now)
        for shadow in self.shadows:
            counts, past = shadow.program.counts, before[shadow.program]
            matches_alike = shadow.run(line, now) == counts.lines_unmatched - past.lines_unmatched
            fails_alike = shadow.fails_alike(counts.runtime_errors - past.runtime_errors)
            if not (matches_alike and fails_alike and shadow.agrees()):
                shadow.program.counts.sieve_faults += 1
                logger.error(
                    "The sieve is wrong about program %s: without it, something else comes of the line %r.",
                    shadow.program.name,
                    show_bytes(line.lines[0]),
                )
                shadow.follow()
