"""What a time layout is made of: elements and literal text, and the pattern of what each accepts.

The tables follow spec sections 10.3 and 10.4. Reading a value by Go's rules never goes back: each
element takes what it takes, and a later mismatch is an error. So the alternatives of a pattern here
exclude each other and its repeats are possessive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Final


class Field(IntEnum):
    """What a group of a layout's pattern tells about the time; integers, for quick keys."""

    YEAR = auto()
    MONTH = auto()
    DAY = auto()
    YEAR_DAY = auto()
    HOUR = auto()
    AM = auto()
    PM = auto()
    MINUTE = auto()
    SECOND = auto()
    FRACTION = auto()
    UTC = auto()
    OFFSET = auto()
    ZONE_NAME = auto()


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a layout: its text there, the pattern of what it accepts, and what each group of that is."""

    text: bytes
    fields: tuple[Field, ...]
    pattern: bytes


MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


MONTH_NUMBERS: Final = {name[:3].lower().encode(): number for number, name in enumerate(MONTHS, 1)}


def any_name(names: Iterable[str]) -> bytes:
    """Return the pattern of one of `names` in any case, without a group."""
    return f"(?i:{'|'.join(names)})".encode()


TWO_DIGITS: Final = rb"([0-9]{2})"
HOUR_12: Final = rb"(0[0-9]|1[0-2])"
MINUTE: Final = rb"([0-5][0-9])"
ANY_FRACTION: Final = rb"(?:[.,]([0-9]++))?+"


def or_one_digit(two_digits: bytes, one_digit: bytes = rb"[0-9]") -> bytes:
    """Return `two_digits`, or a single digit that no other follows: a second digit would be taken too."""
    return two_digits[:-1] + b"|" + one_digit + rb"(?![0-9]))"


# Offsets of 24 hours, 60 minutes and 60 seconds are in use, so they pass.
OFFSET_HOUR: Final = rb"(?:[01][0-9]|2[0-4])"
OFFSET_PART: Final = rb"(?:[0-5][0-9]|60)"
OFFSETS: Final = {
    b"070000": OFFSET_HOUR + OFFSET_PART + OFFSET_PART,
    b"07:00:00": OFFSET_HOUR + b":" + OFFSET_PART + b":" + OFFSET_PART,
    b"0700": OFFSET_HOUR + OFFSET_PART,
    b"07:00": OFFSET_HOUR + b":" + OFFSET_PART,
    b"07": OFFSET_HOUR,
}

# A number of hours; one above 23 is none, and all its digits must be looked at to know.
HOURS_AHEAD: Final = rb"[+-]0*(?:2[0-3]|1?[0-9])(?![0-9])"
# The first that fits, and no other then; the upper-case names are told apart by their whole length.
ZONE_NAME: Final = (
    rb"(?>(UTC)|((?=[\s\S]{3})(?:ChST|MeST|GMT(?:" + HOURS_AHEAD + rb")?+|" + HOURS_AHEAD + rb"|"
    rb"(?:[A-Z]{4}T|[A-Z]{3}T|WITA|[A-Z]{3})(?![A-Z]))))"
)  # fmt: skip

ELEMENTS: Final[dict[bytes, tuple[tuple[Field, ...], bytes]]] = {
    b"2006": ((Field.YEAR,), rb"([0-9]{4})"),
    b"06": ((Field.YEAR,), TWO_DIGITS),
    b"January": ((Field.MONTH,), b"(" + any_name(MONTHS) + b")"),
    b"Jan": ((Field.MONTH,), b"(" + any_name(name[:3] for name in MONTHS) + b")"),
    b"01": ((Field.MONTH,), rb"(0[1-9]|1[0-2])"),
    b"1": ((Field.MONTH,), or_one_digit(rb"(0[1-9]|1[0-2])", rb"[1-9]")),
    b"Monday": ((), any_name(WEEKDAYS)),
    b"Mon": ((), any_name(name[:3] for name in WEEKDAYS)),
    b"02": ((Field.DAY,), TWO_DIGITS),
    b"2": ((Field.DAY,), rb"([0-9]{1,2}+)"),
    b"_2": ((Field.DAY,), rb" ?+([0-9]{1,2}+)"),
    b"002": ((Field.YEAR_DAY,), rb"([0-9]{3})"),
    b"__2": ((Field.YEAR_DAY,), rb" {0,2}+([0-9]{1,3}+)"),
    b"15": ((Field.HOUR,), or_one_digit(rb"([01][0-9]|2[0-3])")),
    b"03": ((Field.HOUR,), HOUR_12),
    b"3": ((Field.HOUR,), or_one_digit(HOUR_12)),
    b"PM": ((Field.AM, Field.PM), rb"(?:(A)|(P))M"),
    b"pm": ((Field.AM, Field.PM), rb"(?:(a)|(p))m"),
    b"04": ((Field.MINUTE,), MINUTE),
    b"4": ((Field.MINUTE,), or_one_digit(MINUTE)),
    b"05": ((Field.SECOND,), MINUTE),
    b"5": ((Field.SECOND,), or_one_digit(MINUTE)),
    b"MST": ((Field.UTC, Field.ZONE_NAME), ZONE_NAME),
    **{b"-" + shape: ((Field.OFFSET,), b"([+-]" + part + b")") for shape, part in OFFSETS.items()},
    **{b"Z" + shape: ((Field.UTC, Field.OFFSET), b"(?:(Z)|([+-]" + part + b"))") for shape, part in OFFSETS.items()},
}

# At each place the first that fits. `_2006` is an underscore before a year.
SPELLINGS: Final = re.compile(
    rb"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|0[1-6]|002|15|1|2006|2|_2(?!006)|__2|[345]|PM|pm"
    rb"|[-Z]070000|[-Z]07:00:00|[-Z]0700|[-Z]07:00|[-Z]07|[.,](?:0++|9++)(?![0-9])"
)


def split_layout(layout: bytes) -> Iterator[bytes | Element]:
    """Yield the elements of `layout` and, as bytes, the literal text between them."""
    position = 0
    for found in SPELLINGS.finditer(layout):
        if found.start() > position:
            yield layout[position : found.start()]
        yield Element(found[0], *describe_element(found[0]))
        position = found.end()
    if position < len(layout):
        yield layout[position:]


def describe_element(text: bytes) -> tuple[tuple[Field, ...], bytes]:
    """Return what the groups of the element `text` tell, and the pattern of what it accepts."""
    if text[:1] not in (b".", b","):
        return ELEMENTS[text]
    if text[1:2] == b"9":
        return (Field.FRACTION,), ANY_FRACTION
    return (Field.FRACTION,), rb"[.,]([0-9]{%d})" % (len(text) - 1)


def write_literal(text: bytes) -> bytes:
    """Return the pattern of literal text: a run of spaces stands for any run, or for none at the end."""
    return re.sub(rb"((?:\\ )+)", rb"(?: ++|\\Z)", re.escape(text))
