"""Diagnostics: what a program's author is told, with excerpt, carets, notes and help.

The first line is `file:line:column: error: message`, so that editors can jump there.
Messages are lower case without a full stop, program text in backticks; `help` says what to do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pipeline.errors import PipelineError
from pipeline.language.source import SourceFile, Span

MAX_EXCERPT_COLUMNS = 160
"""A longer line is shown around the place only, so that one message fits a screen."""

MAX_QUOTE_LENGTH = 40


class Severity(Enum):
    """An error keeps a program from loading; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Note:
    """Where else to look: a sentence, and the place it is about, if any."""

    text: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: one message under the smallest guilty span."""

    severity: Severity
    message: str
    source: SourceFile
    span: Span
    label: str = ""
    notes: tuple[Note, ...] = ()
    help: str = ""

    def render(self) -> str:
        """Return the whole text, several lines, without a line feed at the end."""
        start = self.source.position(self.span.start)
        lines = [f"{self.source.name}:{start.line}:{start.column}: {self.severity.value}: {self.message}"]
        gutter = " " * len(str(start.line))
        excerpt, carets = draw_excerpt(self.source, self.span)
        lines.append(f" {start.line} | {excerpt}".rstrip())
        lines.append(f" {gutter} | {carets} {self.label}".rstrip())
        for note in self.notes:
            place = ""
            if note.span is not None:
                position = self.source.position(note.span.start)
                place = f" at {self.source.name}:{position.line}:{position.column}"
            lines.append(f" {gutter} = note: {note.text}{place}")
        if self.help:
            lines.append(f" {gutter} = help: {self.help}")
        return "\n".join(lines)


class ProgramError(PipelineError):
    """A program that cannot be loaded, with all its errors."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(diagnostic.render() for diagnostic in diagnostics))
        self.diagnostics = tuple(diagnostics)


def draw_excerpt(source: SourceFile, span: Span) -> tuple[str, str]:
    """Return the line `span` starts on and the carets under the part of it that `span` covers.

    At the end of a line or of the file the caret stands behind the text.
    """
    line = source.position(span.start).line
    text = printable(source.line_text(line))
    begin = min(span.start - source.line_starts[line - 1], len(text))
    end = max(min(span.end - source.line_starts[line - 1], len(text)), begin)
    cut = 0
    if len(text) > MAX_EXCERPT_COLUMNS:
        cut = max(0, min(begin - MAX_EXCERPT_COLUMNS // 4, len(text) - MAX_EXCERPT_COLUMNS))
    shown = text[cut : cut + MAX_EXCERPT_COLUMNS]
    head, tail = "…" if cut else "", "…" if cut + len(shown) < len(text) else ""
    before = "".join("\t" if char == "\t" else " " * char_width(char) for char in head + shown[: begin - cut])
    carets = sum(char_width(char) for char in shown[begin - cut : end - cut])
    return head + shown + tail, before + "^" * max(1, carets)


def printable(text: str) -> str:
    """Return `text` with control characters replaced, so that an excerpt cannot drive a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)


def quote(text: str) -> str:
    """Return a piece of a program as a message shows it, shortened if it is long."""
    text = printable(text)
    return f"`{text if len(text) <= MAX_QUOTE_LENGTH else text[:MAX_QUOTE_LENGTH] + '…'}`"


def char_width(char: str) -> int:
    """Return how many columns of a terminal `char` takes."""
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def find_close(name: str, known: Sequence[str]) -> str:
    """Return the known name nearest to `name`, or nothing."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1, cutoff=0.6)), "")


def suggest(name: str, known: Sequence[str]) -> str:
    """Return "did you mean …" for the known name nearest to `name`, or nothing."""
    close = find_close(name, known)
    return f"did you mean `{close}`?" if close else ""
