"""Generated code that fills buckets by powers, next to those of the declaration."""

from __future__ import annotations

import math

import pytest

from pipeline.language import CompiledProgram, CompileOptions, SourceFile, compile_program
from pipeline.metrics import HistogramDatum, NativeCounts, Store
from tests.language.test_codegen import compile_text

NOW = 1_700_000_000_000_000_000
BUCKETS = "0, 1, 10, 100"
MANY_BUCKETS = ", ".join(map(str, range(100)))


def compile_native(text: str) -> CompiledProgram:
    return compile_program(SourceFile("case.mtail", text), CompileOptions(native_histograms=True))


def run_native(text: str, *lines: bytes, sieved: bool = False) -> HistogramDatum:
    """Return the series that a program is left with."""
    compiled = compile_native(text)
    metrics = Store().register(compiled.metrics)
    failures: list[bytes] = []
    bound = compiled.bind(metrics, lambda _error, line: failures.append(line))
    bound.begin(b"case.mtail", NOW)
    if sieved:
        bound.process_sieved_ascii(lines, [-1] * len(lines), b"", NOW)
    else:
        process = bound.process_ascii if all(line.isascii() for line in lines) else bound.process_utf8
        process(lines, b"", NOW)
    assert failures == []
    (series,) = metrics[0].data.values()
    assert isinstance(series, HistogramDatum)
    return series


def count(*values: float) -> object:
    """Return the buckets of some values."""
    counts = NativeCounts()
    for value in values:
        counts.observe(value)
    return counts.copy()


@pytest.mark.parametrize("buckets", [BUCKETS, MANY_BUCKETS])
@pytest.mark.parametrize(
    ("value", "pattern", "lines", "observed"),
    [
        ("$1", r"(\d+)", (b"7", b"0", b"200"), (7, 0, 200)),
        ("$1", r"([-+]?\d+)", (b"-7", b"+7"), (-7, 7)),
        ("$1", r"(\d+)", (b"9223372036854775807",), (2.0**63,)),
        ("$1", r"(\d+\.\d+)", (b"0.5", b"0.0", b"12.25"), (0.5, 0.0, 12.25)),
        ("$1 / 2", r"(\d+)", (b"7",), (3,)),
        ("float($1)", r"(\S+)", (b"NaN", b"-0.0", b"1e300"), (math.nan, -0.0, 1e300)),
        ("float($1)", r"(\S+)", (b"-Inf", b"+Inf"), (-math.inf, math.inf)),
        ("$2", r"(?P<x>\S+) (\d+)", ("ü 5".encode(),), (5,)),
    ],
)  # fmt: skip
def test_value_is_counted_in_both_of_its_buckets(
    buckets: str, value: str, pattern: str, lines: tuple[bytes, ...], observed: tuple[float, ...]
) -> None:
    """However its code is written: of Ints and Floats, of few bounds and many."""
    text = f"histogram h buckets {buckets}\n/^{pattern}$/ {{\n  h = {value}\n}}\n"
    series = run_native(text, *lines)
    assert series.value.native == count(*observed)
    assert series.count == len(observed)
    assert sum(series.counts) == sum(not math.isnan(value) for value in observed)


def test_sieved_code_and_begin_blocks_observe_too() -> None:
    """And series with labels."""
    text = f'histogram h by k buckets {BUCKETS}\nbegin {{\n  h["a"] = 3\n}}\n/^took (\\d+)/ {{\n  h["a"] = $1\n}}\n'
    assert run_native(text, b"took 5", sieved=True).value.native == count(3, 5)


def test_native_buckets_cost_one_statement() -> None:
    """Nothing else of the code differs, and without them it is as if there were none."""
    text = f"histogram h by k buckets {BUCKETS}\ncounter c\n/(\\w+) (\\d+)/ {{\n  h[$1] = $2\n  c++\n}}\n"
    plain, native = (compiled.listing.splitlines() for compiled in (compile_text(text), compile_native(text)))
    assert [line.strip() for line in native if line not in plain] == ["d.native.observe(x)"]
    assert [line for line in native if line in plain] == plain


def test_only_histograms_have_native_buckets() -> None:
    text = f"counter c\ngauge g\nhistogram h buckets {BUCKETS}\n/(\\d)/ {{\n  c++\n  g = $1\n  h = $1\n}}\n"
    assert [metric.native for metric in compile_native(text).metrics] == [False, False, True]
    assert [metric.native for metric in compile_text(text).metrics] == [False, False, False]
