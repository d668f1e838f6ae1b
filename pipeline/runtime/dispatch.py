"""A batch to every program that may see it, through the sieve."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from pipeline.batch import Batch
from pipeline.decoders import SharedRecords
from pipeline.runtime.group import ProgramGroup
from pipeline.runtime.program import Program
from pipeline.runtime.sieve_check import CheckedGroup
from pipeline.settings import SieveMode
from pipeline.telemetry import Telemetry

MIN_MEASURED_BYTES = 4096
"""A smaller batch keeps nobody waiting. To measure it takes 0.3 µs, where a datagram of one line takes 2."""


def admit_all(_program: str, _origin: bytes) -> bool:
    """Let every program see every origin."""
    return True


def share_records(programs: Sequence[Program]) -> SharedRecords:
    """Let programs that decode lines in the same way do so together, and return what they share."""
    counts = Counter(key for program in programs for key in program.compiled.decodes)
    records = SharedRecords(frozenset(key for key, count in counts.items() if count > 1))
    for program in programs:
        program.share(records)
    return records


class Dispatcher:
    """Runs the programs on batches, one after the other, in the task that calls.

    `admit` says which program, by its file name, may see which origin, besides the program's own `log_filter`. It is
    asked once for each origin, until the programs change or the origin is forgotten.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        sieve: SieveMode = SieveMode.AUTO,
        admit: Callable[[str, bytes], bool] = admit_all,
    ) -> None:
        self.telemetry = telemetry
        self.sieve = sieve
        self.admit = admit
        self.programs: tuple[Program, ...] = ()
        self.records = SharedRecords(frozenset())
        self.by_origin: dict[bytes, ProgramGroup | CheckedGroup] = {}
        self.by_programs: dict[tuple[Program, ...], ProgramGroup | CheckedGroup] = {}

    def use(self, programs: Sequence[Program]) -> None:
        """From now on run these programs, in this order; `SettingError` where the sieve shall be checked and cannot."""
        self.programs = tuple(programs)
        self.records = share_records(self.programs)
        self.by_origin = {}
        self.by_programs = {self.programs: self.make_group(self.programs)}

    def forget(self, origin: bytes) -> None:
        """Forget who sees an origin, from which nothing more comes: names with dates would pile up."""
        self.by_origin.pop(origin, None)

    def dispatch(self, batch: Batch, now: int) -> None:
        """Count `batch` and run all programs on it; `now` is the wall clock in nanoseconds since 1970."""
        self.telemetry.count_batch(batch.origin, batch.line_count)
        self.run(batch, now)

    def run(self, batch: Batch, now: int) -> None:
        """Run all programs on `batch`, some lines of a batch that was counted."""
        group = self.by_origin.get(batch.origin)
        if group is None:
            group = self.by_origin[batch.origin] = self.find_group(batch.origin)
        if len(batch.block) < MIN_MEASURED_BYTES:
            group.run(batch, now)
            self.records.forget()
            return
        begin = time.perf_counter_ns()
        group.run(batch, now)
        self.records.forget()
        self.telemetry.batches.observe(time.perf_counter_ns() - begin)

    def find_group(self, origin: bytes) -> ProgramGroup | CheckedGroup:
        """Return the programs that see `origin`. Origins that the same programs see share what is known of them."""
        programs = tuple(
            program for program in self.programs if program.admits(origin) and self.admit(program.name, origin)
        )
        if programs not in self.by_programs:
            self.by_programs[programs] = self.make_group(programs)
        return self.by_programs[programs]

    def make_group(self, programs: tuple[Program, ...]) -> ProgramGroup | CheckedGroup:
        if self.sieve is SieveMode.CHECK:
            return CheckedGroup(programs)
        return ProgramGroup(programs, has_sieve=self.sieve is SieveMode.AUTO)
