"""Collects the diagnostics of one program while a pass goes over it."""

from __future__ import annotations

from bisect import bisect_left, insort

from pipeline.language.diagnostics import Diagnostic, Note, ProgramError, Severity
from pipeline.language.source import SourceFile, Span


class Reporter:
    """All mistakes of one program; a pass goes on after each, so that all are told at once.

    A mistake may have consequences, and one mistake gives one message. So an error is not told when
    there is one within its span already, and a warning not when there is any error.
    """

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.has_errors = False
        self.places: list[tuple[int, int]] = []

    def error(self, span: Span, message: str, *, label: str = "", notes: tuple[Note, ...] = (), hint: str = "") -> None:
        """Note a mistake that keeps the program from loading."""
        if self.has_error_within(span):
            return
        self.has_errors = True
        insort(self.places, (span.start, span.end))
        self.diagnostics.append(Diagnostic(Severity.ERROR, message, self.source, span, label, notes, hint))

    def warn(self, span: Span, message: str, *, label: str = "", notes: tuple[Note, ...] = (), hint: str = "") -> None:
        """Note what surely is not meant; the program loads."""
        self.diagnostics.append(Diagnostic(Severity.WARNING, message, self.source, span, label, notes, hint))

    def has_error_within(self, span: Span) -> bool:
        """Return whether a part of the program's text there, or all of it, has been refused."""
        for start, end in self.places[bisect_left(self.places, (span.start, 0)) :]:
            if start > span.end:
                return False
            if end <= span.end:
                return True
        return False

    def in_order(self) -> tuple[Diagnostic, ...]:
        """Return what is to be told, in the order of the text."""
        severity = Severity.ERROR if self.has_errors else Severity.WARNING
        told = [diagnostic for diagnostic in self.diagnostics if diagnostic.severity is severity]
        return tuple(sorted(told, key=lambda diagnostic: diagnostic.span.start))

    def raise_errors(self) -> None:
        """Raise ProgramError with all errors noted so far, if there are any."""
        if self.has_errors:
            raise ProgramError(self.in_order())

    def text_of(self, span: Span) -> str:
        """Return the program's text there on one line, shortened for a message."""
        text = " ".join(self.source.text[span.start : span.end].split())
        return text if len(text) <= 40 else text[:37] + "…"
