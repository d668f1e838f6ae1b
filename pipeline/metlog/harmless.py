"""Whatever an application puts into a message becomes what JSON can express, exactly, and never an exception.

What JSON has stays as it is. The rest becomes what comes closest:

- bytes: their text in UTF-8, U+FFFD where they are none; so do halves of characters in text
- NaN and the infinities: the texts `NaN`, `Infinity`, `-Infinity`
- whole numbers beyond 64 bits, which others would round: their digits as text
- tuples and sets: lists, sets in order; mappings: objects, whose keys become text
- times: ISO 8601; enumerations: their values; everything else: what `repr` shows
- what lies deeper than `MAX_DEPTH`, holds itself, or comes after `MAX_VALUES` values or `MAX_CHARACTERS`: `…`
"""

from __future__ import annotations

import datetime
import enum
import json
import math
from collections.abc import Iterable, Mapping, Set
from itertools import islice

# Deeper than any record that somebody reads, and far from Python's limit on recursion.
MAX_DEPTH = 20

# A message is to be sent as one datagram; with so many values it no longer is. What holds the same part again and again
# would otherwise grow without end when it is written out.
MAX_VALUES = 10_000

MAX_PLAIN = 100
"""So many fields may be taken as they are. Of more, a text that all of them share would grow without end, too."""

MAX_CHARACTERS = 16 * 1024 * 1024
"""Of all texts in the fields of a message: far more than any receiver takes."""

# Numbers that every reader of JSON with whole numbers keeps exactly.
MIN_INT = -(2**63)
MAX_INT = 2**64 - 1

# `str` takes time that grows with the square of the digits, and refuses to write more than 4,300.
MAX_DIGITS = 1_000

MAX_REPR = 1_000  # characters of what `repr` shows

LEFT_OUT = "…"

_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))


def is_text(value: object) -> bool:
    """Tell whether a value is text that can be sent as it is."""
    return type(value) is str and (value.isascii() or _is_whole(value))


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_plain(fields: object) -> bool:
    """Tell whether fields are all text, numbers or truths that can be sent as they are: most are, and need no copy."""
    if type(fields) is not dict:
        return False
    for name, value in fields.items():
        if type(name) is not str or not name.isascii():
            return False
        kind = type(value)
        if kind is str:
            if not value.isascii():
                return False
        elif kind is int:
            if not MIN_INT <= value <= MAX_INT:
                return False
        elif kind is float:
            if value - value != 0.0:  # of NaN and the infinities that is NaN
                return False
        elif kind is not bool:
            return False
    return len(fields) <= MAX_PLAIN


def make_text(value: object) -> str:
    """Return the text of what should be text."""
    plain = Mender().mend(value)
    return plain if isinstance(plain, str) else write_json(plain)


def write_json(plain: object) -> str:
    """Return what was made harmless as JSON on one line, without spaces."""
    return _ENCODER.encode(plain)


def mend_text(text: str) -> str:
    """Return text that UTF-8 can express: two halves of a character become it, one alone becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Mender:
    """Makes the values of one message harmless. `changed` tells whether that took more than a copy."""

    __slots__ = ("_characters", "_holders", "_values", "changed")

    def __init__(self) -> None:
        self.changed = False
        self._characters = 0
        self._values = 0
        self._holders: list[int] = []

    def mend(self, value: object) -> object:
        """Return the value as JSON has it: text, a number, true, false, null, or a new object or list of such."""
        kind = type(value)
        if kind is str and is_text(value):
            return self._keep(value)  # type: ignore[arg-type]
        if kind is bool or value is None or (kind is float and math.isfinite(value)):  # type: ignore[arg-type]
            return value  # mypy does not narrow by `type(…) is`, which is faster than `isinstance`
        if kind is int and MIN_INT <= value <= MAX_INT:  # type: ignore[operator]
            return value
        if kind is dict or kind is list or kind is tuple:
            return self._mend_holder(value)
        return self._replace(value)

    def mend_fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return the fields of a message. Those that are None are left out: to readers they are the same as absent."""
        plain = self._mend_mapping(fields)
        if None in plain.values():
            self.changed = True
            plain = {name: value for name, value in plain.items() if value is not None}
        return plain

    def _keep(self, text: str) -> str:
        """Return text as it is, while there is room for it."""
        self._characters += len(text)
        if self._characters <= MAX_CHARACTERS:
            return text
        self.changed = True
        return LEFT_OUT

    def _replace(self, value: object) -> object:
        """Return what comes closest. An object's own methods may fail in any way."""
        self.changed = True
        try:
            return self._find_closest(value)
        except Exception:  # noqa: BLE001 - it is the application's object, and telemetry must not fail
            return f"<{type(value).__name__}>"

    def _find_closest(self, value: object) -> object:
        match value:
            case enum.Enum():
                return self.mend(value.value)
            case str():
                return self._keep(mend_text(str.__str__(value)))
            case bytes() | bytearray() | memoryview():
                return self._keep(bytes(value).decode("utf-8", "replace"))
            case int():
                return write_int(int(value))
            case float():
                return write_float(float(value))
            case datetime.date() | datetime.time():
                return value.isoformat()
            case Mapping() | Set() | list() | tuple():
                return self._mend_holder(value)
        return mend_text(repr(value)[:MAX_REPR])

    def _mend_holder(self, value: object) -> object:
        if len(self._holders) >= MAX_DEPTH or id(value) in self._holders:
            self.changed = True
            return LEFT_OUT
        self._holders.append(id(value))
        try:
            if isinstance(value, Mapping):
                return self._mend_mapping(value)
            return self._mend_list(sort(value) if isinstance(value, Set) else value)  # type: ignore[arg-type]
        finally:
            self._holders.pop()

    def _mend_mapping(self, mapping: Mapping[str, object]) -> dict[str, object]:
        plain: dict[str, object] = {}
        for name, value in mapping.items():
            if self._is_full():
                plain[LEFT_OUT] = LEFT_OUT
                break
            plain[self._keep(name) if type(name) is str and is_text(name) else self._name(name)] = self.mend(value)
        return plain

    def _mend_list(self, values: Iterable[object]) -> list[object]:
        plain: list[object] = []
        for value in values:
            if self._is_full():
                plain.append(LEFT_OUT)
                break
            plain.append(self.mend(value))
        return plain

    def _name(self, name: object) -> str:
        """Return the text of a key that is none, or none that can be sent."""
        self.changed = True
        plain = self.mend(name)
        return plain if isinstance(plain, str) else write_json(plain)

    def _is_full(self) -> bool:
        self._values += 1
        if self._values > MAX_VALUES:
            self.changed = True
            return True
        return False


def sort(values: Set[object]) -> list[object]:
    """Return a set in an order that is the same at every run; of a larger one than is sent, a part."""
    return sorted(islice(values, MAX_VALUES + 1), key=lambda value: (type(value).__name__, repr(value)))


def write_int(number: int) -> int | str:
    """Return a whole number, as text if it is too large for 64 bits."""
    if MIN_INT <= number <= MAX_INT:
        return number
    if abs(number) >= 10**MAX_DIGITS:
        return f"<number of {number.bit_length()} bits>"
    return str(number)


def write_float(number: float) -> float | str:
    """Return a number, as text if it is none that JSON has."""
    if math.isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
