"""Patterns of records: which are refused, and that those that are not stay linear."""

from __future__ import annotations

import pytest

from pipeline.errors import SettingError
from pipeline.record_settings import RecordSettings
from pipeline.sources.records.rules import LineTest, compile_rule


def compile_start(pattern: str) -> LineTest:
    rule = compile_rule(RecordSettings(record_start=pattern))
    assert rule.start is not None
    return rule.start


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"record_start": "a("}, "--record_start 'a(' is no pattern: ( is not closed."),
        ({"record_continue": "[z-a]"}, "--record_continue '[z-a]' is no pattern: the range z-a is in the wrong order."),
        ({"record_start": "a", "record_header": ")"}, "--record_header ')' is no pattern: ) closes nothing."),
        ({"record_start": ".*"}, "--record_start '.*' matches every line."),
        ({"record_start": "$x"}, "--record_start '$x' matches no line."),
    ],
)
def test_pattern_that_cannot_be_used(values: dict[str, str], sentence: str) -> None:
    """One sentence says which, and why."""
    with pytest.raises(SettingError) as refusal:
        compile_rule(RecordSettings(**values))  # type: ignore[arg-type]  # all of these are texts
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"record_header": "a"}, "--record_header does nothing without --record_start or --record_continue."),
        ({"record_sources": ("a",)}, "--record_sources does nothing without --record_start or --record_continue."),
        ({"record_separator": "\n"}, "--record_separator must not hold a line feed, which would end the line."),
        ({"max_record_lines": 1}, "--max_record_lines must be at least 2, not 1."),
        ({"max_record_bytes": 0}, "--max_record_bytes must be at least 1, not 0."),
        ({"max_open_records": 0}, "--max_open_records must be at least 1, not 0."),
        ({"record_timeout_seconds": -1.0}, "--record_timeout must not be negative."),
    ],
)
def test_setting_that_cannot_be(values: dict[str, object], sentence: str) -> None:
    """One sentence says which."""
    with pytest.raises(SettingError) as refusal:
        RecordSettings(**values)  # type: ignore[arg-type]  # each is of its field's type
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("pattern", "line", "other"),
    [
        ("boom", b"a boom", b"a bloom"),
        ("^boom", b"boom!", b"a boom"),
        ("boom$", b"a boom", b"boom!"),
        ("^boom$", b"boom", b"boom!"),
        ("(?i)boom", b"BOOM", b"bang"),
        ("(a|b)+c", b"xabac", b"xaba"),
        ("é+$", "éé".encode(), b"\xc3"),
        (r"(\d+-?)+x\d", b"1-2-3x4", b"1-2-3-4"),
        ("\ufffdx", b"\xffx", b"x"),
    ],
)
def test_line_matches_as_in_the_language(pattern: str, line: bytes, other: bytes) -> None:
    """Whatever searches for it, plain text or RE2."""
    test = compile_start(pattern)
    assert test.utf8(line)
    assert not test.utf8(other)
    if line.isascii():
        assert test.ascii(line)
        assert not test.ascii(other)
    assert test.may_match_in(b"x\n" + line + b"\n")


def test_block_without_the_text_that_is_needed_is_not_split() -> None:
    """With both patterns, where no record begins, lines cost a look for one text."""
    rule = compile_rule(RecordSettings(record_start="^Traceback ", record_continue=r"^\s"))
    assert not rule.may_join_in(b"one\n two\n")
    assert rule.may_join_in(b"one\nTraceback \n")
    assert compile_rule(RecordSettings(record_continue="^Traceback ")).may_join_in(b"one\n two\n")
