"""Floats as Go writes them."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import format_go_float


def format_slowly(value: float) -> str:
    """Return FMT_G by the words of spec 6.7, from the digits of `repr`, which are the shortest."""
    number = Decimal(repr(value)).normalize()
    exponent = number.adjusted()
    if not number or -4 <= exponent < 6:
        return f"{number:f}"
    mantissa = number.scaleb(-exponent)
    return f"{mantissa:f}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_form_follows_the_rule(value: float) -> None:
    """Any double, by another way."""
    assert format_go_float(value) == format_slowly(value)


@given(st.floats(allow_nan=False))
def test_text_reads_back_as_the_same_value(value: float) -> None:
    """Nothing is lost, not even the sign of zero."""
    again = float(format_go_float(value))
    assert again == value
    assert math.copysign(1.0, again) == math.copysign(1.0, value)


@given(st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1))
def test_int_is_taken_as_the_nearest_double(value: int) -> None:
    """As Prometheus output wants it (behaviour.md 5.3)."""
    assert format_go_float(value) == format_go_float(float(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123456, "123456"),
        (1234567, "1.234567e+06"),
        (1000000, "1e+06"),
        (-1000000, "-1e+06"),
        (999999, "999999"),
        (999999.5, "999999.5"),
        (1000000.5, "1.0000005e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-0.00001234, "-1.234e-05"),
        (5.0, "5"),
        (0.0, "0"),
        (-0.0, "-0"),
        (9007199254740993, "9.007199254740992e+15"),
        (1e100, "1e+100"),
        (5e-324, "5e-324"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_known_values(value: float, text: str) -> None:
    """The examples of the specification and the edges between the forms."""
    assert format_go_float(value) == text


@pytest.mark.parametrize(("value", "text"), [(1e7, "1E+07"), (1e-7, "1E-07"), (math.nan, "NaN"), (2.5, "2.5")])
def test_exponent_letter_can_be_a_capital(value: float, text: str) -> None:
    """As a text metric stores a Float (spec 15)."""
    assert format_go_float(value, "E") == text
