"""What values of the status pages are made of: lists with a limit, and how it is with something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_ROWS = 200
"""Of a table. A machine has some dozens of programs and sources; a pattern of paths may match ten thousand files."""

MAX_PROBLEMS = 50
"""Of what needs attention, and of failures on lines: who has more of either begins with the first."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The first of several things, and how many more there are."""

    rows: tuple[T, ...] = ()
    more: int = 0

    @classmethod
    def cut(cls, things: Sequence[T], limit: int) -> Listing[T]:
        """Return the first of `things`, `limit` at most."""
        return cls(tuple(things[:limit]), max(len(things) - limit, 0))

    @classmethod
    def take(cls, things: Iterable[T], limit: int, total: int) -> Listing[T]:
        """Return the first of `total` things, without going through the others."""
        rows = tuple(islice(things, limit))
        return cls(rows, total - len(rows))


class Mark(Enum):
    """How it is with something. The value is its class in the style sheet."""

    GOOD = "good"
    BAD = "bad"
    NEITHER = "neither"
