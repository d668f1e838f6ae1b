"""The texts of fields, as matchers and labels have them."""

from __future__ import annotations

import json

import pytest

from pipeline.decoders import Value
from pipeline.metlog.endpoints import spell_value
from pipeline.metlog.endpoints.message import TOO_DEEP


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("ü", "ü"),
        (b"a\xff", "a\udcff"),
        (True, "true"),
        (False, "false"),
        (2**70, str(2**70)),
        (0.25, "0.25"),
        (1e300, "1e+300"),
        ({"a": [1, "b", None]}, '{"a":[1,"b",null]}'),
        ([], "[]"),
    ],
)
def test_value_has_a_text(value: Value, text: str) -> None:
    """Tables and lists are JSON."""
    assert spell_value(value) == text


def test_value_that_is_nested_too_deeply_has_a_text_too() -> None:
    """Nobody means it."""
    assert spell_value(json.loads("[" * 500 + "]" * 500)) == TOO_DEEP
