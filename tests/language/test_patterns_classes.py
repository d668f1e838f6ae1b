"""Named classes, Unicode classes and the folding of case."""

from __future__ import annotations

import pytest

from pipeline.language.patterns.classes import (
    POSIX_CLASSES,
    case_orbits,
    contains_char,
    find_unicode_class,
    fold_char,
    fold_ranges,
    negate_ranges,
    normalize_ranges,
)

IS_MEMBER = {
    "alnum": str.isalnum,
    "alpha": str.isalpha,
    "xdigit": lambda char: char in "0123456789abcdefABCDEF",
    "digit": str.isdigit,
    "lower": str.islower,
    "upper": str.isupper,
    "space": str.isspace,
    "print": str.isprintable,
}


@pytest.mark.parametrize("name", IS_MEMBER)
def test_posix_class_is_its_ascii_part(name: str) -> None:
    """Python's own tests agree within ASCII, but for four separators that it calls space."""
    members = {chr(code) for code in range(0x80) if contains_char(POSIX_CLASSES[name], code)}
    assert members == {chr(code) for code in range(0x80) if IS_MEMBER[name](chr(code))} - set("\x1c\x1d\x1e\x1f")


def test_negation_is_its_own_inverse() -> None:
    """Also of the empty set and of everything."""
    for ranges in ((), ((0, 0x10FFFF),), ((0, 5), (7, 7)), ((3, 0x10FFFF),)):
        assert negate_ranges(negate_ranges(ranges)) == ranges


def test_ranges_that_touch_are_joined() -> None:
    """Order and overlap do not matter."""
    assert normalize_ranges([(5, 9), (1, 2), (3, 3), (7, 12)]) == ((1, 3), (5, 12))


@pytest.mark.parametrize(
    ("char", "cases"),
    [
        ("k", "Kk\u212a"),
        ("s", "Ss\u017f"),
        ("\u03c2", "\u03a3\u03c2\u03c3"),
        ("1", "1"),
        ("ß", "ß\u1e9e"),
        ("ı", "ı"),
        ("İ", "İ"),
    ],
)
def test_case_orbit_is_that_of_simple_folding(char: str, cases: str) -> None:
    """Two letters of ASCII have a third case; the Turkish letters have none."""
    assert fold_char(ord(char)) == tuple(sorted(map(ord, cases)))


def test_every_member_of_an_orbit_has_the_same_orbit() -> None:
    """Folding does not depend on where one begins."""
    assert all(case_orbits()[member] == orbit for orbit in case_orbits().values() for member in orbit)


def test_folding_a_set_adds_the_other_cases() -> None:
    """Digits have none, and a set of digits stays as it is."""
    assert fold_ranges(((0x30, 0x39),)) == ((0x30, 0x39),)
    assert fold_ranges(((0x6B, 0x6B), (0xE4, 0xE4))) == (
        (0x4B, 0x4B),
        (0x6B, 0x6B),
        (0xC4, 0xC4),
        (0xE4, 0xE4),
        (0x212A, 0x212A),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("L", "aÄß", "1 "),
        ("Lu", "AÄ", "aä"),
        ("Nd", "1٣", "aⅣ"),
        ("Letter", "aÄ", "1"),
        ("uppercase_letter", "A", "a"),
        ("Greek", "αΩ", "aя"),
        ("greek", "α", "a"),
        ("Old_Italic", "\U00010300", "a"),
        ("old italic", "\U00010300", "a"),
        ("Any", "a\U0010ffff", ""),
        ("ASCII", "a", "ä"),
        ("Assigned", "a", "\u0378"),
        ("Cn", "\u0378", "a"),
        ("LC", "aA\u01c5", "1ª"),
        ("C", "\x00\xad", "a\u0378"),
        ("Punct", "!", "a"),
    ],
)
def test_unicode_class_holds_these(name: str, inside: str, outside: str) -> None:
    """Categories, long names in any case, scripts."""
    ranges = find_unicode_class(name)
    assert ranges is not None
    assert all(contains_char(ranges, ord(char)) for char in inside)
    assert not any(contains_char(ranges, ord(char)) for char in outside)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "Foo", "Lx", "L}", "a+b", "GreeK]", "é"])
def test_unknown_unicode_class_is_none(name: str) -> None:
    """Whatever stands between the braces is only a name."""
    assert find_unicode_class(name) is None
