"""The searches of patterns in generated code, and what they do: in a copy of the code that records it."""

from __future__ import annotations

import dis
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FunctionType
from typing import TypeAlias

from pipeline.language import Position

Process: TypeAlias = Callable[..., int]
Search: TypeAlias = Callable[[bytes], object]

SEARCH = re.compile(r"(?:find|read)\d+")
"""The names that generated code has for the searches of patterns; a pattern of two steps has one of each."""


@dataclass(slots=True)
class SearchRecord:
    """What one search of a pattern did. A test for a text that the pattern requires is not a search."""

    search: Search
    calls: int = 0
    found: int = 0
    subjects: list[bytes] = field(default_factory=list)
    """What it was called with, if that is to be kept."""

    def run(self, subject: bytes) -> object:
        """Search, and count it."""
        match = self.search(subject)
        self.calls += 1
        self.found += match is not None
        return match

    def run_and_keep(self, subject: bytes) -> object:
        """Search, count it, and remember in what."""
        self.subjects.append(subject)
        return self.run(subject)


Records: TypeAlias = dict[Position, list[SearchRecord]]
"""By pattern its steps, of one variant of a program: most have one. A step follows one that found something."""


def record_searches(process: Process, *, keep_subjects: bool = False) -> tuple[Process, Records]:
    """Return a copy of a generated function that records its searches, and the records."""
    places = find_searches(process)
    records: Records = {}

    def replace(name: str, search: Search) -> Search:
        record = SearchRecord(search)
        records.setdefault(places[name], []).append(record)
        return record.run_and_keep if keep_subjects else record.run

    return replace_searches(process, replace), records


def join_records(variants: Iterable[Records]) -> dict[Position, list[list[SearchRecord]]]:
    """Return for each pattern its steps in each variant that has it."""
    joined: dict[Position, list[list[SearchRecord]]] = {}
    for records in variants:
        for place, steps in records.items():
            joined.setdefault(place, []).append(steps)
    return joined


def share_searches(variants: Iterable[list[SearchRecord]], lines: int) -> tuple[float, float]:
    """Return the share of `lines` with a search for one pattern, and with one that found it."""
    searched = found = 0
    for steps in variants:
        searched += max(step.calls for step in steps)
        found += sum(step.found for step in steps)
    return searched / lines, found / lines


def find_searches(process: Process) -> dict[str, Position]:
    """Return the names of the searches in a generated function, with the places of their patterns."""
    assert isinstance(process, FunctionType)
    places: dict[str, Position] = {}
    for instruction in dis.get_instructions(process.__code__):
        name, place = str(instruction.argval), instruction.positions
        if SEARCH.fullmatch(name) and place is not None and place.lineno is not None:
            places.setdefault(name, Position(place.lineno, (place.col_offset or 0) + 1))
    return places


def replace_searches(process: Process, replace: Callable[[str, Search], Search]) -> Process:
    """Return a copy of a generated function, with `replace(name, search)` in the place of each search."""
    assert isinstance(process, FunctionType)
    code = process.__code__
    values = process.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    pairs = zip(names, values, strict=True)
    replaced = tuple(replace(name, value) if SEARCH.fullmatch(name) else value for name, value in pairs)
    return FunctionType(code, process.__globals__, process.__name__, replaced)
