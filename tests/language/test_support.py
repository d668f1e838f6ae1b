"""What generated code calls: conversions, arithmetic, comparison and text."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import LineError
from pipeline.language import support

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
INTS = st.integers(INT_MIN, INT_MAX)


# Text to number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"0", 0),
        (b"007", 7),
        (b"-7", -7),
        (b"+7", 7),
        (b"-0", 0),
        (b"999999999999999999", 10**18 - 1),
        (b"9223372036854775807", INT_MAX),
        (b"-9223372036854775808", INT_MIN),
        (b"0" * 70_000 + b"1", 1),
    ],
)
def test_integer_text_is_read(text: bytes, value: int) -> None:
    """An optional sign and decimal digits within 64 bits."""
    assert support.parse_int(text) == value


@pytest.mark.parametrize(
    "text",
    [b"", b"+", b"-", b"1_000", b" 1", b"1 ", b"1\n", b"1.0", b"1e3", b"0x1f", b"--1", b"+-1", b"\xd9\xa1", b"\xb2"],
)
def test_other_text_is_no_integer(text: bytes) -> None:
    """No spaces, no underscores, no prefixes, no digits but ASCII ones."""
    with pytest.raises(LineError):
        support.parse_int(text)


def test_integer_errors_name_the_text() -> None:
    """The message says what is wrong and shows the text."""
    with pytest.raises(LineError, match=r"^`12x` is not an integer$"):
        support.parse_int(b"12x")
    with pytest.raises(LineError, match=r"^the integer `9223372036854775808` does not fit in 64 bits$"):
        support.parse_int(b"9223372036854775808")
    with pytest.raises(LineError, match=r"^the integer `-9223372036854775809` does not fit in 64 bits$"):
        support.parse_int(b"-9223372036854775809")


def test_endless_digits_cost_no_time() -> None:
    """A number that cannot fit is refused before it is computed."""
    with pytest.raises(LineError, match=r"does not fit in 64 bits$"):
        support.parse_int(b"9" * 1_000_000)


def test_shown_text_is_short_and_printable() -> None:
    """A message cannot drive a terminal, and stays on one line."""
    assert support.show_text(b"a\x1b[31m\nb") == "`a\ufffd[31m\ufffdb`"
    assert support.show_text(b"x" * 60) == "`" + "x" * 60 + "`"
    assert support.show_text(b"x" * 61) == "`" + "x" * 60 + "…`"
    assert support.show_text(b"\xff\xc3\xa9") == "`\ufffdé`"
    assert support.show_text(b"") == "an empty text"


@given(INTS)
def test_integer_text_round_trips(value: int) -> None:
    """Reading undoes writing."""
    assert support.parse_int(b"%d" % value) == value
    assert support.int_text(b"%d" % value) == b"%d" % value


@given(st.binary(max_size=6) | st.from_regex(rb"[-+ _0-9]{0,25}", fullmatch=True))
def test_integer_reading_never_differs_from_its_rule(text: bytes) -> None:
    """Whatever the text, it is an optional sign and ASCII digits within 64 bits, or a LineError."""
    digits = text[1:] if text[:1] in (b"+", b"-") else text
    wanted = int(text) if digits and set(digits) <= set(b"0123456789") else None
    if wanted is not None and INT_MIN <= wanted <= INT_MAX:
        assert support.parse_int(text) == wanted
        assert support.int_text(text) == b"%d" % wanted
    else:
        for function in (support.parse_int, support.int_text):
            with pytest.raises(LineError):
                function(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1", 1.0),
        (b"1.", 1.0),
        (b".5", 0.5),
        (b"-1.5e3", -1500.0),
        (b"1E+3", 1000.0),
        (b"1_0", 10.0),
        (b"1_23.50_0_0e+1_2", 1.235e14),
        (b"inf", math.inf),
        (b"+Inf", math.inf),
        (b"-INFINITY", -math.inf),
        (b"1e-400", 0.0),
        (b"0x1.8p1", 3.0),
        (b"-0X.8P+1", -1.0),
        (b"0x_1_fp1_0", 31744.0),
        (b"0x1.p-1", 0.5),
        (b"0x1p-2000", 0.0),
    ],
)
def test_float_text_is_read(text: bytes, value: float) -> None:
    """Decimal and hexadecimal, with underscores between digits, and the words for infinity."""
    assert support.parse_float(text) == value


@pytest.mark.parametrize("text", [b"nan", b"NaN", b"NAN"])
def test_not_a_number_is_a_number(text: bytes) -> None:
    """It is read in any case, without a sign."""
    assert math.isnan(support.parse_float(text))


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b".", b"e", b"e5", b"1e", b"1e+", b"+nan", b"-nan", b"infin", b" 1", b"1 ", b"1\n", b"\x001"),
        *(b"_1", b"1_", b"1__0", b"1_.5", b"1._5", b"1e_5", b"1e5_", b"0x1", b"0xp1", b"0x1p", b"0x1.8", b"0b1p1"),
        *(b"1.2.3", b"1,5", b"0x1p1.5", b"0x__1p1", b"\xd9\xa1", b" nan", b"inf "),
    ],
)
def test_other_text_is_no_float(text: bytes) -> None:
    """What Python takes and Go does not, and the other way round."""
    with pytest.raises(LineError, match=r"is not a number$"):
        support.parse_float(text)


@pytest.mark.parametrize("text", [b"1e999", b"-1e999", b"0x1p1024", b"-0x1p9999", b"1" * 400])
def test_float_that_is_too_large_is_an_error(text: bytes) -> None:
    """Too large is an error, where too small is zero."""
    with pytest.raises(LineError, match=r"is too large for a Float$"):
        support.parse_float(text)


@given(st.floats(allow_nan=False))
def test_float_text_round_trips(value: float) -> None:
    """The shortest text reads as the same double, in both forms."""
    assert support.parse_float(support.format_float(value)) == value
    assert support.parse_float(support.format_float_upper(value)) == value
    if math.isfinite(value):
        assert support.parse_float(value.hex().encode()) == value


# Number to text


def format_slowly(value: float) -> str:
    """Return FMT_G by its definition: shortest digits, and an exponent from X < -4 or X >= 6 on."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    _, digits, scale = Decimal(repr(abs(value))).normalize().as_tuple()
    assert isinstance(scale, int)
    text = "".join(str(digit) for digit in digits)
    first = len(text) - 1 + scale
    if value and not -4 <= first < 6:
        return f"{sign}{text[0]}{'.' if text[1:] else ''}{text[1:]}e{'-' if first < 0 else '+'}{abs(first):02d}"
    return sign + (f"{abs(Decimal(repr(value))):f}".rstrip("0").rstrip(".") if value % 1 else f"{abs(value):.0f}")


@given(st.floats() | st.floats(-2e6, 2e6) | st.integers(-(10**17), 10**17).map(float))
@example(0.0001)
@example(0.00001)
@example(123456.0)
@example(999999.5)
@example(1000000.0)
@example(-0.0)
@example(5e-324)
def test_float_is_written_by_its_definition(value: float) -> None:
    """FMT_G, against a slow reading of its definition."""
    assert support.format_float(value).decode() == format_slowly(value)
    if math.isfinite(value):
        assert support.format_float_upper(value).decode() == format_slowly(value).upper()


@pytest.mark.parametrize(
    ("text", "label"),
    [(b"12.80", b"12.8"), (b"100000000.0", b"1e+08"), (b"203.0", b"203"), (b"0.00001", b"1e-05"), (b"-0.0", b"-0")],
)
def test_captured_float_is_reformatted_as_label(text: bytes, label: bytes) -> None:
    """Worked cases 25 and 26."""
    assert support.float_text(text) == label
    assert support.float_text(text) == label, "a second time, from memory"


def test_float_that_ends_in_a_text_has_a_capital_exponent() -> None:
    """Worked case 26."""
    assert support.format_float_upper(0.00001) == b"1E-05"


@pytest.mark.parametrize(
    ("text", "label"), [(b"007", b"7"), (b"+7", b"7"), (b"-0", b"0"), (b"0", b"0"), (b"42", b"42")]
)
def test_captured_integer_loses_leading_zeros_as_label(text: bytes, label: bytes) -> None:
    """Worked case 21."""
    assert support.int_text(text) == label


def test_label_of_no_number_is_an_error() -> None:
    """Worked case 29: the group was typed as a Float, and `e` is none."""
    with pytest.raises(LineError, match=r"^`e` is not a number$"):
        support.float_text(b"e")


def test_memo_forgets_long_texts_and_starts_anew_when_full() -> None:
    """Strangers' lines cannot fill it."""
    asked: list[bytes] = []

    def measure(text: bytes) -> int:
        asked.append(text)
        return len(text)

    memo = support.Memo(measure)
    for text in (b"a", b"a", b"x" * 33, b"x" * 33):
        assert memo[text] == len(text)
    assert asked == [b"a", b"x" * 33, b"x" * 33]
    for number in range(support.MAX_MEMO_ENTRIES):
        assert memo[b"%d" % number] == len(b"%d" % number)
    assert len(memo) == 1


# Arithmetic


def truncate(left: int, right: int) -> int:
    """Return the quotient of exact arithmetic, truncated."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


@given(INTS, INTS.filter(bool))
@example(INT_MIN, -1)
@example(-7, 2)
def test_division_truncates_and_remainder_follows_the_dividend(left: int, right: int) -> None:
    """Worked case 70; the one quotient that does not fit wraps."""
    quotient = truncate(left, right)
    assert support.divide_int(left, right) == support.wrap_int64(quotient)
    assert support.modulo_int(left, right) == left - quotient * right


def test_integer_division_by_zero_is_an_error() -> None:
    """Worked case 76."""
    with pytest.raises(LineError, match=r"^division of 1 by zero$"):
        support.divide_int(1, 0)
    with pytest.raises(LineError, match=r"^remainder of -1 by zero$"):
        support.modulo_int(-1, 0)


@pytest.mark.parametrize(
    ("left", "right", "power"),
    [
        *((2, 62, 2**62), (2, -1, 0), (2, 63, INT_MIN), (-2, 63, INT_MIN), (-2, 3, -8), (0, 0, 1), (0, -1, INT_MIN)),
        *((10, 400, INT_MIN), (-10, 401, INT_MIN), (-1, INT_MIN, 1), (3, 35, 50031545098999704)),
    ],
)
def test_integer_power_goes_through_doubles(left: int, right: int, power: int) -> None:
    """Worked case 73; out of range is the smallest Int, and a large power loses its last digits."""
    assert support.power_int(left, right) == power


INF, NAN = math.inf, math.nan


def same(left: float, right: float) -> bool:
    """Return whether two doubles are alike: NaN equals NaN, and zeros have signs."""
    return (math.isnan(left) and math.isnan(right)) or (
        left == right and math.copysign(1, left) == math.copysign(1, right)
    )


@pytest.mark.parametrize(
    ("function", "left", "right", "result"),
    [
        *((support.divide_float, 7.0, 2.0, 3.5), (support.divide_float, 1.0, 0.0, INF)),
        *((support.divide_float, 1.0, -0.0, -INF), (support.divide_float, -1.0, -0.0, INF)),
        *((support.divide_float, 0.0, 0.0, NAN), (support.divide_float, NAN, 0.0, NAN)),
        *((support.divide_float, -INF, 0.0, -INF), (support.divide_float, 1e308, 1e-308, INF)),
        *((support.modulo_float, 7.5, 2.0, 1.5), (support.modulo_float, -7.5, 2.0, -1.5)),
        *((support.modulo_float, 7.0, 0.0, NAN), (support.modulo_float, INF, 2.0, NAN)),
        *((support.modulo_float, 7.0, -INF, 7.0), (support.modulo_float, NAN, 2.0, NAN)),
        *((support.power_float, 2.0, 0.5, math.sqrt(2)), (support.power_float, -8.0, 1 / 3, NAN)),
        *((support.power_float, 1e300, 2.0, INF), (support.power_float, -1e300, 3.0, -INF)),
        *((support.power_float, -1e300, 2.0, INF), (support.power_float, 0.0, -1.0, INF)),
        *((support.power_float, -0.0, -1.0, -INF), (support.power_float, -0.0, -2.0, INF)),
        *((support.power_float, -0.0, -0.5, INF), (support.power_float, NAN, 0.0, 1.0)),
        *((support.power_float, -1.0, INF, 1.0), (support.power_float, -2.0, -INF, 0.0)),
    ],
)
def test_float_arithmetic_never_fails(
    function: Callable[[float, float], float], left: float, right: float, result: float
) -> None:
    """IEEE division, C's fmod and C's pow, where Python raises or turns complex."""
    assert same(function(left, right), result)


@given(st.floats(), st.floats())
def test_float_arithmetic_gives_a_float_for_any_operands(left: float, right: float) -> None:
    """No operand makes it fail."""
    for function in (support.divide_float, support.modulo_float, support.power_float):
        assert isinstance(function(left, right), float)


@pytest.mark.parametrize(
    ("value", "count", "left", "right"),
    [
        *((1, 0, 1, 1), (1, 63, INT_MIN, 0), (1, 64, 0, 0), (-8, 64, 0, -1), (-8, 1, -16, -4)),
        *((3, 63, INT_MIN, 0), (5, 2**31 - 2, 0, 0)),
    ],
)
def test_shift(value: int, count: int, left: int, right: int) -> None:
    """Worked case 75."""
    assert support.shift_left(value, count) == left
    assert support.shift_right(value, count) == right


@pytest.mark.parametrize("function", [support.shift_left, support.shift_right])
def test_shift_count_out_of_range_is_an_error(function: Callable[[int, int], int]) -> None:
    """Negative, or 2 ** 31 - 1 and more."""
    with pytest.raises(LineError, match=r"^the shift count -1 is negative$"):
        function(1, -1)
    with pytest.raises(LineError, match=r"^the shift count 2147483647 is too large$"):
        function(1, 2**31 - 1)


# Comparison


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        *((b"10", b"10.0", 0), (b"9", b"10", -1), (b"1e3", b"999", 1), (b"a", b"a", 0), (b"a", b"b", -1)),
        *((b"10", b"a", -1), (b"a", b"10", 1), (b"0x1p4", b"16", 0), (b"1e999", b"2", -1), (b"inf", b"1", 1)),
    ],
)
def test_numbers_compare_as_numbers_and_all_else_as_text(left: bytes, right: bytes, order: int) -> None:
    """Worked cases 35 and 116; numeric only if both sides read as Floats."""
    assert support.order_numeric_first(left, right) == order


def test_not_a_number_is_neither_less_nor_equal() -> None:
    """Worked case 117: `==`, `<` and `>` are false, their negations true."""
    for left, right in ((b"nan", b"nan"), (b"nan", b"1"), (b"1", b"NaN")):
        order = support.order_numeric_first(left, right)
        assert [order < 0, order == 0, order > 0] == [False, False, False]


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_order_of_numbers_is_the_order_of_their_texts(left: float, right: float) -> None:
    """Every operator is a test of the order against zero."""
    order = support.order_numeric_first(support.format_float(left), support.format_float(right))
    for operator in (lt, le, gt, ge, eq, ne):
        assert operator(left, right) == operator(order, 0)


def test_group_without_a_match_is_named() -> None:
    """The message of runtime error 5."""
    with pytest.raises(LineError, match=r"^the pattern of `\$code` was not tried or did not match on this line$"):
        support.raise_no_match("code")


# Text


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [
        *((b"ff", 16, 255), (b"FF", 16, 255), (b"-zz", 36, -1295), (b"+101", 2, 5), (b"0b1", 16, 177)),
        *((b"1" * 63, 2, INT_MAX), (b"-1" + b"0" * 63, 2, INT_MIN), (b"0x1f", 36, 42819), (b"0" * 99 + b"7", 8, 7)),
    ],
)
def test_strtol_reads_any_base(text: bytes, base: int, value: int) -> None:
    """Worked case 80."""
    assert support.strtol(text, base) == value


@pytest.mark.parametrize(
    ("text", "base"),
    [
        (b"0x1f", 16),
        (b"0b1", 2),
        (b"0o7", 8),
        (b"8", 8),
        (b"1_0", 10),
        (b" 1", 10),
        (b"", 10),
        (b"-", 10),
        (b"1" * 64, 2),
    ],
)
def test_strtol_takes_no_prefix_and_no_other_digit(text: bytes, base: int) -> None:
    """No prefixes, underscores or spaces, and 64 bits."""
    with pytest.raises(LineError):
        support.strtol(text, base)


@pytest.mark.parametrize("base", [-1, 0, 1, 37, 2**31])
def test_strtol_refuses_other_bases(base: int) -> None:
    """A base is from 2 to 36."""
    with pytest.raises(LineError, match=f"^the base {base} of strtol is not between 2 and 36$"):
        support.strtol(b"1", base)


def test_strtol_names_the_base() -> None:
    """The message of a text that does not fit its base."""
    with pytest.raises(LineError, match=r"^`0x1f` is not an integer in base 16$"):
        support.strtol(b"0x1f", 16)


@pytest.mark.parametrize(
    ("old", "new", "text", "result"),
    [
        *(
            (b",", b"", b"1,2", b"12"),
            (b"", b"-", b"1,2", b"-1-,-2-"),
            (b"", b"-", b"", b"-"),
            (b"aa", b"b", b"aaa", b"ba"),
        ),
        (b"", b"-", "hé".encode(), "-h-é-".encode()),
        (b"", b"\xff", b"\xc3(\xe2\x82", b"\xff\xc3\xff(\xff\xe2\xff\x82\xff"),
    ],
)
def test_substitute_replaces_every_occurrence(old: bytes, new: bytes, text: bytes, result: bytes) -> None:
    """Worked case 79; an empty text stands between characters, and an invalid byte is one."""
    assert support.substitute(old, new, text) == result


@pytest.mark.parametrize(
    ("text", "lower"),
    [
        *(
            ("ABC1", "abc1"),
            ("ÄΣ", "äσ"),
            ("ΑΣ", "\u03b1\u03c3"),
            ("İI", "ii"),
            ("ẞ", "ß"),
            ("Ꭰ", "\uab70"),
            ("ǅ", "ǆ"),
        ),
    ],
)
def test_lower_case_maps_one_character_to_one(text: str, lower: str) -> None:
    """The simple mapping: no final sigma, and one letter for a dotted capital I."""
    assert support.lower_text(text.encode()) == lower.encode()


def test_lower_case_replaces_each_invalid_byte() -> None:
    """A byte that is no part of a character becomes U+FFFD of its own."""
    assert support.lower_text(b"A\xe2\x82B\xff") == "a\ufffd\ufffdb\ufffd".encode()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_lower_case_of_a_text_is_that_of_its_characters(text: str) -> None:
    """What stands around a character has no influence, and one character stays one."""
    alone = [support.lower_text(char.encode()).decode() for char in text]
    assert support.lower_text(text.encode()).decode() == "".join(alone)
    assert [len(char) for char in alone] == [1] * len(text)
