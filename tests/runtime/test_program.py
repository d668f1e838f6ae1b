"""One program at work: what it counts, and what it tells about its failures."""

from __future__ import annotations

import logging

import pytest

from pipeline.batch import Batch
from pipeline.language import CompileOptions, SourceFile, compile_program
from pipeline.language.source import Position
from pipeline.metrics import Datum, Store
from pipeline.runtime import LineFailure, Program
from pipeline.runtime.program import BATCHES_PER_SAMPLE, REPORT_INTERVAL, show_bytes
from pipeline.telemetry import ProgramCounts

NOW = 1_700_000_000 * 10**9

DIVIDER = """counter ratio
/^(\\d+) (\\d+)$/ {
  ratio += $1 / $2
}
"""


def make_program(text: str, *, logs_failures: bool = True) -> Program:
    compiled = compile_program(SourceFile("a.mtail", text), CompileOptions())
    metrics = Store().register(compiled.metrics)
    return Program(compiled, metrics, ProgramCounts("a.mtail"), logs_failures=logs_failures)


def test_failure_is_counted_and_the_next_line_goes_on() -> None:
    """One bad line stops nothing."""
    program = make_program(DIVIDER)
    program.run(Batch.of([b"6 2", b"1 0", b"8 2"], b"/log"), NOW)
    program.run(Batch.of([b"1 0", b"\xff"], b"/log"), NOW)
    assert program.counts == ProgramCounts("a.mtail", lines=5, lines_in_vain=1, runtime_errors=2)
    ratio = program.compiled.metrics[0].data[()]
    assert isinstance(ratio, Datum)
    assert ratio.value == 7


def test_last_failure_is_remembered() -> None:
    """With its place in the program, and the line it happened on."""
    program = make_program(DIVIDER)
    program.run(Batch.of([b"1 0", b"2 0"], b"/log"), NOW)
    assert program.last_failure == LineFailure("division of 2 by zero", Position(3, 12), b"/log", b"2 0", NOW)


def test_failure_is_logged_once_in_an_interval(caplog: pytest.LogCaptureFixture) -> None:
    """The first is, then the next one after the interval, with the number of those between."""
    program = make_program(DIVIDER)
    program.run(Batch.of([b"1 0", b"2 0", b"3 0"], b"/log"), NOW)
    program.run(Batch.of([b"4 0"], b"/log"), NOW + REPORT_INTERVAL - 1)
    program.run(Batch.of([b"5 0", b"6 0"], b"/log"), NOW + REPORT_INTERVAL)
    report = (
        "Program a.mtail failed at a.mtail:3:12 on a line from /log: division of {0} by zero."
        " It goes on with the next line; this one was '{0} 0'."
    )
    assert caplog.record_tuples == [
        ("pipeline.runtime.program", logging.ERROR, report.format(1)),
        (
            "pipeline.runtime.program",
            logging.ERROR,
            report.format(5) + " 3 failures since the last report.",
        ),
    ]


def test_failures_are_not_logged_when_not_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """`--vm_logs_runtime_errors=false` leaves the count and the status page."""
    program = make_program(DIVIDER, logs_failures=False)
    program.run(Batch.of([b"1 0"], b"/log"), NOW)
    assert program.counts.runtime_errors == 1
    assert caplog.record_tuples == []


def test_failure_in_begin_is_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    """Its origin is the program's own name."""
    program = make_program('gauge g\nbegin {\n  g = strtol("x", 10)\n}\n')
    program.begin(NOW)
    assert program.counts.runtime_errors == 1
    assert program.last_failure is not None
    assert program.last_failure.origin == b"a.mtail"
    assert program.last_failure.position.line == 3


def test_batch_of_one_line_is_measured_as_that_line() -> None:
    """What the line took stands for as many batches as are not measured."""
    program = make_program("counter lines\nlines++\n")
    for _ in range(3):
        program.run(Batch.of([b"-"], b"/log"), NOW, sampled=True)
    times = program.counts.times
    assert sum(times.lines.by_bound) == 3
    assert times.run_ns == times.lines.total * BATCHES_PER_SAMPLE
    (lines,) = program.compiled.metrics[0].data.values()
    assert isinstance(lines, Datum)
    assert lines.value == 3


def test_unmatched_lines_of_a_measured_batch_are_counted() -> None:
    """The first line and the others."""
    program = make_program(DIVIDER)
    program.run(Batch.of([b"-", b"6 2", b"-", b"1 0"], b"/log"), NOW, sampled=True)
    assert program.counts.lines_unmatched == 2


def test_log_filter_admits_its_origins_only() -> None:
    """Without one all are admitted."""
    assert make_program('log_filter "/log"\ncounter c\n/x/ {\n  c++\n}\n').admits(b"/log")
    assert not make_program('log_filter "/log"\ncounter c\n/x/ {\n  c++\n}\n').admits(b"/other")
    assert make_program("counter c\n/x/ {\n  c++\n}\n").admits(b"/other")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"plain", "plain"),
        (b"\x1b[31m \0 \xff \xc3\xa9", "\ufffd[31m \ufffd \ufffd é"),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200 + "…"),
    ],
)
def test_shown_line_is_short_and_printable(line: bytes, shown: str) -> None:
    """A log line can neither flood our log nor drive a terminal."""
    assert show_bytes(line) == shown
