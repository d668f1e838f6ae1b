"""What a program's author is told: excerpt, carets, notes and help."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.language.diagnostics import (
    MAX_EXCERPT_COLUMNS,
    Diagnostic,
    Note,
    ProgramError,
    Severity,
    char_width,
    draw_excerpt,
    quote,
    suggest,
)
from pipeline.language.source import SourceFile, Span


def test_diagnostic_has_all_its_parts() -> None:
    """The first line is for editors to jump to, and the numbers of lines are aligned."""
    source = SourceFile("web.mtail", "counter a by b, c\n" * 9 + "  a[$code]++\n")
    diagnostic = Diagnostic(
        Severity.ERROR,
        "metric `a` takes 2 labels, not 1",
        source,
        Span(164, 172),
        "the label `c` has no value",
        (Note("declared `by b, c`", Span(8, 9)), Note("labels have an order")),
        "write `a[$b][$code]`",
    )
    assert diagnostic.render() == (
        "web.mtail:10:3: error: metric `a` takes 2 labels, not 1\n"
        " 10 |   a[$code]++\n"
        "    |   ^^^^^^^^ the label `c` has no value\n"
        "    = note: declared `by b, c` at web.mtail:1:9\n"
        "    = note: labels have an order\n"
        "    = help: write `a[$b][$code]`"
    )


def test_warning_says_so() -> None:
    """It has no label, notes or help if there is nothing to say."""
    diagnostic = Diagnostic(Severity.WARNING, "never true", SourceFile("a.mtail", "a == 1"), Span(0, 6))
    assert diagnostic.render() == "a.mtail:1:1: warning: never true\n 1 | a == 1\n   | ^^^^^^"


def test_error_carries_and_shows_all_diagnostics() -> None:
    """One after another."""
    source = SourceFile("a.mtail", "a\nb\n")
    diagnostics = [Diagnostic(Severity.ERROR, name, source, Span(at, at + 1)) for name, at in (("x", 0), ("y", 2))]
    error = ProgramError(diagnostics)
    assert error.diagnostics == tuple(diagnostics)
    assert str(error) == "a.mtail:1:1: error: x\n 1 | a\n   | ^\na.mtail:2:1: error: y\n 2 | b\n   | ^"


def test_span_of_several_lines_is_shown_on_the_first() -> None:
    """The carets end with it."""
    source = SourceFile("a.mtail", "/x/ {\r\n}\r\n")
    assert draw_excerpt(source, Span(4, 8)) == ("/x/ {", "    ^")


def test_end_of_a_line_and_of_the_file_have_a_caret() -> None:
    """Behind the text."""
    source = SourceFile("a.mtail", "ab\r\ncd")
    assert draw_excerpt(source, Span(2, 2)) == ("ab", "  ^")
    assert draw_excerpt(source, Span(3, 4)) == ("ab", "  ^")
    assert draw_excerpt(source, Span(6, 6)) == ("cd", "  ^")
    assert draw_excerpt(SourceFile("a.mtail", "ab\n"), Span(3, 3)) == ("", "^")


def test_carets_stand_under_wide_signs_and_behind_tabs() -> None:
    """A tab is repeated, as only the terminal knows its width; wide signs take two columns, accents none."""
    source = SourceFile("a.mtail", "\t日e\u0301本x")
    assert draw_excerpt(source, Span(5, 6)) == ("\t日e\u0301本x", "\t     ^")
    assert draw_excerpt(source, Span(1, 5)) == ("\t日e\u0301本x", "\t^^^^^")


def test_excerpt_cannot_drive_a_terminal() -> None:
    """Control characters are replaced; the carets fit what is shown."""
    source = SourceFile("a.mtail", "a\x1b[31m\u3000b")
    assert draw_excerpt(source, Span(7, 8)) == ("a\ufffd[31m\ufffdb", "       ^")


def test_long_line_is_shown_around_the_place() -> None:
    """What is left out is marked."""
    source = SourceFile("a.mtail", "a" * 500 + "b" + "c" * 500)
    excerpt, carets = draw_excerpt(source, Span(500, 501))
    assert excerpt == "…" + "a" * 40 + "b" + "c" * 119 + "…"
    assert carets == " " * 41 + "^"
    assert draw_excerpt(source, Span(0, 1000)) == ("a" * 160 + "…", "^" * 160)
    assert draw_excerpt(source, Span(1001, 1001)) == ("…" + "c" * 160, " " * 161 + "^")


def test_program_text_in_a_message_is_short_and_harmless() -> None:
    """It may be any length, and have anything in it."""
    assert quote("a\x1bb") == "`a\ufffdb`"
    assert quote("x" * 40) == "`" + "x" * 40 + "`"
    assert quote("x" * 41) == "`" + "x" * 40 + "…`"


def test_near_names_are_suggested() -> None:
    """Others are not."""
    assert suggest("conter", ["counter", "gauge"]) == "did you mean `counter`?"
    assert suggest("x", ["counter", "gauge"]) == ""


@given(st.text(), st.data())
def test_any_place_can_be_drawn(text: str, data: st.DataObject) -> None:
    """On one line, with at least one caret, and none behind the place after the text."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    excerpt, carets = draw_excerpt(SourceFile("a.mtail", text), Span(start, end))
    assert "\n" not in excerpt
    assert carets.endswith("^")
    assert len(excerpt) <= MAX_EXCERPT_COLUMNS + 2
    assert len(carets) <= max(1, sum(char_width(char) for char in excerpt) + 1)
