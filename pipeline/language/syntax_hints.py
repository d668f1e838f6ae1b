"""Mistakes that people make who know other languages, as tables: what is written, and what to write."""

from __future__ import annotations

KEYWORDS = frozenset(
    "after as begin buckets by const counter def del else gauge hidden histogram limit log_filter next otherwise "
    "stop text timer".split()
)
