"""Every search that is made of a pattern finds what RE2 finds for its text."""

from __future__ import annotations

from collections.abc import Callable, Set

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.language.patterns import Engine, SearchPlan, parse_pattern, plan_search, required_literals
from tests.language.random_patterns import any_subjects, ascii_subjects, find_with_re2, patterns

HOWS: dict[str, Callable[[bytes, bytes], bool]] = {
    "in": lambda subject, text: text in subject,
    "startswith": lambda subject, text: subject.startswith(text),
    "endswith": lambda subject, text: subject.endswith(text),
    "equals": lambda subject, text: subject == text,
}


def run_plan(found: SearchPlan, wanted: Set[int], subject: bytes, *, is_ascii: bool) -> dict[int, bytes | None] | None:
    """Do what generated code does with a plan."""
    if found.never:
        return None
    if not wanted and found.engine is Engine.NONE:
        return {}
    if not wanted and found.literal is not None:
        how, text = found.literal
        return {} if HOWS[how](subject, text) else None
    if found.guard is not None and found.guard not in subject:
        return None
    match = (found.compile_ascii() if is_ascii else found.compile_utf8())(subject)
    if match is not None:
        assert match.groups() == tuple(match[index] for index in range(1, found.group_count + 1))
    groups = None if match is None else {number: match[found.group_index[number]] for number in wanted}
    if found.has_two_steps:
        match = found.compile_first(ascii_only=is_ascii)(subject) or found.compile_second(ascii_only=is_ascii)(subject)
        assert groups == (None if match is None else {number: match[found.group_index[number]] for number in wanted})
    return groups


def check(text: str, subject: bytes, data: st.DataObject, *, is_ascii: bool) -> None:
    regex = parse_pattern(text)
    count = len(regex.names)
    expected = find_with_re2(text, subject, count)
    some = data.draw(st.sets(st.integers(0, count)))
    for wanted in (frozenset[int](), frozenset(range(count + 1)), frozenset(range(1, count + 1)), frozenset(some)):
        for in_line in {False, b"\n" not in subject}:
            found = plan_search(regex, wanted, in_line=in_line)
            groups = run_plan(found, wanted, subject, is_ascii=is_ascii)
            assert groups == (None if expected is None else {number: expected[number] for number in wanted})
    if expected is not None and (literals := required_literals(regex)):
        assert any(literal in subject for literal in literals)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(patterns(), ascii_subjects(), st.data())
def test_ascii_form_finds_what_re2_finds(text: str, subject: bytes, data: st.DataObject) -> None:
    """Whichever engine was chosen, and whichever groups are read."""
    check(text, subject, data, is_ascii=True)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(patterns().filter(lambda text: r"\B" not in text), any_subjects(), st.data())
def test_utf8_form_is_exact_for_any_bytes(text: str, subject: bytes, data: st.DataObject) -> None:
    """A byte that is not part of valid UTF-8 is one character, U+FFFD. (RE2 finds `\\B` amid characters.)"""
    check(text, subject, data, is_ascii=False)


@pytest.mark.parametrize(
    ("text", "subject", "groups"),
    [
        ("^(a.b)$", b"a\xffb", [b"a\xffb"]),
        ("^.{3}$", "äöü".encode(), []),
        ("^..$", b"\xc3(", []),
        ("^(.)(.)", b"\xe4\xb8", [b"\xe4", b"\xb8"]),
        (r"^(\x{fffd}+)$", b"\xc0\xef\xbf\xbd\xff", [b"\xc0\xef\xbf\xbd\xff"]),
        ("([^ä]+)", "ääöx".encode(), ["öx".encode()]),
        ("(?i)^(ask)$", "a\u017f\u212a".encode(), ["a\u017f\u212a".encode()]),
        ("(\\S+) (\\S+)", "größe \xff\u20ac".encode(), ["größe".encode(), "\xff\u20ac".encode()]),
        ("=(.)", "x=€".encode(), ["€".encode()]),
        ("(.)=", "€=x".encode(), ["€".encode()]),
        (r"(\P{^Greek}+)", "aβγ".encode(), ["βγ".encode()]),
        (r"(\pL+)", "12äb3".encode(), ["äb".encode()]),
        (r"\B(.*)", "kéé x".encode(), ["é x".encode()]),
        (r"(.)\B(.*)", b"k\xe4\xb8", [b"\xe4", b"\xb8"]),
        (r"\B(.*)", b"kkx", [b"kx"]),
        (r"(\Bé)", "éé".encode(), ["é".encode()]),
        (r"(?i:(k)|[^k])\B(.*)", "\u212aé x".encode(), ["\u212a".encode(), "é x".encode()]),
        (r"x(?:(y)|z)(.)", b"xz\xed\xa0\x80", [None, b"\xed"]),
    ],
)
def test_characters_are_matched_whole(text: str, subject: bytes, groups: list[bytes | None]) -> None:
    r"""Cases that tell bytes and characters apart; the last ones are about `\\B`, which RE2 finds amid characters."""
    found = plan_search(parse_pattern(text), frozenset(range(1, len(groups) + 1)))
    match = found.compile_utf8()(subject)
    assert match is not None
    assert [match[index] for index in range(1, len(groups) + 1)] == groups


@pytest.mark.parametrize("ending", ["", "$", r"\b", "(?m:$)", "b*$", "(?:b|$)"])
@pytest.mark.parametrize("subject", [b"", b"a  b", b"a ab\n", b"  \n b", b"a b a", b" ab ab ", b"a\n\n"])
def test_repeat_gives_back_where_the_rest_needs_it(ending: str, subject: bytes) -> None:
    """Unless what follows matches after the longest run whenever it does at all, as `.*` and `.*$` do."""
    for middle in (r"(\s+)(.*)", r"(\s*)(.*?)", r"([ab ]+)(b?)", r"(\w*)(\s*)(.*)", r"(\s*)( ?)", r"([a ]{0,2})(.*)"):
        text = f"a?{middle}{ending}"
        regex = parse_pattern(text)
        wanted = frozenset(range(len(regex.names) + 1))
        expected = find_with_re2(text, subject, len(regex.names))
        groups = run_plan(plan_search(regex, wanted), wanted, subject, is_ascii=True)
        assert groups == (None if expected is None else dict(enumerate(expected)))


@pytest.mark.parametrize(
    ("text", "subject"), [("^.{3}$", "ä".encode()), ("^..$", "ü".encode()), ("a[^ä]", "aä".encode())]
)
def test_part_of_a_character_is_no_character(text: str, subject: bytes) -> None:
    """However many bytes it has."""
    assert plan_search(parse_pattern(text), frozenset({0})).compile_utf8()(subject) is None
