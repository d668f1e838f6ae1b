"""How the lines begin that a pattern matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from pipeline.language import Probe
from pipeline.language.patterns import find_prefix, parse_pattern
from pipeline.runtime.sieve import Sieve
from tests.language.random_patterns import any_subjects, find_with_re2, patterns


@pytest.mark.parametrize(
    ("text", "lines", "others"),
    [
        (r"^\d+/\d+ (\w+)", ["1/22 x", "12/2 yz"], ["1/2", "a1/2 x", "1/2  x"]),
        (r"^(?P<day>[A-Z]\w+) +(\d+)$", ["Feb 2", "Feb  21"], ["feb 2", "Feb"]),
        ("^(?:a|bc) [0-9]?", ["a ", "bc 1"], ["b c", " a"]),
        (r"^[^ ]+ .\d", ["é ü1", "xyz 11", "x üü1"], ["x  ", " 11"]),
        ("^(?i:ab) [x-z]", ["aB x", "AB z"], ["abx"]),
        (r"^(\d{2}){3}-", ["123456-"], ["12345-"]),
        ("^x{2,3} y", ["xx y", "xxx y"], ["x y"]),
        (r"^\w b$", ["a b", "a bc"], ["a"]),
    ],
)
def test_prefix_is_no_narrower_and_not_much_wider(text: str, lines: list[str], others: list[str]) -> None:
    """It is a regular expression over bytes. A character beyond ASCII counts as one to four of them."""
    prefix = find_prefix(parse_pattern(text))
    assert prefix is not None
    assert all(re.match(prefix, line.encode()) for line in lines)
    assert not any(re.match(prefix, line.encode()) for line in others)


@pytest.mark.parametrize(
    "text",
    [
        r"\d+ \d+",
        "^a",
        "^.*",
        "a$",
        "^",
        r"^\n x",
        "(?:^a b|c d)",
        r"^\x{fffd} x",
        "^a*b*",
        "^[ab]",
        "^a (?:b|)",
        "^(?:a|)(?:b|)",
    ],
)
def test_too_little_is_known(text: str) -> None:
    """Where a match may begin anywhere, and where the beginning says nothing."""
    assert find_prefix(parse_pattern(text)) is None


@pytest.mark.parametrize("text", ["^[ab] b+", "^[ab] b*c?", "^a [0-9]{3,}", "^[ab] (?:b|c)*", "^[ab] (b+)"])
def test_end_is_of_a_fixed_length(text: str) -> None:
    """A scan reports every place where a match may end, so one line shall have one such place."""
    prefix = find_prefix(parse_pattern(text))
    assert prefix is not None
    sieve = Sieve([[Probe(prefix, is_prefix=True)]])
    sieve.sift(b"a bbbbbbbb\na 000000\na cccccc\n")
    assert 1 <= len(sieve.events) <= 3


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(patterns(), any_subjects())
def test_every_line_that_matches_has_the_prefix(text: str, subject: bytes) -> None:
    """Whatever bytes it holds, in the middle of others; and Hyperscan takes every prefix."""
    regex = parse_pattern(rf"^\S (?:{text})")
    prefix = find_prefix(regex)
    assert prefix is not None
    line = b"a " + subject.replace(b"\n", b"")
    ((lines, _),) = Sieve([[Probe(prefix, is_prefix=True)]]).sift(b"x\n" + line + b"\nx\n")
    if find_with_re2(regex.text, line, len(regex.names)) is not None:
        assert line in lines
