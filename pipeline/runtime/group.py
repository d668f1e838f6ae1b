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
from pipeline.runtime.program import BATCHES_PER_SAMPLE, Program
from pipeline.runtime.sieve import Sieve, SieveError, holds_guard

logger = logging.getLogger(__name__)

TRIAL_BYTES = 64 * 1024
"""Of lines run in each of the two ways, in one round of a trial: some 600 lines, in a few milliseconds."""

MAX_ROUNDS = 4
"""A trial ends earlier when the two ways differ clearly for every program."""

WARM_UP_BYTES = 256 * 1024
"""Of lines before the first trial, which are sieved: the first lines of a log make the most series."""

TRIAL_INTERVAL_BYTES = 64 * 1024 * 1024
"""Of lines between two trials. A round runs a thousandth of them without need."""

CLEARLY = 0.5
"""One way costs so much of the other, or less."""

MARGIN = 0.8
"""A program changes its place only for one that costs at most so much of its own."""


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

    @property
    def is_ready(self) -> bool:
        """Whether the program can be sieved already."""
        return holds_guard(self.program.compiled.guard, self.program.metrics)

    def is_clear(self) -> bool:
        """Tell whether the trial needs no further round for this program."""
        low, high = sorted((self.sieved_ns, self.full_ns))
        return low <= CLEARLY * high

    def decide(self) -> None:
        """Put the program where it costs less."""
        margin = MARGIN if self.is_decided else 1.0
        if self.is_sieved:
            self.is_sieved = self.full_ns >= self.sieved_ns * margin
        else:
            self.is_sieved = self.sieved_ns < self.full_ns * margin
        self.is_decided = True
        self.sieved_ns = self.full_ns = 0.0


class ProgramGroup:
    """Runs programs on batches, one after the other. `has_sieve` says whether a sieve may stand before them."""

    def __init__(self, programs: Sequence[Program], *, has_sieve: bool = True) -> None:
        self.full_sieve: Sieve | None = None
        if has_sieve:
            self.full_sieve, has_sieve = make_sieve(programs)
        self.guarded = [Guarded(program) for program in programs if program.probes and has_sieve]
        self.idle = [program for program in programs if program.probes == () and has_sieve]
        self.unguarded = [program for program in programs if program.probes is None or not has_sieve]
        self.waiting = [guarded for guarded in self.guarded if not guarded.is_ready]
        self.batches_to_sample = BATCHES_PER_SAMPLE
        self.sampled = False
        self.round = 0
        self.trial_bytes = [0, 0]
        self.bytes_to_trial = WARM_UP_BYTES
        self.place()

    def place(self) -> None:
        """Put the sieve before the programs for which it pays."""
        for guarded in self.guarded:
            guarded.program.counts.sieved = guarded.is_sieved and guarded not in self.waiting
        self.sieved = [guarded.program for guarded in self.guarded if guarded.program.counts.sieved]
        self.unsieved = [*self.unguarded, *(g.program for g in self.guarded if not g.program.counts.sieved)]
        if len(self.sieved) == len(self.guarded):
            self.sieve = self.full_sieve
            return
        self.sieve, can_be = make_sieve(self.sieved)
        if not can_be:
            self.unsieved += self.sieved
            self.sieved = []

    def run(self, batch: Batch, now: int) -> None:
        """Run all programs on `batch`, measured now and then; `now` is the wall clock in ns since 1970."""
        self.batches_to_sample -= 1
        self.sampled = self.batches_to_sample == 0
        if self.sampled:
            self.batches_to_sample = BATCHES_PER_SAMPLE
        for program in self.idle:
            program.run_sieved((), (), batch, now)
        if not self.waiting:
            self.run_ready(batch, now)
            return
        # The first line that a program gets mostly ends its wait.
        first, rest = batch.cut(1)
        self.run_placed(first, now)
        self.end_waiting()
        if rest is not None:
            self.run_ready(rest, now)

    def end_waiting(self) -> None:
        """Let the sieve stand before the programs that can be sieved by now."""
        waiting = [guarded for guarded in self.waiting if not guarded.is_ready]
        if len(waiting) < len(self.waiting):
            self.waiting = waiting
            self.place()

    def run_ready(self, batch: Batch, now: int) -> None:
        """Run the programs in a trial, if one is due, or where they were put."""
        if self.guarded and self.bytes_to_trial <= 0:
            self.run_trial(batch, now)
        else:
            self.bytes_to_trial -= len(batch.block)
            self.run_placed(batch, now)

    def run_placed(self, batch: Batch, now: int) -> None:
        """Run the programs where they were put."""
        sampled = self.sampled
        for program in self.unsieved:
            program.run(batch, now, sampled=sampled)
        if self.sieve is not None:
            for program, (lines, hits) in zip(self.sieved, self.sieve.sift(batch.block), strict=True):
                program.run_sieved(lines, hits, batch, now, sampled=sampled)
            self.sieve.clear()

    # Trials

    def run_trial(self, batch: Batch, now: int) -> None:
        """Run the programs on `batch`, first in the two ways of a trial, as far as it is not over, then as placed.

        The ways take turns at being the first of a round: lines that come later find more in the caches.
        """
        rest: Batch | None = batch
        while rest is not None and self.round < MAX_ROUNDS:
            first, second = (0, 1) if self.round % 2 == 0 else (1, 0)
            way = first if self.trial_bytes[first] < TRIAL_BYTES else second
            piece, rest = rest.cut(TRIAL_BYTES - self.trial_bytes[way])
            (self.measure_sieved, self.measure_full)[way](piece, now)
            self.trial_bytes[way] += len(piece.block)
            if self.trial_bytes[second] >= TRIAL_BYTES:
                self.finish_round()
        if self.round == MAX_ROUNDS:
            self.finish_trial()
        if rest is not None:
            self.run_placed(rest, now)

    def finish_round(self) -> None:
        """Begin another round, or none if all is clear."""
        self.trial_bytes = [0, 0]
        self.round += 1
        if all(guarded.is_clear() for guarded in self.guarded):
            self.round = MAX_ROUNDS

    def measure_sieved(self, batch: Batch, now: int) -> None:
        """Run with the sieve before every guarded program; each bears its share of what the sieve took."""
        sampled = self.sampled
        for program in self.unguarded:
            program.run(batch, now, sampled=sampled)
        assert self.full_sieve is not None
        # What has not run for a while is slow the first time.
        self.full_sieve.sift(batch.block)
        begin = time.thread_time_ns()
        candidates = self.full_sieve.sift(batch.block)
        sifting = time.thread_time_ns() - begin
        counts = self.full_sieve.count_events()
        total = sum(counts)
        for guarded, count, (lines, hits) in zip(self.guarded, counts, candidates, strict=True):
            if guarded in self.waiting:
                guarded.program.run(batch, now, sampled=sampled)
                continue
            begin = time.thread_time_ns()
            guarded.program.run_sieved(lines, hits, batch, now, sampled=sampled)
            guarded.sieved_ns += time.thread_time_ns() - begin + (sifting * count / total if total else 0)
        self.full_sieve.clear()

    def measure_full(self, batch: Batch, now: int) -> None:
        """Run every program on every line. Where the sieve could spare the split into lines, that counts too."""
        sampled = self.sampled
        begin = time.thread_time_ns()
        splitting = time.thread_time_ns() - begin if batch.lines and not self.unguarded else 0
        for program in self.unguarded:
            program.run(batch, now, sampled=sampled)
        for guarded in self.guarded:
            begin = time.thread_time_ns()
            guarded.program.run(batch, now, sampled=sampled)
            guarded.full_ns += time.thread_time_ns() - begin + splitting

    def finish_trial(self) -> None:
        """Put each program where it took less time."""
        for guarded in self.guarded:
            guarded.decide()
        self.round = 0
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
