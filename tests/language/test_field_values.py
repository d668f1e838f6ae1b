"""What a field is where a program uses it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoders import Value
from pipeline.errors import LineError
from pipeline.language.field_values import field_float, field_int, field_number, field_text

DEEP: Value = 1
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\xff", b"\xff"),
        ("\udcffé", b"\xff\xc3\xa9"),
        (200, b"200"),
        (2**64 - 1, b"18446744073709551615"),
        (0.25, b"0.25"),
        (1e300, b"1e+300"),
        (True, b"true"),
        (False, b"false"),
        ({"a": [1, "x", None]}, b'{"a":[1,"x",null]}'),
        ([], b"[]"),
        ({"ID": {"key": b"v"}}, b'{"ID":{"key":"v"}}'),
        ({"ID": {"k\udcff": b"v\xff"}}, b'{"ID":{"k\xff":"v\xff"}}'),
        (
            {"a": [{}, [], [1, {"b": None, "c": "\udcff"}]], "d": 0.5},
            b'{"a":[{},[],[1,{"b":null,"c":"\xff"}]],"d":0.5}',
        ),
        pytest.param(DEEP, b"[" * 5000 + b"1" + b"]" * 5000, id="deep"),
    ],
    ids=repr,
)
def test_text_of_a_field(value: Value, text: bytes) -> None:
    assert field_text("$x", value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), (7.0, 7), (b"7", 7), ("-7", -7), ("7.0", 7), ("1e3", 1000), (2**63 - 1, 2**63 - 1)],
    ids=repr,
)
def test_int_of_a_field(value: Value, number: int) -> None:
    result = field_int("$x", value)
    assert (result, type(result)) == (number, int)


@pytest.mark.parametrize(
    ("value", "number"), [(7, 7.0), (0.25, 0.25), (b"0.25", 0.25), ("7", 7.0), (2**64 - 1, float(2**64 - 1))], ids=repr
)
def test_float_of_a_field(value: Value, number: float) -> None:
    result = field_float("$x", value)
    assert (result, type(result)) == (number, float)


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), (0.25, 0.25), (b"7", 7), (b"-0.5", -0.5), (b"9223372036854775807", 2**63 - 1), (b"9" * 30, 1e30)],
    ids=repr,
)
def test_number_of_a_field_is_whole_where_it_can_be(value: Value, number: float) -> None:
    result = field_number("$x", value)
    assert (result, type(result)) == (number, type(number))


FRACTION = "which is not a whole number: write `float(…)` around it, and let the metric hold Floats"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the field `$x` is absent"),
        (0.25, f"the field `$x` is `0.25`, {FRACTION}"),
        ("0.25", f"the field `$x` is `0.25`, {FRACTION}"),
        (1e300, "the field `$x` is `1e+300`, which does not fit in 64 bits"),
        (2**63, "the field `$x` is `9223372036854775808`, which does not fit in 64 bits"),
        ("9223372036854775808", "the field `$x` is `9.223372036854776e+18`, which does not fit in 64 bits"),
        (True, "the field `$x` is `true`, which is not an integer"),
        (b"abc", "the field `$x`: `abc` is not an integer"),
        (b"", "the field `$x`: an empty text is not an integer"),
        (b"nan", "the field `$x`: `nan` is not an integer"),
        ([1], "the field `$x` is `[1]`, which is not an integer"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_int_fails_with_the_name_of_the_field(value: Value, message: str) -> None:
    with pytest.raises(LineError) as caught:
        field_int("$x", value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the field `$x` is absent"),
        (False, "the field `$x` is `false`, which is not a number"),
        (b"1ms", "the field `$x`: `1ms` is not a number"),
        (b"1e999", "the field `$x`: the number `1e999` is too large for a Float"),
        ({}, "the field `$x` is `{}`, which is not a number"),
    ],
    ids=repr,
)
def test_what_is_no_number_fails_with_the_name_of_the_field(value: Value, message: str) -> None:
    for convert in (field_float, field_number):
        with pytest.raises(LineError) as caught:
            convert("$x", value)
        assert str(caught.value) == message


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@pytest.mark.slow
@given(VALUES)
def test_any_value_is_converted_or_fails_on_its_line_alone(value: Value) -> None:
    for convert in (field_text, field_int, field_float, field_number):
        try:
            result = convert("$x", value)
        except LineError:
            continue
        assert isinstance(result, bytes) == (convert is field_text)


@pytest.mark.slow
@given(VALUES)
def test_int_fits_in_64_bits(value: Value) -> None:
    try:
        number = field_int("$x", value)
    except LineError:
        return
    assert -(2**63) <= number < 2**63


@given(st.binary())
def test_text_of_any_bytes_is_those_bytes(text: bytes) -> None:
    assert field_text("$x", text.decode("utf-8", "surrogateescape")) == text


def test_not_a_number_is_one_as_it_is_in_captures() -> None:
    assert math.isnan(field_float("$x", b"NaN"))
