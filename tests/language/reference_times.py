"""A slow reader of time layouts, written from the tables of spec section 10 and from nothing else.

It takes value and layout from the left, piece by piece, and never looks back. Tests compare it with
the regular expressions of `layouts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

LONG_MONTHS = [datetime(2023, month, 1, tzinfo=UTC).strftime("%B") for month in range(1, 13)]
LONG_WEEKDAYS = [datetime(2023, 1, day, tzinfo=UTC).strftime("%A") for day in range(1, 8)]
ELEMENTS = [
    *("January", "Jan", "Monday", "Mon", "MST", "01", "02", "03", "04", "05", "06", "002", "15", "1", "2006", "2"),
    *("_2", "__2", "3", "4", "5", "PM", "pm", "-070000", "-07:00:00", "-0700", "-07:00", "-07"),
    *("Z070000", "Z07:00:00", "Z0700", "Z07:00", "Z07"),
]


class MismatchError(Exception):
    """The value does not fit the layout."""


@dataclass
class Reader:
    """What is left of a value, and what was read of it."""

    rest: str
    found: dict[str, int] = field(default_factory=dict)
    utc: bool = False
    name: str = ""

    def take(self, count: int) -> str:
        if len(self.rest) < count:
            raise MismatchError
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def digits(self, least: int, most: int) -> str:
        count = 0
        while count < most and self.rest[count : count + 1] in set("0123456789"):
            count += 1
        if count < least:
            raise MismatchError
        return self.take(count)

    def number(self, name: str, least: int, most: int, low: int, high: int) -> None:
        value = int(self.digits(least, most))
        if not low <= value <= high:
            raise MismatchError
        self.found[name] = value

    def one_of(self, names: list[str]) -> int:
        for index, name in enumerate(names):
            if self.rest[: len(name)].lower() == name.lower():
                self.take(len(name))
                return index
        raise MismatchError

    def literal(self, text: str) -> None:
        while text:
            if text[0] == " ":
                if self.rest and self.rest[0] != " ":
                    raise MismatchError
                text, self.rest = text.lstrip(" "), self.rest.lstrip(" ")
            elif self.take(1) != text[0]:
                raise MismatchError
            else:
                text = text[1:]

    def spaces(self, most: int) -> None:
        while most and self.rest[:1] == " ":
            self.take(1)
            most -= 1

    def fraction(self, count: int | None) -> None:
        """Read exactly `count` digits, or as many as there are, or nothing."""
        if count is None and not (self.rest[:1] in set(".,") and self.rest[1:2] in set("0123456789")):
            return
        if self.take(1) not in ".,":
            raise MismatchError
        digits = self.digits(1, len(self.rest)) if count is None else self.digits(count, count)
        self.found["nanosecond"] = int((digits + "000000000")[:9])

    def offset(self, shape: str) -> None:
        if shape[0] == "Z" and self.rest[:1] == "Z":
            self.take(1)
            self.utc = True
            return
        sign = self.take(1)
        if sign not in "+-":
            raise MismatchError
        parts: list[int] = []
        for most in (24, 60, 60)[: len(shape[1:].replace(":", "")) // 2]:
            if parts and ":" in shape and self.take(1) != ":":
                raise MismatchError
            parts.append(int(self.digits(2, 2)))
            if parts[-1] > most:
                raise MismatchError
        seconds = sum(part * scale for part, scale in zip(parts, (3600, 60, 1), strict=False))
        self.found["offset"] = -seconds if sign == "-" else seconds

    def zone_name(self) -> None:
        rest = self.rest
        if rest[:3] == "UTC":
            self.take(3)
            self.utc = True
            return
        if len(rest) < 3:
            raise MismatchError
        if rest[:4] in ("ChST", "MeST"):
            self.name = self.take(4)
        elif rest[:3] == "GMT":
            self.name = self.take(3 + count_hours(rest[3:]))
        elif rest[0] in "+-":
            self.name = self.take(count_hours(rest) or 99)
        else:
            letters = len(rest) - len(rest.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
            fits = letters == 3 or (letters == 4 and (rest[3] == "T" or rest[:4] == "WITA"))
            if not fits and not (letters == 5 and rest[4] == "T"):
                raise MismatchError
            self.name = self.take(letters)

    def element(self, text: str, *, fraction_next: bool) -> None:
        match text:
            case "2006":
                self.found["year"] = int(self.digits(4, 4))
            case "06":
                year = int(self.digits(2, 2))
                self.found["year"] = year + (1900 if year >= 69 else 2000)
            case "January":
                self.found["month"] = self.one_of(LONG_MONTHS) + 1
            case "Jan":
                self.found["month"] = self.one_of([name[:3] for name in LONG_MONTHS]) + 1
            case "Monday":
                self.one_of(LONG_WEEKDAYS)
            case "Mon":
                self.one_of([name[:3] for name in LONG_WEEKDAYS])
            case "01" | "1":
                self.number("month", len(text), 2, 1, 12)
            case "02" | "2":
                self.number("day", len(text), 2, 0, 99)
            case "_2":
                self.spaces(1)
                self.number("day", 1, 2, 0, 99)
            case "002":
                self.number("year_day", 3, 3, 0, 999)
            case "__2":
                self.spaces(2)
                self.number("year_day", 1, 3, 0, 999)
            case "15":
                self.number("hour", 1, 2, 0, 23)
            case "03" | "3":
                self.number("hour", len(text), 2, 0, 12)
            case "04" | "4":
                self.number("minute", len(text), 2, 0, 59)
            case "05" | "5":
                self.number("second", len(text), 2, 0, 59)
                if not fraction_next:
                    self.fraction(None)
            case "PM" | "pm":
                half = self.take(2)
                if half not in (("AM", "PM") if text == "PM" else ("am", "pm")):
                    raise MismatchError
                self.found[half.lower()] = 1
            case "MST":
                self.zone_name()
            case _ if text[0] in ".,":
                self.fraction(None if text[1] == "9" else len(text) - 1)
            case _:
                self.offset(text)


def count_hours(text: str) -> int:
    """Return the length of a sign and a number up to 23 at the start of `text`, 0 without one."""
    digits = len(text[1:]) - len(text[1:].lstrip("0123456789"))
    return 1 + digits if text[:1] in ("+", "-") and digits and int(text[1 : 1 + digits]) <= 23 else 0


def find_element(layout: str) -> str:
    """Return the element that `layout` starts with, or nothing."""
    if layout[:1] in (".", ",") and layout[1:2] in ("0", "9"):
        run = len(layout[1:]) - len(layout[1:].lstrip(layout[1]))
        if not layout[1 + run : 2 + run].isdigit():
            return layout[: 1 + run]
    for element in ELEMENTS:
        followed = layout[len(element) :]
        if not layout.startswith(element) or (element == "_2" and followed.startswith("006")):
            continue
        if element in ("Jan", "Mon") and followed[:1] in set("abcdefghijklmnopqrstuvwxyz"):
            continue
        return element
    return ""


def split_slowly(layout: str) -> list[tuple[str, str]]:
    """Return the elements of `layout`, each with the literal text before it; the last may be empty."""
    pieces, literal = [], ""
    while layout:
        element = find_element(layout)
        if element:
            pieces.append((literal, element))
            literal, layout = "", layout[len(element) :]
        else:
            literal, layout = literal + layout[0], layout[1:]
    return [*pieces, (literal, "")]


def read_slowly(layout: str, value: str) -> Reader:
    """Return what `layout` reads in `value`, or raise MismatchError."""
    reader = Reader(value)
    pieces = split_slowly(layout)
    for (literal, element), (_, following) in zip(pieces, [*pieces[1:], ("", "")], strict=True):
        reader.literal(literal)
        if element:
            reader.element(element, fraction_next=following[:1] in (".", ","))
    if reader.rest:
        raise MismatchError
    return reader


def parse_slowly(layout: str, value: str, current_year: int) -> int:
    """Return the instant in nanoseconds, with UTC as the configured zone, or raise MismatchError."""
    reader = read_slowly(layout, value)
    found = reader.found
    year, hour = found.get("year", 0), found.get("hour", 0)
    hour = hour + 12 if "pm" in found and hour < 12 else 0 if "am" in found and hour == 12 else hour
    # `datetime` has no year 0: another leap year stands for it.
    stand_in = year or 2000
    try:
        if "year_day" in found:
            start = datetime(stand_in, 1, 1, tzinfo=UTC) + timedelta(days=found["year_day"] - 1)
            if start.year != stand_in or found.get("month", start.month) != start.month:
                raise MismatchError
            if found.get("day", start.day) != start.day:
                raise MismatchError
        else:
            start = datetime(stand_in, found.get("month", 1), found.get("day", 1), tzinfo=UTC)
    except (ValueError, OverflowError):
        raise MismatchError from None
    if not year:
        leap_day = (start.month, start.day) == (2, 29)
        start = datetime(current_year, 3, 1, tzinfo=UTC) if leap_day else start.replace(year=current_year)
    clock = timedelta(hours=hour, minutes=found.get("minute", 0), seconds=found.get("second", 0))
    since = start - datetime(1970, 1, 1, tzinfo=UTC) + clock
    seconds = since.days * 86400 + since.seconds - (0 if reader.utc else found.get("offset", 0))
    return seconds * 10**9 + found.get("nanosecond", 0)
