"""The check of the sieve finds what the sieve gets wrong."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace

import pytest

from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.language import CompileOptions, Guard, Probe, SourceFile, compile_program
from pipeline.metrics import HistogramDatum, Store
from pipeline.runtime import Dispatcher, Program
from pipeline.runtime.sieve import load_hyperscan
from pipeline.runtime.sieve_check import Shadow, describe
from pipeline.settings import SieveMode
from pipeline.telemetry import Telemetry

NOW = 1_700_000_000 * 10**9
TEXT = "counter fruit by name limit 2\nhistogram h buckets 1, 2\n/an (?P<name>\\S+)/ {\n  fruit[$name]++\n  h = 1\n}\n"


def check(
    lines: list[bytes], guard: Guard | None = None, text: str = TEXT, options: CompileOptions | None = None
) -> Program:
    """Run lines under the check, with another guard than the program's own if one is given."""
    store = Store()
    telemetry = Telemetry(store)
    compiled = compile_program(SourceFile("a.mtail", text), options)
    if guard is not None:
        compiled = replace(compiled, guard=guard)
    program = Program(compiled, store.register(compiled.metrics), telemetry.program("a.mtail"))
    dispatcher = Dispatcher(telemetry, SieveMode.CHECK)
    dispatcher.use([program])
    for line in lines:
        dispatcher.dispatch(Batch.of([line, line], b"/log"), NOW)
        store.sweep(NOW)
    return program


def test_right_guard_has_no_fault() -> None:
    """Whatever the line, and when series are evicted and swept meanwhile."""
    program = check([b"an apple", b"a", "an \u00e4pple".encode(), b"an \xff", b"an x"])
    assert program.counts.sieve_faults == 0
    assert program.counts.lines == 10
    assert [len(metric.data) for metric in program.metrics] == [2, 1]


FAILING = "counter c\n/fruit (?P<x>\\S+)/ {\n  c += strtol($x, 10)\n}\n"
TIMES = 'counter c\n/(?P<x>\\S+)/ {\n  strptime($x, "2006")\n  /apple/ {\n    c++\n  }\n}\n'


def test_failure_that_is_kept_back_is_a_fault() -> None:
    """Although no metric tells it; but one of `strptime` is none."""
    assert check([b"fruit x"], text=FAILING).counts.sieve_faults == 0
    assert check([b"fruit x"], Guard(frozenset({Probe(b"apple")})), FAILING).counts.sieve_faults == 2
    program = check([b"2020", b"x", b"2020 apple", b"x apple"], text=TIMES)
    assert program.counts.sieve_faults == 0
    assert program.counts.runtime_errors == 4


def test_match_that_is_kept_back_is_a_fault() -> None:
    """Although no metric tells it: there was nothing to delete."""
    text = "counter c by k\n/an (?P<name>\\S+)/ {\n  del c[$name]\n}\n/new (?P<name>\\S+)/ {\n  c[$name]++\n}\n"
    assert check([b"an pear"], text=text).counts.sieve_faults == 0
    assert check([b"an pear"], Guard(frozenset({Probe(b"apple")})), text).counts.sieve_faults == 2


def test_program_without_effect_matches_nothing_either_way() -> None:
    """There is no sieve to ask."""
    program = check([b"apple", b"-"], text="/apple/ {\n}\n")
    assert (program.counts.sieve_faults, program.counts.lines_unmatched) == (0, 4)


def test_reads_of_every_line_are_followed() -> None:
    """The first line creates the series, with and without the sieve."""
    program = check([b"-", b"an apple"], text="gauge g\ncounter c\ng == 0 {\n  /apple/ {\n    c++\n    g = 1\n  }\n}\n")
    assert program.counts.sieve_faults == 0
    assert [len(metric.data) for metric in program.metrics] == [1, 1]


@pytest.mark.parametrize("probes", [frozenset({Probe(b"apple")}), frozenset()])
def test_wrong_guard_is_found(probes: frozenset[Probe], caplog: pytest.LogCaptureFixture) -> None:
    """On each line that is lost; the metrics are those without the sieve."""
    with caplog.at_level(logging.ERROR):
        program = check([b"-", b"an pear", b"-"], Guard(probes))
    assert program.counts.sieve_faults == 2
    assert "The sieve is wrong about program a.mtail" in caplog.text
    assert "an pear" in caplog.text
    assert [datum.labels for datum in program.metrics[0].data.values()] == [(b"pear",)]


def test_check_needs_hyperscan(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be no check without."""
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    load_hyperscan.cache_clear()
    try:
        with pytest.raises(SettingError, match="--sieve=check"):
            check([b"-"])
    finally:
        load_hyperscan.cache_clear()


EXEMPLARS = "counter c\n/an apple (?P<t>\\S+)/ {\n  c++ exemplar $t\n}\n"


def test_exemplars_are_compared() -> None:
    """A line without effect on any series may still be the newest."""
    program = check([b"an apple x", b"-", b"an apple y"], text=EXEMPLARS)
    assert program.counts.sieve_faults == 0
    shadow = Shadow(program, program.probes or ())
    shadow.follow()
    assert shadow.agrees()
    series = program.metrics[0].data[()]
    program.metrics[0].keep_exemplar(series, 0, (("trace_id",), (b"z",), 1, NOW))
    assert not shadow.agrees()


def test_what_is_not_a_number_is_no_fault() -> None:
    """Though it is not equal to itself."""
    text = "gauge g\nhistogram h buckets 1, 2\n/an apple (?P<x>\\S+)/ {\n  g = float($x)\n  h = float($x)\n}\n"
    program = check([b"an apple NaN", b"an apple 1.5"], text=text)
    assert (program.counts.sieve_faults, program.counts.runtime_errors) == (0, 0)


def test_buckets_by_powers_are_compared() -> None:
    """And are the program's own, not those of the copy that it is compared with."""
    program = check([b"an apple", b"an pear"], options=CompileOptions(native_histograms=True))
    assert program.counts.sieve_faults == 0
    (series,) = program.metrics[1].data.values()
    assert isinstance(series, HistogramDatum)
    before = describe(series)
    assert series.native is not None
    assert series.native.copy().positive == {0: 4}
    series.native.observe(1.0)
    assert describe(series) != before
