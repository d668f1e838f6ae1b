"""The values of literals: numbers, durations, and text between quotes or slashes (spec sections 2.3 to 2.6)."""

from __future__ import annotations

import math
import re

from pipeline.errors import PipelineError
from pipeline.language.diagnostics import quote

INT_MIN = -(1 << 63)
INT_MAX = (1 << 63) - 1

UNITS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000}
"""The units a duration can have, in nanoseconds."""

DURATION_PART = re.compile(r"(?P<count>\d+\.?\d*|\.\d+)(?P<unit>ms|[hms])", re.ASCII)
DAYS = re.compile(r"(?P<count>\d{1,5})d", re.ASCII)
MAX_DIGITS = 400
"""Longer numbers are out of every range; Python itself refuses to convert much longer ones."""


class LiteralError(PipelineError):
    """A literal without a value: `message` says why, `hint` what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_number(text: str) -> int | float:
    """Return the value of an integer or a float."""
    if has_unit(text):
        raise LiteralError(f"{quote(text)} is a duration, which can only follow `after`", suggest_seconds(text))
    if not text.isascii():
        raise LiteralError(f"{quote(text)} is not a number", "write its digits as `0` to `9`")
    if text.lstrip("-").isdecimal():
        return read_int(text)
    try:
        value = float(text)
    except ValueError:
        raise LiteralError(f"{quote(text)} is not a number", "a float is written like `0.5`, `2.` or `1e6`") from None
    if not math.isfinite(value):
        raise LiteralError(f"{quote(text)} is out of range", "the largest float is about 1.8e308")
    return value


def read_int(text: str) -> int:
    """Return the value of ASCII digits, perhaps with a minus."""
    value = int(text) if len(text) < MAX_DIGITS else INT_MAX + 1
    if not INT_MIN <= value <= INT_MAX:
        raise LiteralError(f"{quote(text)} is out of range", f"integers go from {INT_MIN} to {INT_MAX}")
    return value


def read_duration(text: str) -> int:
    """Return the nanoseconds of what follows `after`."""
    if days := DAYS.fullmatch(text):
        raise LiteralError("a duration has no unit for days", f"write hours: `{24 * int(days['count'])}h`")
    if not has_unit(text):
        raise LiteralError(
            f"the duration {quote(text)} has no unit",
            "write its unit: `h`, `m`, `s` or `ms`" if len(text) > 9 else f"write `{text}h`, `{text}m` or `{text}s`",
        )
    value = sum_parts(text)
    if value is None:
        raise LiteralError(
            f"{quote(text)} is not a duration",
            "a duration is one or more numbers with the unit `h`, `m`, `s` or `ms`, such as `1h30m`",
        )
    if not INT_MIN <= value <= INT_MAX:
        raise LiteralError(f"the duration {quote(text)} is out of range", "the longest is `2562047h`, about 292 years")
    return value


def sum_parts(text: str) -> int | None:
    """Return the nanoseconds of a duration, out of range perhaps, or None if it is misspelt."""
    sign, parts = (-1, text[1:]) if text.startswith("-") else (1, text)
    total = 0
    position = 0
    while match := DURATION_PART.match(parts, position):
        if len(match["count"]) > MAX_DIGITS:
            return None
        whole, _, decimals = match["count"].partition(".")
        total += int(whole + decimals) * UNITS[match["unit"]] // 10 ** len(decimals)
        position = match.end()
    return sign * total if position == len(parts) > 0 else None


def suggest_seconds(text: str) -> str:
    """Return what to write for a duration that stands where a number is due."""
    value = sum_parts(text)
    if value is None or abs(value) > INT_MAX:
        return "write a number without a unit"
    seconds, rest = divmod(value, UNITS["s"])
    shown = repr(value / UNITS["s"] if rest else seconds)
    return f"write a number without a unit, in seconds `{shown}`"


def has_unit(text: str) -> bool:
    """Return whether a number is followed by a unit, and so is a duration."""
    return any(char in "smhd" for char in text)


def read_string(text: str) -> str:
    """Return the text between quotes; an escaped quote is a quote, any other backslash stays."""
    return unescape(text[1:-1], '"')


def read_pattern(text: str) -> str:
    """Return the text between slashes; an escaped slash is a slash, any other backslash stays."""
    return unescape(text, "/")


def unescape(text: str, delimiter: str) -> str:
    """Drop the backslash before each delimiter; pairs are taken from the left, so two of them are a pair."""
    return re.sub(r"\\(.)", lambda pair: delimiter if pair[1] == delimiter else pair[0], text)
