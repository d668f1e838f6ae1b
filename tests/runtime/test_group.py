"""Programs behind the sieve, and where it stands."""

from __future__ import annotations

import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.batch import Batch
from pipeline.language import SourceFile, compile_program
from pipeline.metrics import Datum, Store
from pipeline.runtime.group import MAX_ROUNDS, TRIAL_BYTES, TRIAL_INTERVAL_BYTES, WARM_UP_BYTES, Guarded, ProgramGroup
from pipeline.runtime.program import BATCHES_PER_SAMPLE, Program
from pipeline.runtime.sieve import load_hyperscan
from pipeline.telemetry import Telemetry

NOW = 1_700_000_000 * 10**9
FRUIT = "counter fruit by name\n/an (?P<name>apple|pear)/ {\n  fruit[$name]++\n}\n"
WORDS = "counter words by word\n/word (?P<word>\\S+)/ {\n  words[$word]++\n}\n"
LINES = "counter lines\n/$/ {\n  lines++\n}\n"
NOTHING = "/apple/ {\n}\n"


def make_programs(*texts: str) -> list[Program]:
    store = Store()
    telemetry = Telemetry(store)
    programs = []
    for number, text in enumerate(texts):
        compiled = compile_program(SourceFile(f"{number}.mtail", text))
        metrics = store.register(compiled.metrics)
        programs.append(Program(compiled, metrics, telemetry.program(compiled.source.name)))
    return programs


def read_values(program: Program) -> dict[tuple[bytes, ...], object]:
    series = [datum for metric in program.metrics for datum in metric.data.values()]
    return {datum.labels: datum.value for datum in series if isinstance(datum, Datum)}


def test_program_gets_the_lines_that_matter_to_it() -> None:
    """And counts those that it was spared."""
    programs = make_programs(FRUIT, LINES, NOTHING)
    ProgramGroup(programs).run(Batch.of([b"an apple", b"a pear", b"an pear", b""], b"/log"), NOW)
    assert read_values(programs[0]) == {(b"apple",): 1, (b"pear",): 1}
    assert read_values(programs[1]) == {(): 4}
    assert [program.counts.lines for program in programs] == [4, 4, 4]
    assert [program.counts.lines_skipped for program in programs] == [1, 0, 4]
    assert [program.counts.lines_unmatched for program in programs] == [2, 0, 4]
    assert [program.counts.sieved for program in programs] == [True, False, False]


SOME_LINES = st.sampled_from(["an apple", "an pear", "word x", "word y", "wörd an apple", "-" * 20_000])


@settings(deadline=None)
@given(st.lists(st.lists(SOME_LINES, min_size=1), max_size=8), st.booleans())
def test_no_line_is_lost_or_doubled_by_a_trial(batches: list[list[str]], has_sieve: bool) -> None:
    """Batches of any size: within a trial, at its end, and after it, wherever the programs were put."""
    programs = make_programs(FRUIT, WORDS, LINES)
    group = ProgramGroup(programs, has_sieve=has_sieve)
    group.bytes_to_trial = 0
    for batch in batches:
        group.run(Batch.of([line.encode() for line in batch], b"/log"), NOW)
    lines = [line for batch in batches for line in batch]
    counted = {name: sum(f"an {name}" in line for line in lines) for name in ("apple", "pear")}
    words = {word: lines.count(f"word {word}") for word in "xy"}
    assert read_values(programs[0]) == {(name.encode(),): count for name, count in counted.items() if count}
    assert read_values(programs[1]) == {(word.encode(),): count for word, count in words.items() if count}
    assert read_values(programs[2]) == {(): len(lines)}
    assert {program.counts.lines for program in programs} == {len(lines)}
    matched = [sum(counted.values()), sum("word" in line for line in lines), len(lines)]
    assert [len(lines) - program.counts.lines_unmatched for program in programs] == matched


def test_trial_comes_again() -> None:
    """After some bytes; in between the programs stay where they were put."""
    group = ProgramGroup(make_programs(FRUIT))
    batch = Batch.of([b"-" * 99] * 6_000, b"/log")
    assert len(batch.block) > max(WARM_UP_BYTES, 2 * TRIAL_BYTES * MAX_ROUNDS)
    left = []
    for _ in range(3):
        group.run(batch, NOW)
        left.append(group.bytes_to_trial)
    size = len(batch.block)
    assert left == [WARM_UP_BYTES - size, TRIAL_INTERVAL_BYTES, TRIAL_INTERVAL_BYTES - size]


@pytest.mark.parametrize(
    ("is_sieved", "is_decided", "sieved_ns", "full_ns", "expected"),
    [
        (True, False, 90.0, 100.0, True),
        (True, False, 110.0, 100.0, False),
        (True, True, 110.0, 100.0, True),
        (True, True, 130.0, 100.0, False),
        (False, True, 90.0, 100.0, False),
        (False, True, 70.0, 100.0, True),
        (True, True, 0.0, 0.0, True),
    ],
)
def test_program_is_put_where_it_costs_less(
    is_sieved: bool, is_decided: bool, sieved_ns: float, full_ns: float, expected: bool
) -> None:
    """For the first time whatever the difference, then only for a clear one."""
    (program,) = make_programs(FRUIT)
    guarded = Guarded(program, is_sieved, is_decided, sieved_ns, full_ns)
    guarded.decide()
    assert guarded.is_sieved is expected


def test_sieve_leaves_out_programs_for_which_it_does_not_pay() -> None:
    """They get every line; the others are sieved as before."""
    fruit, words = programs = make_programs(FRUIT, WORDS)
    group = ProgramGroup(programs)
    group.bytes_to_trial = 10**9
    group.guarded[0].is_sieved = False
    group.place()
    group.run(Batch.of([b"an apple", b"word x", b"-"], b"/log"), NOW)
    assert read_values(fruit) == {(b"apple",): 1}
    assert read_values(words) == {(b"x",): 1}
    assert [program.counts.lines_skipped for program in programs] == [0, 2]
    assert [program.counts.sieved for program in programs] == [False, True]


def test_without_hyperscan_every_program_gets_every_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is said in the log."""
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    load_hyperscan.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            programs = make_programs(FRUIT, NOTHING)
            ProgramGroup(programs).run(Batch.of([b"an apple", b"-"], b"/log"), NOW)
    finally:
        load_hyperscan.cache_clear()
    assert read_values(programs[0]) == {(b"apple",): 1}
    assert [program.counts.lines_skipped for program in programs] == [0, 0]
    assert "Hyperscan is not installed" in caplog.text


def test_program_that_reads_a_metric_on_every_line_is_sieved_from_the_second_on() -> None:
    """The first line creates what is read; until then no line is kept back."""
    text = "hidden gauge state\ncounter hits\nstate == 0 {\n  /apple/ {\n    hits++\n    state = 1\n  }\n}\n"
    (program,) = programs = make_programs(text)
    group = ProgramGroup(programs)
    group.run(Batch.of([b"-", b"-", b"an apple", b"an apple"], b"/log"), NOW)
    assert [list(metric.data) for metric in program.metrics] == [[()], [()]]
    assert [datum.value for datum in program.metrics[1].data.values() if isinstance(datum, Datum)] == [1]
    assert program.counts.lines_skipped == 1
    assert program.counts.sieved


def test_program_whose_reads_are_not_reached_waits() -> None:
    """A `stop` before them leaves the series uncreated; the others are sieved meanwhile."""
    text = "gauge g\n/stop/ {\n  stop\n}\ng == 0 {\n  /apple/ {\n    g = 1\n  }\n}\n"
    waiting, fruit = programs = make_programs(text, FRUIT)
    group = ProgramGroup(programs)
    for _ in range(3):
        group.run(Batch.of([b"stop", b"stop"], b"/log"), NOW)
    assert [program.counts.sieved for program in (waiting, fruit)] == [False, True]
    assert waiting.counts.lines_skipped == 0
    group.run(Batch.of([b"-", b"-", b"-"], b"/log"), NOW)
    assert waiting.counts.sieved
    assert waiting.counts.lines_skipped == 2


@pytest.mark.parametrize("line", [b"word a", "word \u00e4".encode()])
def test_sampled_batch_runs_every_line_once(line: bytes) -> None:
    """Of as many batches one is measured, the first line apart from the rest."""
    (program,) = programs = make_programs(WORDS)
    group = ProgramGroup(programs)
    for _ in range(BATCHES_PER_SAMPLE * 2):
        group.run(Batch.of([line] * 3, b"/log"), NOW)
    assert read_values(program) == {(line.removeprefix(b"word "),): BATCHES_PER_SAMPLE * 6}
    times = program.counts.times
    assert sum(times.lines.by_bound) == 2
    assert 0 < times.lines.total * BATCHES_PER_SAMPLE < times.run_ns
    assert program.counts.lines_unmatched == 0
