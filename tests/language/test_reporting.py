"""One mistake gives one message."""

from __future__ import annotations

import pytest

from pipeline.language.diagnostics import ProgramError
from pipeline.language.reporting import Reporter
from pipeline.language.source import SourceFile, Span


def make_reporter() -> Reporter:
    return Reporter(SourceFile("a.mtail", "abcdefghij\n"))


def told(report: Reporter) -> list[str]:
    return [diagnostic.message for diagnostic in report.in_order()]


@pytest.mark.parametrize("inner", [Span(2, 6), Span(2, 3), Span(5, 6), Span(3, 4), Span(6, 6)], ids=str)
def test_error_about_more_than_a_wrong_part_is_not_told(inner: Span) -> None:
    """It is a consequence, or hides behind the part."""
    report = make_reporter()
    report.error(inner, "inner")
    report.error(Span(2, 6), "outer")
    assert told(report) == ["inner"]


@pytest.mark.parametrize("other", [Span(1, 3), Span(1, 2), Span(5, 7), Span(0, 9)], ids=str)
def test_errors_beside_or_around_each_other_are_told(other: Span) -> None:
    """A part of what is wrong may be wrong in its own way."""
    report = make_reporter()
    report.error(other, "other")
    report.error(Span(2, 6), "this")
    assert set(told(report)) == {"other", "this"}


def test_warnings_are_told_when_there_is_no_error() -> None:
    """Beside an error they may be its consequences."""
    report = make_reporter()
    report.warn(Span(4, 5), "second")
    report.warn(Span(0, 1), "first")
    report.raise_errors()
    assert told(report) == ["first", "second"]
    report.error(Span(2, 3), "error")
    with pytest.raises(ProgramError) as caught:
        report.raise_errors()
    assert [diagnostic.message for diagnostic in caught.value.diagnostics] == ["error"]
