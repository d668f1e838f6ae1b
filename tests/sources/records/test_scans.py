"""One search over a block says what a search in each of its lines would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.language.patterns import parse_pattern
from pipeline.record_settings import RecordSettings
from pipeline.sources.records.rules import compile_rule
from pipeline.sources.records.scans import make_scan

SCANNED = (
    r"^\d{4}-\d\d-\d\d ",
    r"^\s",
    r"^[^a]",
    r"^[^a]*b",
    r"^(at|\.\.\.)\b",
    r"(?m:^)a+b?",
    r"(?s)^a.b",
    r"^(?i)b\s*a",
    r"^a",
    r"^\W\b",
    r"^\s+(at|\.)|^a:?|^b\b",
)
LINES = st.lists(st.text("ab \t-1.", max_size=5).map(str.encode), min_size=1, max_size=8)


@pytest.mark.parametrize("pattern", SCANNED)
@given(lines=LINES)
def test_scan_says_what_each_line_would(pattern: str, lines: list[bytes]) -> None:
    """Whether any matches, and whether all do: no match goes over the end of its line."""
    rule = compile_rule(RecordSettings(record_start=pattern))
    assert rule.start is not None
    scan = rule.start.scan
    assert scan is not None
    block = b"".join(line + b"\n" for line in lines)
    matches = [bool(rule.start.ascii(line)) for line in lines]
    assert scan.is_in(block) is any(matches)
    assert scan.is_in_all(block) is all(matches)


@pytest.mark.parametrize(
    "pattern", ["a", "^$", "^a|b", "^a$", "a^", r"^\n", "^a\nb", "^(a|b)*c.*d.*e", r"^a\B", "(^a|b)", "(^a|^b)c"]
)
def test_pattern_that_cannot_be_scanned_for(pattern: str) -> None:
    """It may match elsewhere, asks for the end of the line, needs a line feed, or is not proved linear."""
    assert make_scan(parse_pattern(pattern)) is None
