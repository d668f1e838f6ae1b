"""Batches on their way to programs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch
from pipeline.language import CompileOptions, SourceFile, compile_program
from pipeline.metrics import Store
from pipeline.runtime import Dispatcher, Program
from pipeline.runtime.dispatch import MIN_MEASURED_BYTES
from pipeline.telemetry import Telemetry

NOW = 1_700_000_000 * 10**9

COUNT_LINES = "counter lines by line\n/^(.*)$/ {\n  lines[$1]++\n}\n"
COUNT_ORIGINS = "counter origins by origin\n/$/ {\n  origins[getfilename()]++\n}\n"


def make_dispatcher(*texts: str) -> Dispatcher:
    store = Store()
    telemetry = Telemetry(store)
    programs = []
    for number, text in enumerate(texts):
        compiled = compile_program(SourceFile(f"{number}.mtail", text), CompileOptions())
        metrics = store.register(compiled.metrics)
        programs.append(Program(compiled, metrics, telemetry.program(compiled.source.name)))
    dispatcher = Dispatcher(telemetry)
    dispatcher.use(programs)
    return dispatcher


def read_values(dispatcher: Dispatcher, name: str) -> list[tuple[bytes, object]]:
    """Return the label and value of each series, in order of creation."""
    snapshot = dispatcher.telemetry.store.snapshot()
    return [
        (series.labels[0], series.value)
        for metric in snapshot.metrics
        if metric.name == name
        for series in metric.series
    ]


def test_every_program_sees_every_line() -> None:
    """The origin goes along."""
    dispatcher = make_dispatcher(COUNT_LINES, COUNT_ORIGINS)
    dispatcher.dispatch(Batch.of([b"a", b"b", b"a"], b"/log"), NOW)
    dispatcher.dispatch(Batch.of([b"b"], b"-"), NOW)
    assert read_values(dispatcher, "lines") == [(b"a", 2), (b"b", 2)]
    assert read_values(dispatcher, "origins") == [(b"/log", 3), (b"-", 1)]


def test_lines_that_are_not_ascii_keep_their_place() -> None:
    """A batch of both is run in order, whatever bytes it holds."""
    lines = [b"a", "ä".encode(), b"\xff", b"b", b"\0"]
    dispatcher = make_dispatcher(COUNT_LINES)
    dispatcher.dispatch(Batch.of(lines, b"/log"), NOW)
    assert read_values(dispatcher, "lines") == [(line, 1) for line in lines]


@given(st.lists(st.sampled_from([b"a", b"", b"\xff", "é".encode()])))
def test_runs_keep_all_lines_in_order(lines: list[bytes]) -> None:
    """And each is of one sort."""
    runs = Batch.of(lines, b"-").runs if lines else []
    assert [line for _, run in runs for line in run] == lines
    assert all(line.isascii() == is_ascii for is_ascii, run in runs for line in run)


def test_log_filter_keeps_lines_from_a_program() -> None:
    """They are not counted as passed to it."""
    dispatcher = make_dispatcher('log_filter "/log"\n' + COUNT_LINES, COUNT_ORIGINS)
    for origin in (b"/log", b"/other", b"/log"):
        dispatcher.dispatch(Batch.of([b"a"], origin), NOW)
    assert read_values(dispatcher, "lines") == [(b"a", 2)]
    assert [counts.lines for counts in dispatcher.telemetry.programs.values()] == [2, 3]


def test_program_sees_what_both_its_filter_and_its_bindings_admit() -> None:
    """Asked once for each origin, until it is forgotten or the programs change."""
    asked: list[tuple[str, bytes]] = []

    def admit(program: str, origin: bytes) -> bool:
        asked.append((program, origin))
        return program == "1.mtail" or origin == b"/log"

    dispatcher = make_dispatcher('log_filter "/log", "/b"\n' + COUNT_LINES, COUNT_ORIGINS)
    dispatcher.admit = admit
    for origin in (b"/log", b"/b", b"/c", b"/log"):
        dispatcher.dispatch(Batch.of([b"a"], origin), NOW)
    assert read_values(dispatcher, "lines") == [(b"a", 2)]
    assert read_values(dispatcher, "origins") == [(b"/log", 2), (b"/b", 1), (b"/c", 1)]
    assert asked.count(("1.mtail", b"/log")) == 1
    dispatcher.forget(b"/log")
    dispatcher.forget(b"/never")
    assert set(dispatcher.by_origin) == {b"/b", b"/c"}
    dispatcher.dispatch(Batch.of([b"a"], b"/log"), NOW)
    dispatcher.use(dispatcher.programs)
    dispatcher.dispatch(Batch.of([b"a"], b"/log"), NOW)
    assert asked.count(("1.mtail", b"/log")) == 3


def test_lines_are_counted_per_origin() -> None:
    """Once, however many programs there are, and also when there is none."""
    dispatcher = make_dispatcher(COUNT_LINES, COUNT_ORIGINS)
    dispatcher.dispatch(Batch.of([b"a", b"b"], b"/log"), NOW)
    dispatcher.use([])
    dispatcher.dispatch(Batch.of([b"c"], b"-"), NOW)
    assert dispatcher.telemetry.lines == 3
    assert dispatcher.telemetry.log_lines == {b"/log": 2, b"-": 1}


def test_large_batches_are_measured() -> None:
    """Each of them; to measure a small one would take a good part of its time."""
    dispatcher = make_dispatcher(COUNT_LINES)
    for size in (1, MIN_MEASURED_BYTES - 2, MIN_MEASURED_BYTES - 1, 10**6):
        dispatcher.dispatch(Batch.of([b"x" * size], b"/log"), NOW)
    batches = dispatcher.telemetry.batches
    assert sum(batches.by_bound) == 2
    assert batches.total > 0


def test_failing_program_does_not_keep_lines_from_the_others() -> None:
    """The line goes on."""
    failing = "counter c\n/(.*)/ {\n  c = strtol($1, 10)\n}\n"
    dispatcher = make_dispatcher(failing, COUNT_LINES)
    dispatcher.dispatch(Batch.of([b"a"], b"/log"), NOW)
    assert [counts.runtime_errors for counts in dispatcher.telemetry.programs.values()] == [1, 0]
    assert read_values(dispatcher, "lines") == [(b"a", 1)]
