"""Exemplars: for a series one observation of many, with what leads to the trace that it came from.

What a line gives is kept as it is, a `Note`, and becomes an `Exemplar` when a format asks for it: lines are many,
and readers few. Notes lie beside the series, not in them, so that metrics without exemplars pay nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.metrics.datum import wrap_int64

MAX_CHARACTERS = 128
"""What names and values of its labels may have together (OpenMetrics 1.0, "Exemplars")."""

# Prometheus itself keeps 100,000 exemplars of all that it scrapes, unless it is told otherwise. One takes 0.5 KB.
MAX_SERIES = 10_000
"""How many series of a metric keep exemplars; those that have had theirs for longest make room."""

MAX_CHARACTER_BYTES = 4
"""More bytes of UTF-8 never make one character, be they valid or not."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation. `value` is what was counted or observed, `time` ns since 1970."""

    labels: tuple[tuple[str, str], ...]
    value: float
    time: int


SeriesExemplars: TypeAlias = Mapping[int, Exemplar]
"""Those of one series: of a histogram one for each bucket, by its place; of a counter one, at 0."""

Names: TypeAlias = tuple[str, ...]
Note: TypeAlias = tuple[Names, tuple[bytes, ...], int | float, int]
"""Names and values of the labels, what was counted, and when; the last two may have outgrown 64 bits."""
Notes: TypeAlias = dict[tuple[bytes, ...], dict[int, Note]]
"""By series and bucket."""


def read_labels(names: Names, values: tuple[bytes, ...]) -> tuple[tuple[str, str], ...]:
    """Return the labels that have a value, as text: an invalid byte becomes U+FFFD."""
    return tuple([(name, value.decode("utf-8", "replace")) for name, value in zip(names, values, strict=True) if value])


def are_too_long(names: Names, values: tuple[bytes, ...]) -> bool:
    """Tell whether labels have more than MAX_CHARACTERS together. A long text is not read to find that out."""
    if sum(map(len, values)) > MAX_CHARACTERS * MAX_CHARACTER_BYTES:
        return True
    return sum(len(name) + len(value) for name, value in read_labels(names, values)) > MAX_CHARACTERS


def read_notes(notes: Mapping[int, Note]) -> SeriesExemplars:
    """Return the exemplars of one series."""
    return {
        place: Exemplar(read_labels(names, values), float(wrap_number(value)), wrap_int64(time))
        for place, (names, values, value, time) in notes.items()
    }


def wrap_number(value: int | float) -> int | float:
    """Return what a series makes of `value`: an Int has 64 bits."""
    return wrap_int64(value) if isinstance(value, int) else value


def copy_notes(notes: Notes) -> Notes:
    """Return notes that do not change with the others."""
    return {labels: dict(held) for labels, held in notes.items()}


class ExemplarsView(Mapping[tuple[bytes, ...], SeriesExemplars]):
    """The exemplars in some notes whenever one looks, made for the series that is asked for."""

    __slots__ = ("notes",)

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def __getitem__(self, labels: tuple[bytes, ...]) -> SeriesExemplars:
        return read_notes(self.notes[labels])

    def __contains__(self, labels: object) -> bool:
        # That of the base class makes the exemplars, or an exception where there are none: 0.6 instead of 0.1 µs.
        return labels in self.notes

    def __iter__(self) -> Iterator[tuple[bytes, ...]]:
        return iter(tuple(self.notes))

    def __len__(self) -> int:
        return len(self.notes)
