"""What the author of a program is told about a syntax error, whole.

`syntax_errors.txt` has the cases: a line `## title`, the program, a line `--`, and the diagnostics.
`pytest --update-expected` rewrites the diagnostics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.language.diagnostics import ProgramError
from pipeline.language.parser import parse
from pipeline.language.source import SourceFile

CASES_FILE = Path(__file__).with_name("syntax_errors.txt")


@dataclass(frozen=True, slots=True)
class Case:
    title: str
    program: str
    expected: str


def read_cases() -> list[Case]:
    cases = []
    for section in re.split(r"(?m)^## ", CASES_FILE.read_text("utf-8"))[1:]:
        title, _, rest = section.partition("\n")
        program, _, expected = rest.partition("\n--\n")
        cases.append(Case(title, program + "\n", expected.rstrip("\n")))
    return cases


def explain(program: str) -> str:
    """Return all diagnostics of `program`, which must have some."""
    with pytest.raises(ProgramError) as caught:
        parse(SourceFile("a.mtail", program))
    return str(caught.value)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.title) for case in read_cases()])
def test_syntax_error_is_told(case: Case, update_expected: bool) -> None:
    """The message, the place, and what to do."""
    if not update_expected:
        assert explain(case.program) == case.expected


def test_expected_diagnostics_are_rewritten_on_demand(update_expected: bool) -> None:
    """A case has a title of its own, so that it can be run alone."""
    cases = read_cases()
    assert len({case.title for case in cases}) == len(cases)
    if update_expected:
        sections = (f"## {case.title}\n{case.program}--\n{explain(case.program)}\n" for case in cases)
        CASES_FILE.write_text("".join(sections), "utf-8")


def test_carriage_returns_are_not_shown() -> None:
    """They are white space in programs with CRLF line ends."""
    assert explain("a = 1 +\r\n\r\n2\r\n") == (
        "a.mtail:1:8: error: expected a value after `+`\n"
        " 1 | a = 1 +\n"
        "   |        ^\n"
        "   = help: it may stand on the next line, but not after an empty one"
    )


def test_last_line_may_lack_its_newline() -> None:
    """The message is the same then, and points behind the text."""
    assert explain("a = 1 +") == explain("a = 1 +\n")
    assert explain("/x/ {") == explain("/x/ {\n")


def test_comment_at_the_end_of_a_line_is_its_end() -> None:
    """The place is that of the comment's beginning."""
    assert explain("a = (b # note\n c)\n") == (
        "a.mtail:1:5: error: `(` is not closed on this line\n"
        " 1 | a = (b # note\n"
        "   |     ^\n"
        "   = help: end it with `)`; inside, a newline may only stand after an operator"
    )


def test_long_words_are_shortened() -> None:
    """A message fits a line."""
    assert explain(f'const X /x/ + "{"y" * 50}"\n').startswith(
        f'a.mtail:1:15: error: expected a pattern or a constant after `+`, not `"{"y" * 39}…`\n'
    )


def test_invisible_characters_are_named() -> None:
    """A byte order mark, for example, which some editors write."""
    assert explain("\ufeffcounter c\n") == (
        "a.mtail:1:1: error: unexpected character U+FEFF\n 1 | �counter c\n   | ^\n   = help: remove it"
    )


def test_bad_numbers_are_told_together_with_the_syntax_error_after_them() -> None:
    """Parsing goes on after a number that has no value."""
    assert [line for line in explain("a = 5m\nb = 1e\n/x/ }\n").splitlines() if "error" in line] == [
        "a.mtail:1:5: error: `5m` is a duration, which can only follow `after`",
        "a.mtail:2:5: error: `1e` is not a number",
        "a.mtail:3:5: error: there is no `{` for this `}`",
    ]


def test_columns_count_bytes() -> None:
    """As editors do that jump to a place; the caret is drawn by the width of the signs."""
    assert explain('\ta["日本 é"]++;\n') == (
        "a.mtail:1:18: error: unexpected `;`\n"
        ' 1 | \ta["日本 é"]++;\n'
        "   | \t             ^\n"
        "   = help: remove it: a statement ends with its line"
    )
