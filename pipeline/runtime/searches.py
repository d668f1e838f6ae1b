"""The searches of patterns in generated code: where they are, and others in their place."""

from __future__ import annotations

import dis
import re
from collections.abc import Callable
from types import FunctionType
from typing import TypeAlias

from pipeline.language import Position

Process: TypeAlias = Callable[..., int]
Search: TypeAlias = Callable[[bytes], object]

SEARCH = re.compile(r"(?:find|read)\d+")
"""The names that generated code has for the searches of patterns; a pattern of two steps has one of each."""


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
