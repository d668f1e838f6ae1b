"""How often the searches of a program run, and how often they find something."""

from __future__ import annotations

import dis
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType

from pipeline.language import Position

SEARCH = re.compile(r"(?:find|read)\d+")
"""The names that generated code has for the searches of patterns; a pattern of two steps has one of each."""


@dataclass(slots=True)
class SearchCount:
    """What one search of a pattern did. A test for a text that the pattern requires is not a search."""

    position: Position
    calls: int = 0
    found: int = 0


def count_searches(process: Callable[..., int], counts: dict[str, SearchCount]) -> Callable[..., int]:
    """Return a copy of a generated function that counts into `counts` what its searches do, by their names."""
    assert isinstance(process, FunctionType)
    code = process.__code__
    for instruction in dis.get_instructions(code):
        name, place = str(instruction.argval), instruction.positions
        if SEARCH.fullmatch(name) and place is not None and place.lineno is not None:
            counts.setdefault(name, SearchCount(Position(place.lineno, (place.col_offset or 0) + 1)))
    values = process.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    pairs = zip(names, values, strict=True)
    counted = tuple(count_search(value, counts[name]) if name in counts else value for name, value in pairs)
    return FunctionType(code, process.__globals__, process.__name__, counted)


def count_search(search: Callable[[bytes], object], count: SearchCount) -> Callable[[bytes], object]:
    """Return a search that also counts."""

    def counted(subject: bytes) -> object:
        match = search(subject)
        count.calls += 1
        count.found += match is not None
        return match

    return counted


def share_searches(counts: Iterable[SearchCount], lines: int) -> dict[Position, tuple[float, float]]:
    """Return for each pattern the share of `lines` with a search, and with one that found something."""
    by_place: dict[Position, list[SearchCount]] = {}
    for count in counts:
        by_place.setdefault(count.position, []).append(count)
    return {
        position: (max(count.calls for count in steps) / lines, sum(count.found for count in steps) / lines)
        for position, steps in by_place.items()
    }
