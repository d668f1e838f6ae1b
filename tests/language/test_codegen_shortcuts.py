"""Where generated code does less than its program says, it does the same."""

from __future__ import annotations

from bisect import bisect_left

import pytest

from pipeline.metrics import Datum, HistogramDatum
from tests.language.test_codegen import compile_text, run_program


@pytest.mark.parametrize(
    ("number", "quotient", "remainder"),
    [(b"7", 3, 1), (b"-7", -3, -1), (b"-8", -4, 0), (b"-9223372036854775808", -(2**62), 0)],
)
def test_division_by_a_literal_goes_to_zero(number: bytes, quotient: int, remainder: int) -> None:
    """As any other division does, although Python's own rounds down."""
    run = run_program("gauge q\ngauge r\n/^([-+]?\\d+)$/ {\n  q = $1 / 2\n  r = $1 % 2\n}\n", number)
    assert (run.value("q"), run.value("r")) == (quotient, remainder)


@pytest.mark.parametrize(
    ("pattern", "text", "message"),
    [
        ("(\\d+)", b"9223372036854775808", "does not fit in 64 bits"),
        ("(-?\\d+)", b"-9223372036854775809", "does not fit in 64 bits"),
        ("(\\d+\\.\\d+)", b"1" * 400 + b".0", "too large for a Float"),
        ("(-?\\d+\\.\\d+)", b"-" + b"1" * 400 + b".0", "too large for a Float"),
        ("(?:(\\d+)|-)", b"-", "not a number"),
        ("(?:(\\d\\.\\d)|-)", b"-", "not a number"),
        ("(\\d*)", b"", "not a number"),
    ],
)
def test_number_of_a_group_is_within_its_range(pattern: str, text: bytes, message: str) -> None:
    """However its digits are bounded."""
    run = run_program(f"gauge g\n/^{pattern}$/ {{\n  g = $1\n}}\n", text)
    assert message in run.messages()[0]


def test_number_of_few_digits_needs_no_test() -> None:
    """Its pattern says that it fits."""
    assert "fail_value" not in compile_text("gauge g\n/(\\d{1,18})/ {\n  g = $1\n}\n").listing


@pytest.mark.parametrize("value", ["$1", "$1 / 1000", "$1 / 1000.0", "0.5", "float($2)"])
def test_bucket_is_the_first_whose_bound_is_not_exceeded(value: str) -> None:
    """Of few and of many buckets, for Ints and Floats."""
    text = f"histogram h buckets 0, 1, 2.5, 4\n/^(\\d+) (\\S+)$/ {{\n  h = {value}\n}}\n"
    numbers = (0, 1, 2, 3, 4, 5, 1000, 2500, 4000)
    for number in numbers:
        run = run_program(text, b"%d %d" % (number, number))
        series = run.metrics[0].data[()]
        assert isinstance(series, HistogramDatum)
        assert series.counts == [int(place == bisect_left((1, 2.5, 4), series.total)) for place in range(4)]


def test_bucket_of_many_is_found() -> None:
    """Where the code would grow with the bounds they are looked up."""
    text = f"histogram h buckets {', '.join(map(str, range(100)))}\n/^(\\d+)$/ {{\n  h = $1\n}}\n"
    run = run_program(text, b"50", b"99", b"100")
    series = run.metrics[0].data[()]
    assert isinstance(series, HistogramDatum)
    assert [place for place, count in enumerate(series.counts) if count] == [49, 98, 99]


def test_beginning_of_a_line_tells_patterns_apart() -> None:
    """Four bytes of it; a pattern with less of a certain beginning is tried."""
    text = "counter c by k\n" + "".join(
        f'/{pattern}/ {{\n  c["{number}"]++\n}}\n'
        for number, pattern in enumerate(("^abcd", "^abcx", "^(?:abcd|wxyz)+e", "^abc", "^ab[cd]d", "abcd", "^(abcde)"))
    )
    run = run_program(text, b"abcde", b"abc", b"xabcd", b"")
    assert {labels[0]: series.value for labels, series in run.metrics[0].data.items() if isinstance(series, Datum)} == {
        b"0": 1, b"2": 1, b"3": 2, b"4": 1, b"5": 2, b"6": 1,
    }  # fmt: skip
    assert "line[:4]" in run.compiled.listing


def test_length_above_zero_is_not_counted() -> None:
    """Whether there is a text can be asked of itself."""
    text = 'counter c by k\n/^(a)?b$/ {\n  len($1) > 0 {\n    c[$1]++\n  } else {\n    c["none"]++\n  }\n}\n'
    run = run_program(text, b"ab", b"b")
    assert sorted(run.metrics[0].data) == [(b"a",), (b"none",)]
    assert "len(" not in run.compiled.listing


def test_flag_of_otherwise_is_kept_where_one_looks_at_it() -> None:
    """On its own level, not for one within the block of another conditional."""
    inner = "counter c\n/a/ {\n  c++\n}\n/b/ {\n  /c/ {\n  }\n  otherwise {\n    c++\n  }\n}\n"
    listing = compile_text(inner).listing
    assert listing.count("matched = True") == 1
    assert run_program(inner, b"ab", b"abc", b"c").value("c") == 3


ROWS = """counter lines by a, b
counter bytes by a, b
gauge last by a, b
counter other by a
/^(\\w) (\\w) (\\d+|-)$/ {
  lines[$1][$2]++
  $3 != "-" {
    bytes[$1, $2] += int($3)
  }
  last[$1][$2] = 7
  other[$1]++
}
"""


def test_series_for_the_same_label_values_are_looked_up_once() -> None:
    """Before the condition behind which one of them is needed, too."""
    run = run_program(ROWS, b"x y 5", b"x z -", b"x y 6")
    assert run.compiled.listing.count("row1(") == 1
    assert (run.value("lines", b"x", b"y"), run.value("bytes", b"x", b"y"), run.value("last", b"x", b"z")) == (2, 11, 7)
    assert list(run.metrics[1].data) == [(b"x", b"y")]
    assert run.value("other", b"x") == 3


def test_series_that_was_deleted_is_created_anew() -> None:
    """A row knows it no more."""
    run = run_program(ROWS, b"x y 5")
    bound = run.compiled.bind(run.metrics, lambda _error, _line: None)
    bound.process_ascii([b"x y 5"], b"", 1)
    run.metrics[0].delete((b"x", b"y"))
    bound.process_ascii([b"x y 5"], b"", 1)
    bound.process_utf8([b"x y 5"], b"", 1)
    assert (run.value("lines", b"x", b"y"), run.value("bytes", b"x", b"y")) == (2, 20)


@pytest.mark.parametrize("change", ["del lines[$1][$2]", "del lines[$1, $2] after 1h"])
def test_metric_of_which_series_are_deleted_has_no_rows(change: str) -> None:
    """The line that deletes one may create it again."""
    text = ROWS.replace("  last[$1][$2] = 7", f"  last[$1][$2] = 7\n  {change}\n  lines[$1][$2] += 2")
    run = run_program(text, b"x y 5", b"x y 5")
    assert run.value("lines", b"x", b"y") == (2 if "after" not in change else 6)
    assert "find_bytes" in run.compiled.listing
    assert "find_lines" not in run.compiled.listing


def test_limited_metric_has_no_rows() -> None:
    """A series may be evicted by the line that holds it."""
    run = run_program(ROWS.replace("counter lines by a, b", "counter lines by a, b limit 1"), b"x y 5", b"x z 5")
    assert list(run.metrics[0].data) == [(b"x", b"z")]
    assert "find_lines" not in run.compiled.listing


def test_label_value_that_may_fail_is_computed_in_its_turn() -> None:
    """Not before a condition behind which it is needed first."""
    text = ROWS.replace("[$1][$2]", "[tolower($1)][int($2)]").replace("[$1, $2]", "[tolower($1)][int($2)]")
    run = run_program(text, b"x y 5", b"x 1 5")
    assert run.messages() == ["`y` is not an integer"]
    assert run.value("bytes", b"x", b"1") == 5


LARGEST = 2**63 - 1


@pytest.mark.parametrize("number", [0, 7, 10**15, 2**53, 2**53 + 1, 10**18 - 1, 9 * 10**18, 9 * 10**18 - 1, LARGEST])
@pytest.mark.parametrize("digits", ["\\d+", "\\d{1,3}\\d*", "[+]?\\d+"])
@pytest.mark.parametrize("bound", [2**53, 2**53 - 1])
def test_digits_are_read_as_the_float_that_their_int_is(number: int, digits: str, bound: int) -> None:
    """In a histogram and where a Float is asked for."""
    text = f"histogram h buckets 1, {bound}\ngauge g\n/^({digits})$/ {{\n  h = $1\n  g = $1 / 2.0\n}}\n"
    run = run_program(text, b"%d" % number)
    series = run.metrics[0].data[()]
    assert isinstance(series, HistogramDatum)
    assert series.total == float(number)
    assert series.counts == [number <= 1, 1 < number <= bound, number > bound]
    assert run.value("g") == number / 2.0


@pytest.mark.parametrize("text", [b"9223372036854775808", b"9" * 400, b"9" * 5000])
def test_digits_beyond_64_bits_are_no_float_either(text: bytes) -> None:
    """They are those of an Int."""
    run = run_program("histogram h buckets 1, 2\n/^(\\d+)$/ {\n  h = $1\n}\n", text)
    assert run.messages() == ["the number of a capture group does not fit in 64 bits"]


def test_minus_zero_is_zero_where_it_is_an_int() -> None:
    """Only a Float has two of them."""
    run = run_program("gauge g\n/^(-?\\d+)$/ {\n  g = float($1)\n}\n", b"-0")
    assert str(run.value("g")) == "0.0"


def test_histogram_of_large_bounds_compares_ints() -> None:
    """Floats near such a bound are not exact."""
    run = run_program("histogram h buckets 1, 9007199254740994\n/^(\\d+)$/ {\n  h = $1\n}\n", b"9007199254740995")
    series = run.metrics[0].data[()]
    assert isinstance(series, HistogramDatum)
    assert series.counts == [0, 0, 1]


def test_lower_case_of_a_piece_of_a_line_follows_the_characters() -> None:
    """In every form of the function; and of a text that was kept from another line."""
    text = "counter c by k\ntext last\n/^(\\S+)$/ {\n  c[tolower($1)]++\n  c[tolower(last)]++\n  last = $1\n}\n"
    run = run_program(text, "ÄB".encode(), b"CD")
    assert sorted(run.metrics[0].data) == [(b"",), (b"cd",), ("äb".encode(),)]
