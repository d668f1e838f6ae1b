"""What a program costs on a log. No duration is known beforehand, but what is far dearer than the rest is."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pipeline.language import CompiledProgram, Position, SourceFile, compile_program
from pipeline.profiling import Profiler, read_sample
from pipeline.profiling.costs import Profile

BUDGET_NS = 150_000_000

DEAR = r"""counter cheap
counter dear
/^needle/ {
  cheap++
}
/(\S+)7[a-f]/ {
  dear++
}
/^pin/ {
  cheap++
}
"""
LONG_LINES = "a 7z" * 4000 + "\n" + "needle\n"

FRUIT = "counter fruit by name\n/an (?P<name>apple|pear)/ {\n  fruit[$name]++\n}\n"
FRUIT_LOG = "an apple\nan pear\nan orange\na plum\n" + "-\n" * 4


def compile_text(text: str) -> CompiledProgram:
    return compile_program(SourceFile("p.mtail", text))


def profile(folder: Path, text: str, log: str) -> Profile:
    """Return the profile of a program over a log."""
    (folder / "log").write_text(log)
    profiler = Profiler(compile_text(text), read_sample(str(folder / "log")), BUDGET_NS)
    steps = list(profiler.run())
    assert sum(steps) >= BUDGET_NS * 0.7
    return profiler.profile


@pytest.mark.slow
def test_dearest_pattern_comes_first(tmp_path: Path) -> None:
    """It searches long lines to their ends, where the others look at the beginning."""
    found = profile(tmp_path, DEAR, LONG_LINES)
    dearest, *others = found.patterns
    assert dearest.position == Position(6, 1)
    assert found.share(dearest.ns) > 0.5
    assert all(other.ns < dearest.ns / 10 for other in others)


@pytest.mark.slow
def test_shares_are_parts_of_the_whole(tmp_path: Path) -> None:
    """Patterns, lines of the program, and what is around it."""
    found = profile(tmp_path, DEAR, LONG_LINES)
    costs = [cost.ns for cost in found.patterns] + [found.around_ns, *found.elsewhere.values()]
    assert all(cost >= 0 for cost in costs)
    assert 0.5 < found.share(sum(costs)) <= 1
    assert found.samples > 0
    assert found.lines % 2 == 0


@pytest.mark.slow
def test_searches_are_counted(tmp_path: Path) -> None:
    """As shares of all lines. A plain text needs no search."""
    found = profile(tmp_path, DEAR, "needle\na 7z\nb 7a\nx7b\n")
    searches = {cost.position.line: (cost.searched, cost.found) for cost in found.patterns}
    assert searches == {3: (None, None), 6: (1, 0.25), 9: (None, None)}


@pytest.mark.slow
def test_sieve_is_tried(tmp_path: Path) -> None:
    """Two lines of eight hold a text of the guard."""
    trial = profile(tmp_path, FRUIT, FRUIT_LOG).trial
    assert trial is not None
    assert trial.passed == 2 / 8
    assert trial.sieved_ns > 0
    assert trial.full_ns > 0
    assert trial.pays == (trial.sieved_ns < trial.full_ns)


@pytest.mark.slow
def test_profile_is_of_the_way_that_pays(tmp_path: Path) -> None:
    """Where hardly any line matters, the searches are of the lines that the sieve lets through."""
    found = profile(tmp_path, FRUIT, "an apple\n" + "nothing of interest to anybody\n" * 999)
    assert found.is_sieved
    (pattern,) = found.patterns
    assert (pattern.searched, pattern.found) == (0.001, 0.001)


@pytest.mark.slow
def test_program_whose_every_line_matters_has_no_trial(tmp_path: Path) -> None:
    """There is nothing to decide. What is no pattern has its place, too."""
    found = profile(tmp_path, "counter lines by name\nlines[tolower(getfilename())]++\n", "a\nb\n")
    assert found.trial is None
    assert found.patterns == ()
    assert 2 in found.elsewhere


@pytest.mark.slow
def test_failures_are_told(tmp_path: Path) -> None:
    """They are dear."""
    found = profile(tmp_path, "gauge g\n/^(\\d+) (\\d+)/ {\n  g = $1 / $2\n}\n", "1 1\n1 0\n")
    assert found.failed == 0.5
    assert found.failure is not None
    assert found.failure.position == Position(3, 7)


@pytest.mark.slow
def test_program_that_reads_other_logs_is_profiled_all_the_same(tmp_path: Path) -> None:
    """Its author may have a copy of the log at another place."""
    found = profile(tmp_path, 'log_filter "/var/log/auth.log"\n' + FRUIT, FRUIT_LOG)
    assert not found.is_admitted
    assert found.lines > 0


@pytest.mark.slow
def test_lines_of_any_bytes_are_profiled(tmp_path: Path) -> None:
    """They go through another function with the same code."""
    found = profile(tmp_path, DEAR, LONG_LINES.replace("needle", "nädel"))
    assert found.patterns[0].position == Position(6, 1)


@pytest.mark.slow
def test_nothing_stays_of_the_timer(tmp_path: Path) -> None:
    """Nor of its handler."""
    before = signal.getsignal(signal.SIGALRM)
    profile(tmp_path, FRUIT, FRUIT_LOG)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
