"""What patterns cost, tried on the lines that a program has kept."""

from __future__ import annotations

import pytest

from pipeline.batch import Batch
from pipeline.language import CompileOptions, Position, SourceFile, compile_program
from pipeline.metrics import Datum, Store
from pipeline.runtime import Program
from pipeline.runtime.program import LINES_PER_SAMPLE, MAX_SAMPLE_BYTES, MAX_SAMPLES
from pipeline.status import costs
from pipeline.status.costs import try_patterns
from pipeline.telemetry import ProgramCounts

NOW = 1_700_000_000 * 10**9
TEXT = """counter users by name
counter days
histogram sizes by name buckets 1, 2
/user=(\\w+) (.*) end/ {
  users[$1]++
  sizes[$1] = 1
  /on (?P<day>\\d+-\\d+)/ {
    days += strtol($day, 10)
  }
}
/never[0-9]+ seen/ {
  days++
}
"""


def make_program(*lines: bytes, text: str = TEXT) -> Program:
    """Return a program that a measured batch of `lines` has come to."""
    compiled = compile_program(SourceFile("a.mtail", text), CompileOptions())
    program = Program(compiled, Store().register(compiled.metrics), ProgramCounts("a.mtail"), logs_failures=False)
    if lines:
        program.run(Batch.of(list(lines), b"/log"), NOW, sampled=True)
    return program


def test_each_pattern_that_was_searched_has_its_cost() -> None:
    """For each line that comes to the program, with the shares of those it is searched and found in."""
    program = make_program(b"user=me is here end", b"user=you came on 2023-11 end", b"nothing", b"nothing at all")
    tried = try_patterns(program, NOW)
    assert {place for place, cost in tried.items() if cost.found} == {Position(4, 1), Position(7, 3)}
    outer, inner = tried[Position(4, 1)], tried[Position(7, 3)]
    assert (outer.searched, outer.found) == (0.5, 0.5)
    assert (inner.searched, inner.found) == (0.5, 0.25)
    assert outer.ns >= 0


def test_nothing_changes_by_trying() -> None:
    """Neither the program's counts nor its metrics, although a line fails."""
    program = make_program(b"user=me came on 2023-11 end")
    counts, users = program.counts, program.metrics[0]
    before = (counts.lines, counts.runtime_errors, program.last_failure)
    for _ in range(2):
        assert try_patterns(program, NOW)
    (series,) = users.data.values()
    assert isinstance(series, Datum)
    assert (series.value, (counts.lines, counts.runtime_errors, program.last_failure)) == (1, before)


def test_lines_of_any_bytes_are_tried() -> None:
    """Where the other variant of each pattern runs."""
    program = make_program("user=me was für ein end".encode(), b"user=x \xff\0 end", b"user=y end end")
    cost = try_patterns(program, NOW)[Position(4, 1)]
    assert (cost.searched, cost.found) == (1.0, 1.0)


def test_without_lines_nothing_is_known() -> None:
    """Until one was kept."""
    assert try_patterns(make_program(), NOW) == {}


def test_few_lines_are_kept_and_the_newest() -> None:
    """However many come, and however long they are."""
    program = make_program(*[b"%d" % number for number in range(100)])
    assert list(program.samples) == [b"%d" % number for number in range(LINES_PER_SAMPLE)]
    for number in range(100):
        program.run(Batch.of([b"x" * (MAX_SAMPLE_BYTES + 1), b"new %d" % number], b"/log"), NOW, sampled=True)
    assert list(program.samples) == [b"new %d" % number for number in range(100 - MAX_SAMPLES, 100)]
    program.run(Batch.of([b"not measured"], b"/log"), NOW)
    assert b"not measured" not in program.samples


def test_what_takes_too_long_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks at a page holds up no lines."""
    monkeypatch.setattr(costs, "BUDGET_NS", -1)
    assert try_patterns(make_program(b"user=me is here end"), NOW) == {}
