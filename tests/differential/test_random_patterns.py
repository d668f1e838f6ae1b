"""Random regular expressions over random lines: what matches, what it captures, and as what type."""

from __future__ import annotations

import pytest
from hypothesis import given, note, settings

from tests.differential.comparison import RANDOM_PROGRAM_SETTINGS, RandomCase, compare_case, random_cases
from tests.differential.pieces import Chooser, Sampler, make_shape

PROGRAMS = 100
PATTERNS = 8
LINES = 20

ATOMS = (
    *("a", "b", "ab", "k", "1", "12", " ", "-", "ñ", "\u212a", "ss", "\\/", "A", "e"),
    *(".", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\.", "\\-", "\\pL", "\\PL", "\\pN", "\\p{Greek}"),
    *("[ab]", "[^a]", "[a-c]", "[^a-c ]", "[]a]", "[a-]", "[\\d.]", "[^\\s]", "[[:alpha:]]", "[^[:digit:]]"),
    *("[\\w-]", "[ñ-ü]", "[^ñ]", "[K]", "[[:^space:]]", "[\\x41-\\x43]", "[^\\S ]"),
    *("\\x61", "\\x{e9}", "\\141", "\\Qa.b\\E", "\\t", "\\x00"),
    *("^", "$", "\\A", "\\z", "\\b", "\\B", "", "(?i)", "(?s).", "(?i:ks)", "(?m:^)", "(?U)a+"),
)
SUFFIXES = ("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}")
SYNTAX = (
    *"ab1()[]{}*+?|^$.-,:<>=iPQ",
    "\\",
    "\\d",
    "(?",
    "(?P<n>",
    "[^",
    "[[:",
    ":]]",
    "{1",
    "{2,1}",
    "\\x",
    "\\p",
    "é",
)
ALPHABET = "aabbkKs1 2-.e_/Añé\u212a\u017fΣσ\t\x00\U0001f600"


def make_expression(chooser: Chooser, depth: int) -> str:
    """Any regular expression of the language, valid or (rarely) not."""
    form = chooser.number(0, 6 if depth else 1)
    if form <= 1:
        return chooser.pick(ATOMS)
    if form <= 3:
        return "".join(make_expression(chooser, depth - 1) for _ in range(chooser.number(2, 3)))
    if form == 4:
        return "|".join(make_expression(chooser, depth - 1) for _ in range(chooser.number(2, 3)))
    opening = chooser.pick(("(?:", "(", "(", "(?i:", "(?s:", "(?U:", "(?m:"))
    return f"{opening}{make_expression(chooser, depth - 1)}){chooser.pick(SUFFIXES)}"


def make_soup(chooser: Chooser) -> str:
    """Characters that mean something to a parser of patterns, in no order. Mostly invalid."""
    return "".join(chooser.pick(SYNTAX) for _ in range(chooser.number(1, 8)))


def count_groups(pattern: str) -> int:
    """How many groups capture: each opening parenthesis that is not escaped, in a class or followed by `?`."""
    return pattern.replace("\\(", "").count("(") - pattern.count("(?")


def make_line(chooser: Chooser) -> str:
    return "".join(chooser.pick(ALPHABET) for _ in range(chooser.number(0, 12)))


def make_pattern_case(chooser: Chooser) -> RandomCase:
    """Return a program that counts, for some patterns, each text they match and capture."""
    # `$0` has no type, so a label that holds it can hold nothing else.
    lines = [
        "counter lines by pattern",
        "counter matches by pattern, found",
        "counter captures by pattern, group, found",
    ]
    for number in range(PATTERNS):
        pattern = make_expression(chooser, 3)
        lines += [f"// + /{pattern}/ {{", f'  lines["{number}"]++']
        if pattern:
            lines.append(f'  matches["{number}", $0]++')
        groups = range(1, count_groups(pattern) + 1)
        lines += [f'  captures["{number}", "{group}", ${group}]++' for group in groups if chooser.chance(70)]
        lines.append("}")
    if chooser.chance(30):
        lines += [f"/{make_soup(chooser)}/ {{", '  lines["soup"]++', '  matches["soup", $0]++', "}"]
    # Every metric must be used, or the program is refused.
    lines += ["/^none$/ {", '  captures["", "", ""]++', '  matches["", $0]++', "}"]
    return RandomCase("\n".join(lines) + "\n", tuple(make_line(chooser) for _ in range(LINES)))


@pytest.mark.slow
@settings(RANDOM_PROGRAM_SETTINGS, max_examples=PROGRAMS)
@given(case=random_cases(make_pattern_case))
def test_random_pattern_matches_and_captures_what_it_does_in_mtail(case: RandomCase) -> None:
    """Leftmost, first of the alternatives, on characters; and a program with an invalid pattern is refused."""
    differences = compare_case(case)
    note("\n".join(differences))
    assert not differences


def make_shape_case(chooser: Chooser) -> RandomCase:
    """Return a program whose groups hold digits, signs, dots and exponents in any nesting, and lines they match."""
    program = ["counter captures by pattern, found"]
    samplers: list[Sampler] = []
    for number in range(PATTERNS):
        text, sample = make_shape(chooser, 3)
        samplers.append(sample)
        program += [f"/^{number}<({text})>$/ {{", f'  captures["{number}", $1]++', "}"]
    lines = []
    for _ in range(LINES):
        number = chooser.number(0, PATTERNS - 1)
        lines.append(f"{number}<{samplers[number](chooser)}>")
    return RandomCase("\n".join(program) + "\n", tuple(lines))


@pytest.mark.slow
@settings(RANDOM_PROGRAM_SETTINGS, max_examples=PROGRAMS)
@given(case=random_cases(make_shape_case))
def test_random_group_has_the_type_it_has_in_mtail(case: RandomCase) -> None:
    """Int, Float or String shows in how a label is written, and in what fails to be a number."""
    differences = compare_case(case)
    note("\n".join(differences))
    assert not differences
