"""How a program reads the fields of a record."""

from __future__ import annotations

import pytest

from pipeline.decoders import Record, Value, find_field

RECORD: Record = {"a": {"b": [10, {"c": "deep"}]}, "log.level": "info", "none": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a", "b", "0"), 10),
        (("a", "b", "1", "c"), "deep"),
        (("a", "b", "2"), None),
        (("a", "b", "c"), None),
        (("log", "level"), "info"),
        (("none",), None),
        (("none", "x"), None),
        (("x",), None),
    ],
)
def test_field_is_found_by_its_path(path: tuple[str, ...], value: Value) -> None:
    assert find_field(RECORD, path) == value


def test_single_value_has_no_fields() -> None:
    assert find_field(5, ("a",)) is None
