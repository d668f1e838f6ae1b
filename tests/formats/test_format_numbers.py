"""Numbers of the formats."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats.numbers import format_json_number, format_sample


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (5, "5"),
        (-2.5, "-2.5"),
        (1 << 62, "4.611686018427388e+18"),
        (math.nan, "NaN"),
        (-math.inf, "-Inf"),
        (b"text", "0"),
        (b"", "0"),
    ],
)
def test_sample_is_a_double_in_gos_form(value: float | bytes, text: str) -> None:
    """A text counts as 0, and 0 has no sign."""
    assert format_sample(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9007199254740993, "9007199254740993"),
        (-3, "-3"),
        (2.0, "2"),
        (-0.0, "-0"),
        (0.5, "0.5"),
        (1234567.25, "1234567.25"),
        (0.0001, "0.0001"),
        (0.00001, "0.00001"),
        (0.0000015, "0.0000015"),
        (-0.000001, "-0.000001"),
        (0.0000001, "1e-7"),
        (-0.000000123, "-1.23e-7"),
        (1e-12, "1e-12"),
        (5e-324, "5e-324"),
        (1e16, "10000000000000000"),
        (1.2345678901234567e20, "123456789012345670000"),
        (-1e20, "-100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (math.nan, '"NaN"'),
        (math.inf, '"+Inf"'),
        (-math.inf, '"-Inf"'),
    ],
)
def test_json_number_has_gos_form(value: float, text: str) -> None:
    """An exponent only below 1e-6 and from 1e21 on, written short (spec 15)."""
    assert format_json_number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_number_reads_back_as_the_same_value(value: float) -> None:
    """Nothing is lost."""
    assert float(json.loads(format_json_number(value))) == value
