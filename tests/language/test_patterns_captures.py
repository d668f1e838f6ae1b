"""The types of capture groups (spec section 6.5)."""

from __future__ import annotations

import pytest

from pipeline.language.patterns import Group, capture_groups, parse_pattern
from pipeline.language.types import Type

TYPES = {
    Type.INT: r"(\d+) (\d*) (\d?) (\d{2}) (\d{1,3}) (-?\d+) ([+-]?\d+) (5) (42) ([0-4]+) ((\d+)) ([1]) (12|34) "
    r"(12|13) (\d{2}|\d{4}) (\x31) (\061) ([[:digit:]]+) ((\d)) (?P<n>\d+) ((?:\d+)+) ((\d+|-)) (5|5) ((?:1)(?:2)) "
    r"(\Q12\E) (1{3})",
    Type.FLOAT: r"(\d+\.\d+) ([\d.]+) (\d+(\.\d+)?) (\d*\.\d+|\d+) (\.) (e) (1e5) (\d+e) "
    r"((?:\d+\.)+\d+) (\d+|\d+\.\d+) ((?i)e) ([eE]) (\d+(?:\.){1}\d*) (\d+[.]?\d*) (\.{1}) ((?:\.)?)",
    Type.STRING: r"(\d) ([12]) (\d{1}) (1|2) (-) ([+-]+) (\d+\.\d+\.\d+) (\d+(?:\.\d+){3}) (\d+(?:\.\d+){1,3}) (\d+|-) "
    r"(\d+|[a-z]+) (\d+|) (12|1) (\d\d|\d) (\d+,\d+) (\d+.\d+) (.*) (\S+) (\w+) (true|false) () (^\d+) (\d+$) "
    r"(\d{0}) ((?:\d){1,1}) ((?:12|x){1}) (\.{2}) (\d+\b) (5(?:)) ((?i)k)",
}


@pytest.mark.parametrize(
    ("text", "expected"), [(text, expected) for expected, texts in TYPES.items() for text in texts.split()]
)
def test_type_follows_from_the_tree(text: str, expected: Type) -> None:
    """The table of the specification, and what its rules come to elsewhere."""
    assert capture_groups(parse_pattern(text))[0].type is expected


@pytest.mark.slow
def test_unicode_digits_are_no_number() -> None:
    """Only those of ASCII are."""
    assert capture_groups(parse_pattern(r"(\pN+)"))[0].type is Type.STRING


def test_groups_come_in_the_order_of_their_numbers() -> None:
    """With their names, whatever is around them."""
    assert capture_groups(parse_pattern(r"(?P<a>x(\d+))|(?:(?P<c>y)|z)*")) == (
        Group(1, "a", Type.STRING, optional=True, longest=None, signed=False),
        Group(2, None, Type.INT, optional=True, longest=None, signed=False),
        Group(3, "c", Type.STRING, optional=True, longest=1, signed=False),
    )


@pytest.mark.parametrize(
    ("text", "optional"),
    [
        ("(a)", False),
        ("(a)?", True),
        ("(a)*", True),
        ("(a)+", False),
        ("(a){0,2}", True),
        ("(a)|b", True),
        ("x(a)$", False),
    ],
)
def test_group_that_can_be_passed_by_is_optional(text: str, optional: bool) -> None:
    """Only then can it read as nothing after a match."""
    assert [group.optional for group in capture_groups(parse_pattern(text))] == [optional]


@pytest.mark.parametrize(
    ("text", "longest", "signed"),
    [
        (r"(\d{1,3})", 3, False),
        (r"(\d{4}|\d\d)", 4, False),
        (r"(-?\d{2})", 3, True),
        (r"([+-]?\d+)", None, True),
        (r"((?:\d\d){3})", 6, False),
        (r"(\d+)", None, False),
        (r"(^\d$)", 1, False),
        (r"([^x])", 1, True),
    ],
)
def test_extent_of_a_group_is_known(text: str, longest: int | None, signed: bool) -> None:
    """How many characters it holds at most, and whether a minus may be among them."""
    group = capture_groups(parse_pattern(text))[0]
    assert (group.longest, group.signed) == (longest, signed)


def test_deep_nesting_has_types_too() -> None:
    """No pass over a tree needs Python's stack."""
    groups = capture_groups(parse_pattern("(" * 900 + r"\d+" + ")" * 900))
    assert {group.type for group in groups} == {Type.INT}
