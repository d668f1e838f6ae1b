"""A batch to every program that may see it.

The sieve will stand here: given the whole batch, it will say for each program which lines could matter, and
`dispatch` will pass on those instead of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pipeline.batch import Batch
from pipeline.runtime.program import Program
from pipeline.telemetry import Telemetry


class Dispatcher:
    """Runs the programs on batches, one after the other, in the task that calls."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self.programs: tuple[Program, ...] = ()
        self.admitted: dict[bytes, tuple[Program, ...]] = {}

    def use(self, programs: Sequence[Program]) -> None:
        """From now on run these programs, in this order."""
        self.programs = tuple(programs)
        self.admitted = {}

    def dispatch(self, batch: Batch, now: int) -> None:
        """Run all programs on `batch`; `now` is the wall clock in nanoseconds since 1970."""
        lines, origin = batch.lines, batch.origin
        self.telemetry.count_lines(origin, len(lines))
        programs = self.admitted.get(origin)
        if programs is None:
            programs = self.admitted[origin] = tuple(p for p in self.programs if p.admits(origin))
        if batch.is_ascii:
            for program in programs:
                program.process_ascii(lines, origin, now)
            return
        runs = split_runs(lines)
        for program in programs:
            for is_ascii, run in runs:
                if is_ascii:
                    program.process_ascii(run, origin, now)
                else:
                    program.process_utf8(run, origin, now)


def split_runs(lines: list[bytes]) -> list[tuple[bool, list[bytes]]]:
    """Return the lines in order, in runs of such that are ASCII and such that are not."""
    return [(is_ascii, list(run)) for is_ascii, run in groupby(lines, bytes.isascii)]
