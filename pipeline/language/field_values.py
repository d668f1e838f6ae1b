"""What a field of a record is where a program uses it: a text, a number, as the use demands.

A value of None is an absent field. Texts are `bytes`, or `str` with surrogates for bytes, as decoders make them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Final

from pipeline.decoders import Value
from pipeline.errors import LineError
from pipeline.language.support import (
    INT_MAX,
    INT_MIN,
    INT_SAFE_DIGITS,
    format_float,
    order_numeric_first,
    parse_float,
    parse_int,
    read_float,
    show_text,
)

NANOSECONDS: Final = 10**9
MAX_SECONDS: Final = float(INT_MAX)
"""As many as an Int can say."""
FRACTION_HELP: Final = "which is not a whole number: write `float(…)` around it, and let the metric hold Floats"


def field_text(name: str, value: Value) -> bytes:
    """Return the text of the field `name`; LineError if it is absent."""
    if type(value) is bytes:
        return value
    if type(value) is str:
        return value.encode("utf-8", "surrogateescape")
    if type(value) is int:
        return b"%d" % value
    return write_value(name, value)


def write_value(name: str, value: Value) -> bytes:
    """Return the text of a field that is no text."""
    match value:
        case None:
            raise LineError(f"the field `{name}` is absent")
        case bool():
            return b"true" if value else b"false"
        case float():
            return format_float(value)
        case _:
            return write_json(value)


def write_json(value: object) -> bytes:
    """Return a table or a list as compact JSON. That never fails: the sieve counts on it."""
    import orjson

    try:
        return orjson.dumps(value, default=decode_text)
    except TypeError:  # texts with surrogates, or a depth beyond 254
        return "".join(write_parts(value)).encode("utf-8", "surrogateescape")


def write_parts(value: object) -> Iterator[str]:
    """Yield the pieces of a value as compact JSON, however deep it is. What waits in a tuple is written already."""
    pending: list[object] = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple):
            yield part[0]
        elif isinstance(part, dict):
            yield "{"
            pending.append(("}",))
            for place, (key, item) in reversed(list(enumerate(part.items()))):
                pending += [item, (f"{',' if place else ''}{write_part(key)}:",)]
        elif isinstance(part, list):
            yield "["
            pending.append(("]",))
            for place, item in reversed(list(enumerate(part))):
                pending += [item, (",",)] if place else [item]
        else:
            yield write_part(part)


def write_part(value: object) -> str:
    """Return what is no table or list as JSON."""
    return json.dumps(decode_text(value) if isinstance(value, bytes) else value, ensure_ascii=False)


def decode_text(value: object) -> str:
    """Return a text within a table or a list."""
    assert isinstance(value, bytes)
    return value.decode("utf-8", "surrogateescape")


def field_int(name: str, value: Value) -> int:
    """Return the Int of the field `name`; LineError if it is absent or none."""
    if type(value) is int:
        if INT_MIN <= value <= INT_MAX:
            return value
        raise LineError(f"the field `{name}` is `{value}`, which does not fit in 64 bits")
    if type(value) is float:
        return whole_int(name, value)
    text = field_text(name, value)
    if isinstance(value, bytes | str):
        return int_of_text(name, text)
    raise LineError(f"the field `{name}` is {show_text(text)}, which is not an integer")


def int_of_text(name: str, text: bytes) -> int:
    """Return the Int that the text of a field spells."""
    try:
        return parse_int(text)
    except LineError as error:
        number = read_float(text)
        if number is not None and isfinite(number):
            return whole_int(name, number)
        raise LineError(f"the field `{name}`: {error}") from None


def whole_int(name: str, value: float) -> int:
    """Return a Float without a fraction as an Int."""
    if not value.is_integer():
        raise LineError(f"the field `{name}` is {show_text(format_float(value))}, {FRACTION_HELP}")
    number = int(value)
    if not INT_MIN <= number <= INT_MAX:
        raise LineError(f"the field `{name}` is {show_text(format_float(value))}, which does not fit in 64 bits")
    return number


def field_float(name: str, value: Value) -> float:
    """Return the Float of the field `name`; LineError if it is absent or none."""
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    text = field_text(name, value)
    # What spells one is not asked for its type: 0.2 µs, where to ask takes 0.1 more.
    if text is value and (number := read_float(text)) is not None:
        return number
    if isinstance(value, bytes | str):
        try:
            return parse_float(text)
        except LineError as error:
            raise LineError(f"the field `{name}`: {error}") from None
    raise LineError(f"the field `{name}` is {show_text(text)}, which is not a number")


def field_number(name: str, value: Value) -> int | float:
    """Return the number of the field `name`, whole or not, for comparisons; LineError if it is absent or none."""
    if type(value) is int or type(value) is float:
        return value
    if type(value) is not bytes and type(value) is not str:
        return field_float(name, value)
    text = field_text(name, value)
    if text.isdigit() and len(text) <= INT_SAFE_DIGITS:
        return int(text)
    if b"." not in text:  # an exception takes 2 µs
        try:
            return parse_int(text)
        except LineError:
            pass
    return field_float(name, text)


def field_bool(name: str, value: Value) -> bool:
    """Return whether the field `name` holds: what is true, and a number other than 0; LineError if it is neither."""
    if isinstance(value, bool | int | float):
        return value != 0
    text = field_text(name, value)
    number = read_float(text) if isinstance(value, bytes | str) else None
    if text not in (b"true", b"false") and number is None:
        raise LineError(f"the field `{name}` is {show_text(text)}, which is neither true nor false")
    return text == b"true" if number is None else number != 0


def field_time(name: str, value: Value) -> int:
    """Return the ns of the seconds since 1970 in the field `name`, with their fraction."""
    seconds = field_number(name, value)
    if isinstance(seconds, float) and not abs(seconds) <= MAX_SECONDS:
        raise LineError(f"the field `{name}` is no time")
    return int(seconds * NANOSECONDS)


def order_fields(name: str, left: Value, other: str, right: Value) -> float:
    """Return -1, 0 or 1 for the field `name` before, equal to or after the field `other`; NaN if one is that.

    Two numbers are compared as such, and so are texts that both read as numbers; all else as texts.
    """
    if type(left) is int and type(right) is int:
        return (left > right) - (left < right)
    return order_numeric_first(field_text(name, left), field_text(other, right))
