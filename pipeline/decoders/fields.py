"""What a program reads of a record: a field by its path, as the type that the use demands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pipeline.decoders.decoder import Decoder, DecoderOptions, Record, Value


def find_field(record: Record, path: Sequence[str]) -> Value:
    """Return the value of the field at `path`, such as ("a", "b") or ("a", "0"); None if it is absent, or null.

    Where there are no such tables within tables, the names joined by dots are tried as one, as many loggers write them.
    """
    value = record
    for name in path:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = None
            break
    if value is None and len(path) > 1 and isinstance(record, Mapping):
        return record.get(".".join(path))
    return value


def make_finder(path: tuple[str, ...]) -> Callable[[Mapping[str, Value]], Value]:
    """Return `find_field` for one path of several names, quick where tables are within tables."""
    first, second, *others = path

    def find_in_table(record: Mapping[str, Value]) -> Value:
        table = record.get(first)
        if isinstance(table, dict):
            value: Value = table.get(second)
            if value is not None:
                return value
        return find_field(record, path)

    return (lambda record: find_field(record, path)) if others else find_in_table


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
