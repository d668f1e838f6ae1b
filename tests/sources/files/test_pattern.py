"""Patterns of paths: what they match, as Go's filepath.Match has it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingError
from pipeline.sources.files.pattern import PathPattern, Segment, parse_segment


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("log", "log", True),
        ("log", "logs", False),
        ("*", "", True),
        ("*", ".hidden", True),
        ("*.log", "app.log", True),
        ("*.log", "app.log.1", False),
        ("app.log*", "app.log", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-b-b-", False),
        ("?", "x", True),
        ("?", "ü", True),
        ("?", "", False),
        ("[a-c]x", "bx", True),
        ("[a-c]x", "dx", False),
        ("[^a-c]x", "dx", True),
        ("[^a-c]x", "bx", False),
        ("[!a]", "!", True),
        ("[a^]", "^", True),
        ("[ab-d9]", "9", True),
        (r"[\]\-\\]", "-", True),
        (r"[\]\-\\]", "]", True),
        (r"[\]\-\\]", "a", False),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"a\b", "ab", True),
        ("a.c", "abc", False),
        ("(a|b)+{2}$", "(a|b)+{2}$", True),
        ("*", "two\nlines", True),
        (r"[+-\-]", ",", True),
        ("*\udcff", "x\udcff", True),
    ],
)
def test_name_matches(pattern: str, name: str, *, matches: bool) -> None:
    """Characters that mean something in a regular expression mean themselves here."""
    assert parse_segment(pattern, pattern).matches(name) is matches


@pytest.mark.parametrize("text", ["[", "[a", "[]", "[]a]", "[^]", "[a-]", "[-a]", "a\\", "x[a\\]"])
def test_pattern_that_is_not_complete_is_one_sentence(text: str) -> None:
    """The operator reads which piece of it is meant."""
    with pytest.raises(SettingError, match=r"^The source '.*' is no pattern: '.*' in it is not complete\.$"):
        PathPattern.parse(f"/{text}")


def test_set_that_runs_backwards_is_one_sentence() -> None:
    """Go takes it for a set of nothing, which nobody means."""
    with pytest.raises(SettingError) as caught:
        PathPattern.parse("/log[9-0]")
    assert str(caught.value) == "The source '/log[9-0]' is no pattern: the set in it has nothing from '9' to '0'."


@given(st.text(alphabet=st.characters(exclude_characters="/"), min_size=1))
def test_escaped_name_matches_itself(name: str) -> None:
    """A backslash takes any character as it is."""
    assert parse_segment("".join(f"\\{char}" for char in name), name).matches(name)


@given(st.text(alphabet="ab*?[]^-\\", max_size=8))
def test_any_text_is_a_pattern_or_told_of(text: str) -> None:
    """There is no third way."""
    with suppress(SettingError):
        assert PathPattern.parse(f"/{text}").text == f"/{text}"


def test_pattern_covers_what_it_matches_and_the_way_there() -> None:
    """A change below any of these may bring a match."""
    pattern = PathPattern.parse("/var/*/app-[0-9].log")
    covered = ["/var", "/var/log", "/var/log/app-1.log", "/etc", "/var/log/app.log", "/var/log/app-1.log/x"]
    assert [path for path in covered if pattern.covers(path)] == covered[:3]


def test_path_is_matched_whatever_characters_it_has() -> None:
    """It is taken literally."""
    pattern = PathPattern.of_path("/var/log[1]*")
    assert pattern.is_path
    assert pattern.covers("/var/log[1]*")
    assert not pattern.covers("/var/log1")
    assert pattern.segments[1] == Segment("log[1]*")
    assert not PathPattern.parse("/var/log[1]*").is_path
