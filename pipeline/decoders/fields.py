"""What a program reads of a record: a field by its path, as the type that the use demands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from pipeline.decoders.decoder import Decoder, DecoderOptions, Record, Value

Steps: TypeAlias = "tuple[tuple[str, Steps], ...]"
"""Names to look for in a table, in order, each with those to look for in what it holds: none if that is the field."""

MAX_REMEMBERED_PATHS: Final = 1024
"""Those of programs and of the table of routes, not of lines."""


def find_field(record: Record, path: Sequence[str]) -> Value:
    """Return the value of the field at `path`, such as ("a", "b") or ("a", "0"); None if it is absent, or null.

    Names joined by dots may be one, at any depth, as many loggers write them: where there is no `c` within `b` within
    `a`, it is `b.c` within `a`, or else `c` within `a.b`, or else `a.b.c`.
    """
    return find_value(record, make_steps(tuple(path)))


@lru_cache(maxsize=MAX_REMEMBERED_PATHS)
def make_steps(path: tuple[str, ...]) -> Steps:
    """Return the steps to the field at `path`: to its first name, to its first two joined by a dot, and so on."""
    rests: list[Steps] = [()]
    for start in range(len(path) - 1, -1, -1):
        names = (".".join(path[start:end]) for end in range(start + 1, len(path) + 1))
        rests.append(tuple(zip(names, reversed(rests), strict=True)))
    return rests[-1]


def find_value(value: Value, steps: Steps) -> Value:
    """Return what the steps lead to; None if it is absent, or null. No table on the way is looked at twice."""
    if isinstance(value, dict):
        for name, rest in steps:
            found: Value = value.get(name)
            if found is not None and rest:
                found = find_value(found, rest)
            if found is not None:
                return found
    elif isinstance(value, list):
        name, rest = steps[0]
        if name.isdecimal() and int(name) < len(value):
            item: Value = value[int(name)]
            return find_value(item, rest) if rest else item
    return None


def make_finder(path: tuple[str, ...]) -> Callable[[Mapping[str, Value]], Value]:
    """Return `find_field` for one path of several names, quick where there are two."""
    steps = make_steps(path)
    if len(path) > 2:
        return lambda record: find_value(record, steps)
    first, second = path
    joined = ".".join(path)

    def find_in_table(record: Mapping[str, Value]) -> Value:
        table = record.get(first)
        if isinstance(table, dict):
            value: Value = table.get(second)
            return record.get(joined) if value is None else value
        return record.get(joined) if table is None else find_value(record, steps)

    return find_in_table


def make_table(record: Record) -> Mapping[str, Value]:
    """Return what is no table as one: a list by the places of its items; anything else has no fields."""
    return {str(place): value for place, value in enumerate(record)} if isinstance(record, list) else {}


def make_reader(decoder: Decoder, options: DecoderOptions) -> Callable[[bytes], Mapping[str, Value] | None]:
    """Return what decodes a text to a table; None if it is not of the kind."""
    decode = decoder.make(options)

    def read(text: bytes) -> Mapping[str, Value] | None:
        found = decode(text)
        if found is None:
            return None
        (record,) = found
        return record if isinstance(record, dict) else make_table(record)

    return read


def make_clock(decoder: Decoder, options: DecoderOptions) -> Callable[[Mapping[str, Value], int, int], int]:
    """Return what reads the time of a record, given the time of reading and the time if there is none.

    The last text and its time are remembered: consecutive lines share a second.
    """
    read_time = decoder.read_time
    assert read_time is not None
    last: tuple[Value, int] = (None, 0)
    last_time = 0

    def read(record: Mapping[str, Value], now: int, time: int) -> int:
        nonlocal last, last_time
        key = (record.get("timestamp"), now)
        if key != last or key[0] is None:
            found = read_time(record, now, options)
            if found is None:
                return time
            last, last_time = key, found
        return last_time

    return read
