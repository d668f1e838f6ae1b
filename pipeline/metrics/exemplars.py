"""Exemplars: for a series one observation of many, with what leads to the trace that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

MAX_CHARACTERS = 128
"""What names and values of its labels may have together (OpenMetrics 1.0, "Exemplars")."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation. `value` is what was counted or observed, `time` ns since 1970."""

    labels: tuple[tuple[str, str], ...]
    value: float
    time: int


SeriesExemplars: TypeAlias = Mapping[int, Exemplar]
"""Those of one series: of a histogram one for each bucket, by its place; of a counter one, at 0."""
