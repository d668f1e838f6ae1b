"""What generated code calls where speed does not matter: groups that may lack a match, and sure failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, Protocol

from pipeline.decoders import Value
from pipeline.errors import LineError
from pipeline.language.support import INT_MAX, raise_no_match
from pipeline.metrics import Datum, wrap_int64

NO_INT = "the number of a capture group does not fit in 64 bits"


class Match(Protocol):
    """What a search returns: groups by index, None for one that took no part."""

    def __getitem__(self, index: int) -> bytes | None: ...


UNTRIED = False
"""What stands in place of a match before its pattern is tried on a line; None is a failed match."""


def last_tried(name: str, *tried: Match | int | None) -> tuple[Match, int]:
    """Return the last match that was tried, with the index of the group; LineError if it failed.

    `tried` alternates matches and indexes, in textual order.
    """
    for place in range(len(tried) - 2, -1, -2):
        match, index = tried[place], tried[place + 1]
        if match is UNTRIED:
            continue
        if match is not None and not isinstance(match, int) and isinstance(index, int):
            return match, index
        break
    return raise_no_match(name)


def read_group(name: str, *tried: Match | int | None) -> bytes:
    """Return the text of a group whose pattern may not have matched; empty if it took no part."""
    match, index = last_tried(name, *tried)
    return match[index] or b""


def is_defined(name: str, *tried: Match | int | None) -> bool:
    """Return whether a group, whose pattern may not have matched, took part in the match."""
    match, index = last_tried(name, *tried)
    return match[index] is not None


def last_record(name: str, *tried: Mapping[str, Value] | bool | None) -> Mapping[str, Value]:
    """Return the record of the last decode that was tried; LineError if it failed."""
    for record in reversed(tried):
        if record is UNTRIED:
            continue
        if record is not None and not isinstance(record, bool):
            return record
        break
    raise LineError(f"the `decode` of `${name}` was not tried or did not succeed on this line")


def fail_value(message: str, *_values: object) -> NoReturn:
    """Raise LineError for an operation that cannot take the type of its operand (spec section 6.7)."""
    raise LineError(message)


def exact_float(text: bytes) -> float:
    """Return the Float of the Int that digits spell, which is a large one; LineError if it does not fit in 64 bits."""
    value = int(text)
    if value > INT_MAX:
        raise LineError(NO_INT)
    return float(value)


def step_value(datum: Datum, delta: int, time: int) -> int:
    """Change an Int by `delta` and return the new value: `++` and `--` inside an expression."""
    value = datum.value
    if not isinstance(value, int):
        raise LineError("`++` and `--` work on Ints only")
    datum.value = stepped = wrap_int64(value + delta)
    datum.time = time
    return stepped
