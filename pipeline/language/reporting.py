"""Collects the diagnostics of one program while a pass goes over it."""

from __future__ import annotations

from pipeline.language.diagnostics import Diagnostic, Note, ProgramError, Severity
from pipeline.language.source import SourceFile, Span


class Reporter:
    """All mistakes of one program; a pass goes on after each, so that all are told at once."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.has_errors = False

    def error(self, span: Span, message: str, *, label: str = "", notes: tuple[Note, ...] = (), hint: str = "") -> None:
        """Note a mistake that keeps the program from loading."""
        self.has_errors = True
        self.diagnostics.append(Diagnostic(Severity.ERROR, message, self.source, span, label, notes, hint))

    def warn(self, span: Span, message: str, *, label: str = "", notes: tuple[Note, ...] = (), hint: str = "") -> None:
        """Note what surely is not meant; the program loads."""
        self.diagnostics.append(Diagnostic(Severity.WARNING, message, self.source, span, label, notes, hint))

    def in_order(self) -> tuple[Diagnostic, ...]:
        """Return all diagnostics in the order of the text."""
        return tuple(sorted(self.diagnostics, key=lambda diagnostic: diagnostic.span.start))

    def raise_errors(self) -> None:
        """Raise ProgramError with everything noted so far if an error is among it."""
        if self.has_errors:
            raise ProgramError(self.in_order())

    def text_of(self, span: Span) -> str:
        """Return the program's text there on one line, shortened for a message."""
        text = " ".join(self.source.text[span.start : span.end].split())
        return text if len(text) <= 40 else text[:37] + "…"
