"""The generated function: what it looks like, what it does with failures, and where it says they are."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from types import FunctionType

import pytest

from pipeline.language import (
    CompiledProgram,
    CompileOptions,
    Failure,
    ProgramError,
    SourceFile,
    compile_program,
    note_failure,
)
from pipeline.language.codegen import explain_error
from pipeline.metrics import Datum, HistogramDatum, Metric, Store

NOW = 1_700_000_000_000_000_000


@dataclass
class Run:
    """A compiled program with what it did to some lines."""

    compiled: CompiledProgram
    metrics: tuple[Metric, ...]
    failures: list[tuple[Failure, bytes]] = field(default_factory=list)

    def value(self, name: str, *labels: bytes) -> int | float | bytes:
        metric = next(metric for metric in self.metrics if metric.name == name)
        datum = metric.data[labels]
        assert isinstance(datum, Datum)
        return datum.value

    def messages(self) -> list[str]:
        return [failure.message for failure, _ in self.failures]


def compile_text(text: str) -> CompiledProgram:
    return compile_program(SourceFile("case.mtail", text), CompileOptions())


def run_program(text: str, *lines: bytes, origin: bytes = b"/var/log/x") -> Run:
    compiled = compile_text(text)
    run = Run(compiled, Store().register(compiled.metrics))
    bound = compiled.bind(run.metrics, lambda error, line: run.failures.append((note_failure(error).describe(), line)))
    bound.begin(b"case.mtail", NOW)
    for line in lines:
        process = bound.process_ascii if line.isascii() else bound.process_utf8
        process([line], origin, NOW)
    return run


def test_listing_is_the_same_every_time() -> None:
    """Two compilations give the same text, so that `explain` can be compared."""
    text = "counter c by k\ngauge g\n/(\\w+) (\\d+)/ {\n  c[$1]++\n  g = $2\n}\n"
    assert compile_text(text).listing == compile_text(text).listing


def test_listing_is_python() -> None:
    """What `explain` shows can be read by Python."""
    listing = compile_text("counter c\n/x/ {\n  c++\n} else {\n  c += 2\n}\n").listing
    assert isinstance(ast.parse(listing).body[0], ast.FunctionDef)


def test_code_has_no_globals() -> None:
    """Generated code reaches nothing but its parameters: no builtins, no modules."""
    compiled = compile_text('counter c by k\n/(\\d+)/ {\n  c[tolower(string($1))] += len("x")\n}\n')
    bound = compiled.bind(Store().register(compiled.metrics), lambda _error, _line: None)
    assert isinstance(bound.process_ascii, FunctionType)
    assert bound.process_ascii.__globals__ == {"__builtins__": {}}


def test_failure_names_line_and_column() -> None:
    """A runtime error is reported where it arose in the program."""
    run = run_program("gauge g\n/(\\S+)/ {\n  g = 1\n  g = int($1)\n}\n", b"abc")
    failure, line = run.failures[0]
    assert (failure.position.line, failure.position.column) == (4, 7)
    assert failure.message == "`abc` is not an integer"
    assert line == b"abc"


def test_failed_line_does_not_end_the_batch() -> None:
    """After a failure the next line of the batch is processed."""
    compiled = compile_text("gauge g\n/^(\\S+)$/ {\n  g = int($1)\n}\n")
    live = Store().register(compiled.metrics)
    failures: list[bytes] = []
    bound = compiled.bind(live, lambda _error, line: failures.append(line))
    bound.process_ascii([b"1", b"x", b"3"], b"", NOW)
    assert failures == [b"x"]
    series = live[0].data[()]
    assert isinstance(series, Datum)
    assert series.value == 3


def test_sums_wrap_only_where_they_are_looked_at() -> None:
    """Int sums wrap at 64 bits in comparisons, divisions and labels."""
    text = (
        'counter c by k\n/(\\d+)/ {\n  c[$1 + 1]++\n  $1 + 1 < 0 {\n    c["negative"]++\n  }\n'
        '  c["half"] += ($1 + 1) / 2\n}\n'
    )
    run = run_program(text, b"9223372036854775807")
    assert run.value("c", b"-9223372036854775808") == 1
    assert run.value("c", b"negative") == 1
    assert run.value("c", b"half") == -(2**62)


def test_metric_that_left_64_bits_reads_wrapped() -> None:
    """A counter keeps counting past 64 bits, and every reader sees it wrapped."""
    run = run_program("gauge g\ncounter c by k\n// {\n  g = 9223372036854775807\n  g++\n  c[g]++\n}\n", b"x")
    assert run.value("c", b"-9223372036854775808") == 1


def test_increment_in_a_value_changes_the_target_first() -> None:
    """`c += c++` adds to what the increment left behind."""
    assert run_program("counter c\n// {\n  c += c++\n}\n", b"x").value("c") == 2


def test_group_after_or_is_that_of_the_pattern_tried_last() -> None:
    """`$1` right of `||` reads the pattern that was tried last, each with its own groups."""
    text = "counter c by k\n/^a(.)/ || /^b(..)/ {\n  c[$1]++\n}\n"
    run = run_program(text, b"axyz", b"bxyz", b"cxyz")
    assert sorted(run.metrics[0].data) == [(b"x",), (b"xy",)]
    assert not run.failures


def test_group_of_a_failed_pattern_is_an_error() -> None:
    """Reading a group in `else` fails, also when an earlier line matched."""
    run = run_program("counter c by k\n/a(.)/ {\n  c[$1]++\n} else {\n  c[$1]++\n}\n", b"ax", b"b")
    assert run.messages() == ["the pattern of `$1` was not tried or did not match on this line"]
    assert list(run.metrics[0].data) == [(b"x",)]


def test_defined_in_else_is_an_error() -> None:
    """`defined` of a group whose pattern did not match fails."""
    run = run_program(
        "counter c\n/a(.)?/ {\n  defined($1) {\n    c++\n  }\n} else {\n  defined($1) {\n  }\n}\n", b"ab", b"z"
    )
    assert run.value("c") == 1
    assert len(run.failures) == 1


def test_unlabelled_gauge_appears_with_its_first_value() -> None:
    """A gauge without labels has no series until a line writes it, and one series from then on."""
    run = run_program("gauge g\n/(\\d+)/ {\n  g = $1\n  g += 2\n}\n", b"none")
    assert run.metrics[0].data == {}
    run = run_program("gauge g\n/(\\d+)/ {\n  g = $1\n  g += 2\n}\n", b"1", b"2")
    assert run.value("g") == 4


def test_histogram_puts_not_a_number_in_no_bucket() -> None:
    """NaN counts and spoils the sum, but is in no bucket."""
    run = run_program("histogram h buckets 1, 2\n/^(\\S+)$/ {\n  h = float($1)\n}\n", b"nan", b"1.5")
    series = run.metrics[0].data[()]
    assert isinstance(series, HistogramDatum)
    assert (series.counts, series.count) == ([0, 1, 0], 2)
    assert series.total != series.total


def test_time_of_one_line_is_not_that_of_the_next() -> None:
    """The time register starts anew on each line."""
    run = run_program("counter c by k\n/t(\\d+)/ {\n  settime($1)\n}\n/(\\w+)/ {\n  c[$1]++\n}\n", b"t5", b"x")
    stamps = {labels: series.time for labels, series in run.metrics[0].data.items()}
    assert stamps == {(b"t5",): 5_000_000_000, (b"x",): NOW}


def test_same_text_at_two_times_is_parsed_once_per_place() -> None:
    """The remembered text of one `strptime` does not answer for another with another layout."""
    text = (
        'gauge g by k\n/^(\\S+)$/ {\n  strptime($1, "2006-01-02")\n  g["a"] = timestamp()\n'
        '  strptime($1, "2006-02-01")\n  g["b"] = timestamp()\n}\n'
    )
    run = run_program(text, b"2020-03-04", b"2020-03-04", b"2021-01-01")
    assert (run.value("g", b"a"), run.value("g", b"b")) == (1609459200, 1609459200)


def test_decorators_that_double_are_refused() -> None:
    """A program whose decorators would write out too much is an error, not a full memory."""
    levels = ["counter c\ndef d0 {\n  /x/ {\n    next\n  }\n}\n"]
    levels.extend(
        f"def d{n} {{\n  @d{n - 1} {{\n  }}\n  @d{n - 1} {{\n  }}\n  /x/ {{\n    next\n  }}\n}}\n" for n in range(1, 20)
    )
    with pytest.raises(ProgramError, match="write out too much code"):
        compile_text("".join(levels) + "@d19 {\n  c++\n}\n")


def test_decorator_runs_its_block_in_the_place_of_next() -> None:
    """What stands after `next` runs after the block, and `otherwise` sees the decorator's conditionals."""
    text = (
        'counter c by k\ndef d {\n  /(\\w)x/ {\n    next\n    c["after"]++\n  }\n}\n'
        '@d {\n  c[$1]++\n}\notherwise {\n  c["no"]++\n}\n'
    )
    run = run_program(text, b"ax", b"b")
    assert {labels[0]: series.value for labels, series in run.metrics[0].data.items() if isinstance(series, Datum)} == {
        b"a": 1,
        b"after": 1,
        b"no": 1,
    }


def test_origin_is_what_getfilename_gives() -> None:
    """`getfilename` is the origin of the batch, and in `begin` the program's own name."""
    text = "counter c by k\nbegin {\n  c[getfilename()]++\n}\n// {\n  c[getfilename()]++\n}\n"
    assert sorted(run_program(text, b"x", origin=b"/log").metrics[0].data) == [(b"/log",), (b"case.mtail",)]


def test_non_ascii_lines_match_characters() -> None:
    """The second form of the function counts characters, not bytes; an invalid byte is one character."""
    text = "counter c by k\n/^(.)$/ {\n  c[$1]++\n}\n"
    run = run_program(text, "ü".encode(), b"\xff", b"ab")
    assert sorted(run.metrics[0].data) == [(b"\xc3\xbc",), (b"\xff",)]


def test_names_that_python_cannot_have_are_numbered() -> None:
    """A metric with a name in other letters, or one declared twice, still has readable code."""
    run = run_program("counter größe\n/x/ {\n  größe++\n}\n", b"x")
    assert run.value("größe") == 1
    assert "datum_metric1" in run.compiled.listing


def test_internal_failures_are_named() -> None:
    """An error that no rule of the language explains says what it is."""
    assert explain_error(KeyError("k")) == "internal failure: KeyError: 'k'"


NESTED = {
    "expression": "gauge g\n/x/ {\n  g = " + "(g + " * 3000 + "1" + ")" * 3000 + "\n}\n",
    "blocks": "counter c\n" + "/x/ {\n" * 1500 + "c++\n" + "}\n" * 1500,
    "decorators": "counter c\ndef d0 {\n  next\n}\n"
    + "".join(f"def d{n + 1} {{\n  @d{n} {{\n    next\n  }}\n}}\n" for n in range(1000))
    + "@d1000 {\n  c++\n}\n",
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_nesting_that_is_too_deep_for_python_is_a_diagnostic(text: str) -> None:
    """The operator may raise the limit beyond what Python's stack can hold."""
    with pytest.raises(ProgramError) as caught:
        compile_program(SourceFile("case.mtail", text), CompileOptions(max_recursion_depth=100_000))
    assert [diagnostic.message for diagnostic in caught.value.diagnostics] == [
        "the program nests too deeply for Python"
    ]


def test_thousands_of_digits_in_a_group_are_too_many() -> None:
    """Python refuses them before they can be compared with 64 bits."""
    run = run_program("gauge g\n/(\\d+)/ {\n  g = $1\n}\n", b"9" * 5000)
    assert run.messages() == ["the number of a capture group does not fit in 64 bits"]


def test_bad_number_in_a_group_is_explained() -> None:
    """A numeric group that took no part has no number."""
    run = run_program("counter c by k\n/(\\d+)?b/ {\n  c[$1 + 1]++\n}\n", b"b")
    assert run.messages() == ["the text of a capture group is not a number"]


def test_pattern_that_always_matches_costs_nothing() -> None:
    """The body of such a condition stands without a test."""
    assert "find" not in compile_text("counter c\n// {\n  c++\n}\n").listing


def test_label_values_are_reused_only_where_they_were_computed() -> None:
    """Equal label values in a row are put together once; not when a right side may have been skipped."""
    text = (
        "counter a by k\ncounter b by k\n/(\\w) (\\w)/ {\n  a[$1]++\n  b[$1]++\n"
        "  (a[$1] > 5 && b[$2] > 0) || b[$2] == 0 {\n  }\n  b[$1] += 10\n}\n"
    )
    run = run_program(text, b"x y")
    assert {labels: series.value for labels, series in run.metrics[1].data.items() if isinstance(series, Datum)} == {
        (b"x",): 11,
        (b"y",): 0,
    }
    assert run.compiled.listing.count("m1[1]") == 1


def test_searches_are_made_once() -> None:
    """A program is bound anew when its metrics move, and to make its searches takes longer than all the rest."""
    compiled = compile_text("counter c by k\n/a (\\w+) b/ {\n  c[$1]++\n}\n")
    searches = []
    for _ in range(2):
        process = compiled.bind(Store().register(compiled.metrics), lambda _error, _line: None).process_ascii
        assert isinstance(process, FunctionType)
        assert process.__defaults__ is not None
        parameters = process.__code__.co_varnames[: process.__code__.co_argcount]
        searches.append(dict(zip(reversed(parameters), reversed(process.__defaults__), strict=False))["find1"])
    assert searches[0] is searches[1]


@pytest.mark.parametrize("operator", ["=", "+="])
def test_text_has_a_limit(operator: str) -> None:
    """That of label values: else a program that joins texts would keep all that is ever sent."""
    text = f"hidden text t by k\n/(\\w) (.*)/ {{\n  t[$1] {operator} $2\n}}\n"
    run = run_program(text, *[b"a " + b"x" * 1500] * 3, b"b " + b"y" * 4000, b"c short")
    kept = {"=": 1500, "+=": 2048}[operator]
    assert [run.value("t", key) for key in (b"a", b"b", b"c")] == [b"x" * kept, b"y" * 2048, b"short"]
    assert run.metrics[0].texts_cut == {"=": 1, "+=": 3}[operator]


def test_text_is_joined_with_one_that_changes_meanwhile() -> None:
    """What the right side does comes before the text is read, and the cut after both."""
    run = run_program("text t\ncounter c\n/(\\w)/ {\n  t += $1 + string(c++)\n}\n", b"a", b"b")
    assert run.value("t") == b"a1b2"
