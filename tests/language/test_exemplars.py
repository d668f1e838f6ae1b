"""Statements that say which trace their count came from."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import MAX_EXEMPLAR_CHARACTERS, Exemplar, Store
from pipeline.metrics.exemplars import read_notes
from tests.language.test_codegen import NOW, Run, compile_text, run_program

PROGRAMS = sorted((Path(__file__).parents[2] / "pipeline" / "programs").glob("*.mtail"))

ANY_BYTES = """\
counter lines
counter bytes_total by k
histogram sizes buckets 10, 20
/^(?P<line>.*)$/ {
  lines++ exemplar $line, k = "x"
  bytes_total["y"] += len($line) exemplar $line
  sizes = len($line) exemplar line = $line
}
"""


def read(run: Run, name: str, *labels: bytes) -> dict[int, Exemplar]:
    metric = next(metric for metric in run.metrics if metric.name == name)
    assert metric.exemplars is not None
    return dict(read_notes(metric.exemplars.get(labels, {})))


@pytest.mark.slow
@given(st.binary(max_size=300).filter(lambda line: b"\n" not in line))
def test_any_bytes_of_a_line_get_into_an_exemplar(line: bytes) -> None:
    """If they are not too many; what is counted is counted either way."""
    run = run_program(ANY_BYTES, line)
    assert not run.failures
    assert (run.value("lines"), run.value("bytes_total", b"y")) == (1, len(line))
    text, place = line.decode("utf-8", "replace"), (len(line) > 10) + (len(line) > 20)
    exemplars = [read(run, "lines"), read(run, "bytes_total", b"y"), read(run, "sizes")]
    if not text:
        assert exemplars == [{0: Exemplar((("k", "x"),), 1.0, NOW)}, {}, {}]
        return
    expected = [
        {0: Exemplar((("trace_id", text), ("k", "x")), 1.0, NOW)},
        {0: Exemplar((("trace_id", text),), float(len(line)), NOW)},
        {place: Exemplar((("line", text),), float(len(line)), NOW)},
    ]
    sizes = [len("trace_idkx") + len(text), len("trace_id") + len(text), len("line") + len(text)]
    fits = [size <= MAX_EXEMPLAR_CHARACTERS for size in sizes]
    assert exemplars == [one if fit else {} for one, fit in zip(expected, fits, strict=True)]
    assert [metric.exemplars_too_long for metric in run.metrics] == [not fit for fit in fits]


def test_only_statements_that_say_so_cost_anything() -> None:
    """The code of the others is the same, and so are their metrics."""
    text = (
        "counter a by k\ncounter b\nhistogram h buckets 1, 2\n"
        "/(?P<k>\\w+) (?P<n>\\d+)/ {\n  a[$k]++\n  h = $n\n  b += $n%s\n}\n"
    )
    plain, other = compile_text(text % ""), compile_text(text % ' exemplar "x"')
    assert [metric.exemplars is None for metric in plain.metrics] == [True] * 3
    assert [metric.exemplars is None for metric in other.metrics] == [True, False, True]
    assert "exemplar" not in plain.listing
    kept, spent = (set(compiled.listing.splitlines()[1:]) for compiled in (plain, other))
    assert [line.split()[0] for line in kept - spent] == ["datum_b.value"]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_shipped_programs_have_none(path: Path) -> None:
    """mtail can read them."""
    assert all(metric.exemplars is None for metric in compile_text(path.read_text("utf-8")).metrics)


def test_listing_of_an_exemplar_is_python() -> None:
    """What `explain` shows says which labels are kept."""
    listing = compile_text(ANY_BYTES).listing
    assert isinstance(ast.parse(listing).body[0], ast.FunctionDef)
    assert "keep_exemplar_lines(datum_lines, 0, (('trace_id', 'k'), (" in listing
    assert "keep_exemplar_bytes_total(d, 0, (('trace_id',), " in listing
    assert "keep_exemplar_sizes(datum_sizes, b, (('line',), " in listing


def test_series_found_by_another_metric_gets_its_exemplar() -> None:
    """Metrics with the same label values are found in one row, be it new or known."""
    text = (
        "counter a by k\ncounter b by k\nhistogram h by k buckets 1, 2\n/(?P<k>\\w+) (?P<t>\\w+)/ {\n"
        "  a[$k]++ exemplar $t\n  b[$k]++\n  h[$k] = 1 exemplar $t\n}\n"
    )
    assert "row1" in compile_text(text).listing
    run = run_program(text, b"x 1", b"y 2", b"x 3")
    for name in ("a", "h"):
        traces = [read(run, name, key)[0].labels for key in (b"x", b"y")]
        assert traces == [(("trace_id", "3"),), (("trace_id", "2"),)]


def test_exemplar_of_a_series_that_is_not_kept_is_not_kept() -> None:
    """The line does not notice."""
    compiled = compile_text("counter c by k\n/(?P<k>\\w+)/ {\n  c[$k]++ exemplar $k\n}\n")
    (metric,) = Store(max_series=1).register(compiled.metrics)
    bound = compiled.bind((metric,), lambda error, _line: pytest.fail(str(error)))
    bound.process_ascii([b"a", b"b", b"c"], b"", NOW)
    assert (list(metric.exemplars or {}), metric.overflows) == ([(b"a",)], 2)


def test_value_that_changes_its_metric_is_added_once() -> None:
    """What was added is in the exemplar, as it was evaluated."""
    run = run_program("counter c\n/x/ {\n  c += c++ exemplar c++\n}\n", b"x")
    assert run.value("c") == 3
    assert read(run, "c") == {0: Exemplar((("trace_id", "3"),), 1.0, NOW)}


def test_amount_that_outgrew_64_bits_is_wrapped() -> None:
    """As the sum is."""
    run = run_program("counter c\n/(?P<n>\\d+)/ {\n  c += $n + $n exemplar $n\n}\n", b"9223372036854775807")
    assert read(run, "c")[0].value == -2.0
