"""How a program reads the fields of a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoders import Record, Value, find_field, make_finder

RECORD: Record = {
    "a": {"b": [10, {"c": "deep", "d.e": "joined in a list"}], "x.y": "joined within", "n": None},
    "a.b.f": "joined",
    "a.n": "joined, as the other is null",
    "log.level": "info",
    "k8s.pod": {"name": "web", "ip.v4": "192.0.2.1"},
    "fields": {"http.method": "GET", "http": {"status": 200}},
    "both": {"a.b": 1, "a": {"b": 2}},
    "both.a.b": 3,
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a", "b", "0"), 10),
        (("a", "b", "1", "c"), "deep"),
        (("a", "b", "2"), None),
        (("a", "b", "c"), None),
        (("log", "level"), "info"),
        (("a", "x", "y"), "joined within"),
        (("a", "b", "f"), "joined"),
        (("a", "b", "1", "d", "e"), "joined in a list"),
        (("a", "n"), "joined, as the other is null"),
        (("k8s", "pod", "name"), "web"),
        (("k8s", "pod", "ip", "v4"), "192.0.2.1"),
        (("k8s", "pod", "port"), None),
        (("fields", "http", "method"), "GET"),
        (("fields", "http", "status"), 200),
        (("both", "a", "b"), 2),
        (("log", "level", "x"), None),
        (("none",), None),
        (("none", "x"), None),
        (("x",), None),
    ],
)
def test_field_is_found_by_its_path(path: tuple[str, ...], value: Value) -> None:
    assert find_field(RECORD, path) == value
    assert isinstance(RECORD, dict)
    if len(path) > 1:
        assert make_finder(path)(RECORD) == value


NAMES = st.sampled_from(["a", "b", "0", "a.b", "b.0", "a.b.0"])
TABLES = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.dictionaries(NAMES, inner, max_size=6) | st.lists(inner, max_size=2),
    max_leaves=20,
)


def search(value: Value, path: tuple[str, ...]) -> Value:
    """Return what is at a path by the rule itself: the first names are one, the fewer the better."""
    if not path:
        return value
    if isinstance(value, list):
        return search(value[int(path[0])], path[1:]) if path[0] == "0" and value else None
    if not isinstance(value, dict):
        return None
    ways = (search(value.get(".".join(path[:end])), path[end:]) for end in range(1, len(path) + 1))
    return next((found for found in ways if found is not None), None)


@pytest.mark.slow
@given(st.dictionaries(NAMES, TABLES, max_size=6), st.lists(st.sampled_from(["a", "b", "0"]), min_size=2, max_size=4))
def test_field_is_found_whichever_names_are_joined(record: dict[str, Value], names: list[str]) -> None:
    path = tuple(names)
    expected = search(record, path)
    assert find_field(record, path) == expected
    assert make_finder(path)(record) == expected


def test_single_value_has_no_fields() -> None:
    assert find_field(5, ("a",)) is None
