"""The text of a program on its page: a part of it, with line numbers and what is known of the lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.server.status import ProgramDetails

LINES_PER_PAGE = 1000
"""The longest program that mtail ships has 300."""

MAX_LINE_CHARACTERS = 2000
"""Of a line; a file may be one line of a megabyte."""


@dataclass(frozen=True, slots=True)
class ListedLine:
    """One line, and notes behind it."""

    number: int
    text: str
    is_error: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedText:
    """One page of the text, of so many."""

    rows: tuple[ListedLine, ...]
    page: int
    pages: int
    total: int

    @property
    def is_paged(self) -> bool:
        return self.pages > 1

    @property
    def first(self) -> int:
        return self.rows[0].number

    @property
    def last(self) -> int:
        return self.rows[-1].number


def find_page(line: int) -> int:
    """Return on which page a line is."""
    return max(line - 1, 0) // LINES_PER_PAGE + 1


def spell_place(line: int, is_paged: bool = False) -> str:
    """Return the end of a link to a line; where there are several pages, the page too."""
    page = find_page(line)
    return f"?page={page}#L{line}" if is_paged or page > 1 else f"#L{line}"


def list_text(details: ProgramDetails, page: int) -> ListedText:
    """Return one page of the text, or the nearest that there is."""
    lines = details.text.split("\n")
    if not lines[-1]:
        lines.pop()
    total = len(lines)
    pages = find_page(total)
    page = min(max(page, 1), pages)
    start = (page - 1) * LINES_PER_PAGE
    notes = collect_notes(details)
    errors = set(details.error_lines)
    failure = details.program.last_failure
    if failure is not None:
        errors.add(failure.line)
    rows = tuple(
        ListedLine(number, limit_line(text), number in errors, tuple(notes.get(number, ())))
        for number, text in enumerate(lines[start : start + LINES_PER_PAGE], start + 1)
    )
    return ListedText(rows, page, pages, total)


def collect_notes(details: ProgramDetails) -> dict[int, Sequence[str]]:
    """Return what is to be said about lines."""
    notes: dict[int, list[str]] = {}
    for pattern in details.patterns.rows:
        engines = notes.setdefault(pattern.line, [])
        if pattern.engine not in engines:
            engines.append(pattern.engine)
    for line in details.error_lines:
        notes.setdefault(line, []).append("error")
    failure = details.program.last_failure
    if failure is not None:
        notes.setdefault(failure.line, []).append("last failure")
    return dict(notes)


def limit_line(text: str) -> str:
    """Return a line, or the beginning of one that no person has written."""
    text = text.removesuffix("\r")
    left = len(text) - MAX_LINE_CHARACTERS
    return text if left <= 0 else f"{text[:MAX_LINE_CHARACTERS]}… and {left:,} more characters"
