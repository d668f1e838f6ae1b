"""The programs that see one origin, with the sieve in front of those that have a guard.

Whether the sieve pays for a program depends on the log: where nearly every line holds one of its
texts, to find the lines costs more than to try them all. So it is measured, again and again: in a
trial the sieve stands before every guarded program for some lines, then before none for as many,
and each program is put where it took less time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.batch import Batch
from pipeline.runtime.program import Program
from pipeline.runtime.sieve import Sieve, SieveError

logger = logging.getLogger(__name__)

TRIAL_BYTES = 64 * 1024
"""Of lines run in each of the two ways: some 600 lines, in a few milliseconds."""

TRIAL_INTERVAL_BYTES = 64 * 1024 * 1024
"""Of lines between two trials. The lines that a trial runs without need are then under a thousandth of all."""

CLEARLY = 0.8
"""A program changes its place only for one that costs at most so much of its own: both are measured on few lines."""


@dataclass(slots=True)
class Guarded:
    """A program that has a guard, what its lines took in the trial that is on, and where it was put.

    Nanoseconds of processor time are for all lines, those that the sieve kept back included.
    """

    program: Program
    is_sieved: bool = True
    is_decided: bool = False
    sieved_ns: float = 0.0
    full_ns: float = 0.0

    def decide(self, sieved_bytes: int, full_bytes: int) -> None:
        """Put the program where it costs less for each byte."""
        sieved, full = self.sieved_ns / sieved_bytes, self.full_ns / full_bytes
        margin = CLEARLY if self.is_decided else 1.0
        self.is_sieved = full >= sieved * margin if self.is_sieved else sieved < full * margin
        self.is_decided = True
        self.sieved_ns = self.full_ns = 0.0


class ProgramGroup:
    """Runs programs on batches, one after the other. `has_sieve` says whether a sieve may stand before them."""

    def __init__(self, programs: Sequence[Program], *, has_sieve: bool = True) -> None:
        self.programs = tuple(programs)
        self.guarded: list[Guarded] = []
        self.full_sieve: Sieve | None = None
        if has_sieve:
            self.full_sieve, has_sieve = make_sieve(programs)
        if has_sieve:
            self.guarded = [Guarded(program) for program in programs if program.probes]
        self.idle = tuple(program for program in programs if program.probes == () and has_sieve)
        self.unguarded = tuple(program for program in programs if program.probes is None or not has_sieve)
        self.trial_bytes = [0, 0]
        self.bytes_to_trial = 0
        self.place()

    def place(self) -> None:
        """Put the sieve before the programs for which it pays."""
        self.sieved = [guarded.program for guarded in self.guarded if guarded.is_sieved]
        self.unsieved = [*self.unguarded, *(guarded.program for guarded in self.guarded if not guarded.is_sieved)]
        if len(self.sieved) == len(self.guarded):
            self.sieve = self.full_sieve
        else:
            self.sieve, _ = make_sieve(self.sieved)
        for guarded in self.guarded:
            guarded.program.counts.sieved = guarded.is_sieved

    def run(self, batch: Batch, now: int) -> None:
        """Run all programs on `batch`; `now` is the wall clock in nanoseconds since 1970."""
        for program in self.idle:
            program.run_sieved((), (), batch, now)
        if self.guarded:
            if self.bytes_to_trial > 0:
                self.bytes_to_trial -= len(batch.block)
            else:
                self.run_trial(batch, now)
                return
        self.run_placed(batch, now)

    def run_placed(self, batch: Batch, now: int) -> None:
        """Run the programs where they were put."""
        for program in self.unsieved:
            program.run(batch, now)
        if self.sieve is not None:
            for program, (lines, hits) in zip(self.sieved, self.sieve.sift(batch.block), strict=True):
                program.run_sieved(lines, hits, batch, now)
            self.sieve.clear()

    # Trials

    def run_trial(self, batch: Batch, now: int) -> None:
        """Run the programs on `batch`, first in the two ways of a trial, as far as it is not over, then as placed."""
        for way, measure in enumerate((self.measure_sieved, self.measure_full)):
            missing = TRIAL_BYTES - self.trial_bytes[way]
            if missing <= 0:
                continue
            piece, rest = batch.cut(missing)
            measure(piece, now)
            self.trial_bytes[way] += len(piece.block)
            if rest is None:
                return
            batch = rest
        self.finish_trial()
        self.run_placed(batch, now)

    def measure_sieved(self, batch: Batch, now: int) -> None:
        """Run with the sieve before every guarded program; each bears its share of what the sieve took."""
        for program in self.unguarded:
            program.run(batch, now)
        assert self.full_sieve is not None
        begin = time.thread_time_ns()
        candidates = self.full_sieve.sift(batch.block)
        sifting = time.thread_time_ns() - begin
        counts = self.full_sieve.count_events()
        total = sum(counts)
        for guarded, count, (lines, hits) in zip(self.guarded, counts, candidates, strict=True):
            begin = time.thread_time_ns()
            guarded.program.run_sieved(lines, hits, batch, now)
            guarded.sieved_ns += time.thread_time_ns() - begin + (sifting * count / total if total else 0)
        self.full_sieve.clear()

    def measure_full(self, batch: Batch, now: int) -> None:
        """Run every program on every line. Where the sieve could spare the split into lines, that counts too."""
        begin = time.thread_time_ns()
        splitting = time.thread_time_ns() - begin if batch.lines and not self.unguarded else 0
        for program in self.unguarded:
            program.run(batch, now)
        for guarded in self.guarded:
            begin = time.thread_time_ns()
            guarded.program.run(batch, now)
            guarded.full_ns += time.thread_time_ns() - begin + splitting

    def finish_trial(self) -> None:
        """Put each program where it took less time."""
        for guarded in self.guarded:
            guarded.decide(*self.trial_bytes)
        self.trial_bytes = [0, 0]
        self.bytes_to_trial = TRIAL_INTERVAL_BYTES
        if [guarded.program for guarded in self.guarded if guarded.is_sieved] != self.sieved:
            self.place()


def make_sieve(programs: Sequence[Program]) -> tuple[Sieve | None, bool]:
    """Return the sieve for the programs that have a guard, None if none has one, and whether there can be a sieve."""
    guards = [program.probes for program in programs if program.probes]
    try:
        return Sieve(guards) if guards else None, True
    except SieveError as error:
        logger.warning("Every program gets every line, because lines cannot be sieved: %s.", error)
        return None, False
