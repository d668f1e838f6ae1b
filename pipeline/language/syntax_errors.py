"""Puts a syntax error into words."""

from __future__ import annotations

from collections.abc import Sequence

from lark import UnexpectedInput

from pipeline.language.reporting import Reporter
from pipeline.language.source import Span


def report_syntax_error(reporter: Reporter, error: UnexpectedInput, stack: Sequence[object]) -> None:
    """Report the first thing that cannot stand where it stands."""
    start = error.pos_in_stream or 0
    reporter.error(Span(start, start + 1), "this cannot stand here")
