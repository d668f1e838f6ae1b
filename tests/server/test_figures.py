"""How figures and names are written on the pages for people."""

from __future__ import annotations

import math

import pytest

from pipeline.server.figures import (
    MAX_TEXT_CHARACTERS,
    clean,
    limit_text,
    quote_name,
    spell_ago,
    spell_moment,
    spell_nanoseconds,
    spell_rate,
    spell_seconds,
    spell_share,
    spell_silence,
    spell_size,
    spell_span,
    spell_timestamp,
    spell_wait,
)

SECOND = 10**9


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01, "< 0.1"),
        (0.05, "0.1"),
        (9.94, "9.9"),
        (9.96, "10"),
        (1234.5, "1,234"),
        (10**9, "1,000,000,000"),
    ],
)
def test_rate(value: float, text: str) -> None:
    """With a decimal where there are few."""
    assert spell_rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (65_536, "66 kB"),
        (999_400, "999 kB"),
        (999_600, "1.0 MB"),
        (10**18, "1,000 PB"),
    ],
)
def test_size(value: float | None, text: str) -> None:
    """In the largest unit that it fills."""
    assert spell_size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0.0 %"), (0.0123, "1.2 %"), (0.0996, "10 %"), (1.0, "100 %")]
)
def test_share(value: float | None, text: str) -> None:
    """With a decimal where it is small."""
    assert spell_share(value) == text


def test_times() -> None:
    """In units that fit."""
    assert [spell_nanoseconds(value) for value in (None, 12.3, 9949, 9951)] == ["–", "12 ns", "9,949 ns", "10 µs"]
    assert [spell_seconds(value) for value in (0.0, 0.0001, 0.0123, 0.9996, 59.94, 61.0)] == [
        "0 ms",
        "< 1 ms",
        "12 ms",
        "1.0 s",
        "59.9 s",
        "1 min 1 s",
    ]
    assert [spell_ago(value) for value in (-90 * SECOND, -5 * SECOND, 0, SECOND, 90 * SECOND)] == [
        "in 1 min 30 s",
        "just now",
        "just now",
        "1 s ago",
        "1 min 30 s ago",
    ]
    assert [spell_wait(value) for value in (None, 0.0, 61.0)] == ["–", "in 0 s", "in 1 min 1 s"]
    assert [spell_silence(value) for value in (None, 0.0, 9.9, 10.0)] == ["never", "just now", "just now", "10 s ago"]
    assert [spell_span(value) for value in (4.0, 60.0, 64.0)] == ["4 s", "minute", "minute"]


def test_moments_are_dates_whatever_a_line_said() -> None:
    """A program sets the time of a series from the text of a line."""
    assert spell_moment(1_700_000_000 * SECOND) == "2023-11-14 22:13:20 UTC"
    assert spell_timestamp(1_700_000_000 * SECOND) == "2023-11-14T22:13:20Z"
    assert spell_timestamp(-(2**63)) == "1970-01-01T00:00:00Z"
    assert spell_timestamp(2**63 - 1) == "2262-04-11T23:47:16Z"
    assert spell_timestamp(10**300) == "9999-12-31T23:59:59Z"


def test_what_hides_or_turns_text_is_replaced() -> None:
    """Line feeds and tabs stay: excerpts have them."""
    assert clean("a\n\tb") == "a\n\tb"
    assert clean("\u202ea\x00\x1b\udcff\u2028\x85") == "\ufffda" + "\ufffd" * 5
    assert clean("äöü – ✓") == "äöü – ✓"
    assert clean(math.inf) == math.inf


def test_name_is_quoted_byte_by_byte() -> None:
    """Those that are not UTF-8 too."""
    assert quote_name("a b/ü\udcff?#%.mtail") == "a%20b%2F%C3%BC%FF%3F%23%25.mtail"


def test_long_text_is_cut() -> None:
    """What is left out is told."""
    assert limit_text("x" * MAX_TEXT_CHARACTERS) == "x" * MAX_TEXT_CHARACTERS
    assert limit_text("x" * (MAX_TEXT_CHARACTERS + 1234)).endswith("x… and 1,234 more characters")
