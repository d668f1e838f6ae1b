"""How figures and names are written on the status pages: the filters of the templates."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

from pipeline.report import describe_duration

NANOSECONDS = 1_000_000_000
LAST_SECOND = 253_402_300_799
"""The last one that a date of four digits has."""

CLOCK_ERROR = 60 * NANOSECONDS
"""A clock may have been set back by so much."""

NONE = "–"

MAX_TEXT_CHARACTERS = 20_000
"""Of one text on a page, such as all errors of a program."""

SIZES = ("kB", "MB", "GB", "TB", "PB")
SMALL_RATE = 9.95


def clean(value: object) -> object:
    """Return a text without what could hide or turn another: control characters, marks of direction, surrogates."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in value)


def spell_grouped(value: int) -> str:
    """Return a whole number with commas."""
    return f"{value:,}"


def spell_rate(value: float) -> str:
    """Return how many a second, with a decimal where there are few."""
    if not value:
        return "0"
    if value < 0.05:
        return "< 0.1"
    return f"{value:.1f}" if value < SMALL_RATE else f"{value:,.0f}"


def spell_size(value: float | None) -> str:
    """Return a number of bytes in decimal units."""
    if value is None:
        return NONE
    if value < 1000:
        return f"{value:.0f} B"
    power = 1
    while value >= 999.5 * 1000**power and power < len(SIZES):
        power += 1
    value /= 1000**power
    unit = SIZES[power - 1]
    return f"{value:,.1f} {unit}" if value < SMALL_RATE else f"{value:,.0f} {unit}"


def spell_share(value: float | None) -> str:
    """Return a share in percent."""
    return NONE if value is None else f"{value:.1%}".replace("%", " %") if value < 0.0995 else f"{value * 100:.0f} %"


def spell_nanoseconds(value: float | None) -> str:
    """Return the time that a line takes."""
    if value is None:
        return NONE
    return f"{value:,.0f} ns" if value < 9950 else f"{value / 1000:,.0f} µs"


def spell_seconds(value: float) -> str:
    """Return what something took."""
    if value < 0.9995:
        return f"{value * 1000:.0f} ms" if value >= 0.0005 or not value else "< 1 ms"
    return f"{value:.1f} s" if value < 60 else describe_duration(value)


def spell_duration(nanoseconds: int) -> str:
    """Return how long it has been."""
    return describe_duration(max(nanoseconds, 0) / NANOSECONDS)


def spell_ago(nanoseconds: int) -> str:
    """Return how long ago something was. A program may have stamped it with a time to come."""
    if nanoseconds <= -CLOCK_ERROR:
        return f"in {spell_duration(-nanoseconds)}"
    return f"{spell_duration(nanoseconds)} ago" if nanoseconds >= NANOSECONDS else "just now"


def spell_silence(seconds: float | None) -> str:
    """Return how long ago the last line came."""
    if seconds is None:
        return "never"
    return f"{describe_duration(seconds)} ago" if seconds >= 10 else "just now"


def spell_wait(seconds: float | None) -> str:
    """Return in how long something will be."""
    return NONE if seconds is None else f"in {describe_duration(seconds)}"


def spell_span(seconds: float) -> str:
    """Return the time that rates are of."""
    return "minute" if seconds >= 60 else f"{describe_duration(seconds)}"


def spell_moment(time: int) -> str:
    """Return a time as people write it."""
    return f"{make_moment(time):%Y-%m-%d %H:%M:%S} UTC"


def spell_timestamp(time: int) -> str:
    """Return a time as HTML has it."""
    return f"{make_moment(time):%Y-%m-%dT%H:%M:%SZ}"


def make_moment(time: int) -> datetime:
    """Return the date of a time in ns since 1970, as near as dates come."""
    return datetime.fromtimestamp(min(max(time // NANOSECONDS, 0), LAST_SECOND), UTC)


def quote_name(name: str) -> str:
    """Return a file name, whatever bytes it has, as a piece of a path."""
    return quote(os.fsencode(name), safe="")


def limit_text(text: str) -> str:
    """Return the beginning of a text that could be long."""
    left = len(text) - MAX_TEXT_CHARACTERS
    return text if left <= 0 else f"{text[:MAX_TEXT_CHARACTERS]}… and {left:,} more characters"


FILTERS: dict[str, Callable[..., str]] = {
    "grouped": spell_grouped,
    "rate": spell_rate,
    "size": spell_size,
    "share": spell_share,
    "nanoseconds": spell_nanoseconds,
    "seconds": spell_seconds,
    "duration": spell_duration,
    "ago": spell_ago,
    "silence": spell_silence,
    "wait": spell_wait,
    "span": spell_span,
    "moment": spell_moment,
    "timestamp": spell_timestamp,
    "quoted": quote_name,
    "limited": limit_text,
}
