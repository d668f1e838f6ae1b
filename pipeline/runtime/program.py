"""One loaded program: its function, its counts, its failures.

A failure on a line (spec section 14) is counted and remembered. The first one is logged, then at
most one in `REPORT_INTERVAL`, with the number of those between: whoever writes log lines could
otherwise fill the log of the daemon.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import cast

from pipeline.batch import Batch
from pipeline.decoders import SharedRecords
from pipeline.language import BoundProgram, CompiledProgram, NotedFailure, Position, Probe, note_failure
from pipeline.metrics import Metric
from pipeline.rate_limit import RateLimit
from pipeline.telemetry import ProgramCounts

logger = logging.getLogger(__name__)

REPORT_INTERVAL = 60 * 10**9
"""Nanoseconds between two reports on one program's failures."""

LINES_PER_SAMPLE = 4
MAX_SAMPLES = 32
MAX_SAMPLE_BYTES = 1024
"""Of the lines of a measured batch so many are kept, the newest instead of the oldest, and none that is longer."""

BATCHES_PER_SAMPLE = 509
"""One batch of so many is measured; a prime, so that no source that takes turns with others is always passed over.
It costs 0.4 to 1.6 % where each batch is one line (measured with 1 and 11 programs)."""

MAX_SHOWN_BYTES = 200
"""What a report shows of a line: enough to know it again, and no flood."""


@dataclass(frozen=True, slots=True)
class LineFailure:
    """The last failure of a program: what failed, where in its text, on which line of which origin, when."""

    message: str
    position: Position
    origin: bytes
    line: bytes
    time: int


class Program:
    """A compiled program, bound to metrics. It does not put them into the store: see `ProgramLoader`."""

    def __init__(
        self,
        compiled: CompiledProgram,
        metrics: Sequence[Metric],
        counts: ProgramCounts,
        *,
        logs_failures: bool = True,
    ) -> None:
        self.name = compiled.source.name
        self.compiled = compiled
        self.counts = counts
        self.logs_failures = logs_failures
        self.last_noted: tuple[NotedFailure, bytes, bytes, int] | None = None
        self.limit = RateLimit(REPORT_INTERVAL)
        self.origin = b""
        self.now = 0
        self.samples: deque[bytes] = deque(maxlen=MAX_SAMPLES)
        """Some of the lines that came to it last."""
        self.records = SharedRecords(frozenset())
        self.loaded = 0
        """When it was, by the wall clock; 0 before `begin`."""
        self.bind(metrics)

    def bind(self, metrics: Sequence[Metric]) -> None:
        """From now on work on `metrics`, one for each declaration. To be called when series were moved to them."""
        self.metrics = tuple(metrics)
        self.bound: BoundProgram = self.compiled.bind(metrics, self.record_failure, self.records)

    def share(self, records: SharedRecords) -> None:
        """From now on decode lines together with other programs."""
        if self.compiled.decodes & (records.keys | self.records.keys):
            self.records = records
            self.bind(self.metrics)

    def admits(self, origin: bytes) -> bool:
        """Return whether the program's `log_filter` lets lines from `origin` in."""
        names = self.compiled.log_filter
        return names is None or origin in names

    def begin(self, now: int) -> None:
        """Run the `begin` blocks; there, the program's own file name is the origin (spec 8.5)."""
        self.origin = self.name.encode("utf-8", "surrogateescape")
        self.now = self.loaded = now
        self.bound.begin(self.origin, now)

    @property
    def probes(self) -> tuple[Probe, ...] | None:
        """What the sieve looks for in lines, in the order of a mask's bits; None if any line may matter."""
        return self.compiled.probes

    def run(self, batch: Batch, now: int, *, sampled: bool = False) -> None:
        """Run on all lines; `now` is the wall clock in nanoseconds since 1970. A `sampled` batch is measured."""
        counts = self.counts
        counts.lines += batch.line_count
        self.origin = batch.origin
        self.now = now
        call = self.measure if sampled else self.call
        if batch.is_ascii:
            counts.lines_in_vain += call(self.bound.process_ascii, batch.lines)
            return
        for is_ascii, lines in batch.runs:
            counts.lines_in_vain += call(self.bound.process_ascii if is_ascii else self.bound.process_utf8, lines)

    def run_sieved(
        self, lines: Sequence[bytes], hits: Sequence[int], batch: Batch, now: int, *, sampled: bool = False
    ) -> None:
        """Run on those lines of a batch that the sieve has let through, each with its mask."""
        counts = self.counts
        counts.lines += batch.line_count
        counts.lines_skipped += batch.line_count - len(lines)
        if not lines:
            return
        self.origin = batch.origin
        self.now = now
        call = self.measure if sampled else self.call
        if batch.is_ascii:
            counts.lines_in_vain += call(self.bound.process_sieved_ascii, lines, hits)
            return
        for is_ascii, pairs in groupby(zip(lines, hits, strict=True), lambda pair: pair[0].isascii()):
            process = self.bound.process_sieved_ascii if is_ascii else self.bound.process_sieved_utf8
            counts.lines_in_vain += call(process, *zip(*pairs, strict=True))

    def call(self, process: Callable[..., int], *columns: Sequence[object]) -> int:
        """Call one of the functions."""
        return process(*columns, self.origin, self.now)

    def keep_samples(self, lines: Sequence[bytes]) -> None:
        """Remember the first of `lines`, to try the patterns on when somebody asks what they cost."""
        self.samples.extend(line for line in lines[:LINES_PER_SAMPLE] if len(line) <= MAX_SAMPLE_BYTES)

    def measure(self, process: Callable[..., int], *columns: Sequence[object]) -> int:
        """Call one of the functions, on the first line by itself, and count what that line and all of them took."""
        self.keep_samples(cast("Sequence[bytes]", columns[0]))
        begin = time.perf_counter_ns()
        unmatched = process(*(column[:1] for column in columns), self.origin, self.now)
        end = time.perf_counter_ns()
        self.counts.times.lines.observe(end - begin)
        if len(columns[0]) > 1:
            unmatched += process(*(column[1:] for column in columns), self.origin, self.now)
            end = time.perf_counter_ns()
        self.counts.times.run_ns += (end - begin) * BATCHES_PER_SAMPLE
        return unmatched

    def record_failure(self, error: Exception, line: bytes) -> None:
        """Take note of a failure on `line`; the generated code calls this, and goes on with the next line."""
        self.counts.runtime_errors += 1
        self.last_noted = (note_failure(error), self.origin, line, self.now)
        if not self.logs_failures or (suppressed := self.limit.admit(self.now)) is None:
            return
        if (failure := self.last_failure) is not None:
            about = {"program": self.name, "source": os.fsdecode(failure.origin)}
            logger.error("%s", self.report(failure, suppressed), extra=about)

    @property
    def last_failure(self) -> LineFailure | None:
        """The last failure, or None before the first."""
        if self.last_noted is None:
            return None
        noted, origin, line, time = self.last_noted
        failure = noted.describe()
        return LineFailure(failure.message, failure.position, origin, line, time)

    def report(self, failure: LineFailure, suppressed: int) -> str:
        """Return the log message on a failure."""
        position = failure.position
        message = (
            f"Program {self.name} failed at {self.name}:{position.line}:{position.column}"
            f" on a line from {show_bytes(failure.origin)}: {failure.message}."
            f" It goes on with the next line; this one was {show_bytes(failure.line)!r}."
        )
        return f"{message} {suppressed} failures since the last report." if suppressed else message


def show_bytes(line: bytes) -> str:
    """Return the beginning of `line` as printable text."""
    text = line[:MAX_SHOWN_BYTES].decode("utf-8", "replace")
    shown = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return shown if len(line) <= MAX_SHOWN_BYTES else f"{shown}…"
