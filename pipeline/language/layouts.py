"""Time layouts: a layout spells a fixed moment the way the log spells times (spec section 10).

A whole layout becomes one regular expression; what it matched only has to be put together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final, TypeAlias

from pipeline.civil_time import (
    DAY_SECONDS,
    EPOCH_DAYS,
    count_days,
    count_month_days,
    days_before_month,
    name_offset,
    resolve_civil,
    year_at,
)
from pipeline.errors import PipelineError, TimeError
from pipeline.language.layout_elements import (
    ANY_FRACTION,
    MINUTE,
    MONTH_NUMBERS,
    Element,
    Field,
    split_layout,
    write_literal,
)
from pipeline.language.support import show_text

SECOND: Final = 1_000_000_000
"""In nanoseconds, as all instants are."""
FRACTION_DIGITS: Final = 9
FRACTION_SCALES: Final = tuple(10 ** (FRACTION_DIGITS - count) for count in range(FRACTION_DIGITS + 1))

UNSET_NANOSECONDS: Final = -EPOCH_DAYS * DAY_SECONDS * SECOND
"""The instant 0001-01-01 00:00:00 UTC, which in the language is the unset time itself."""

EXAMPLE: Final = "write the moment `Mon Jan 2 15:04:05 2006` as the log would write it, such as `2006-01-02 15:04:05`"


class LayoutError(PipelineError):
    """A layout that the language refuses; `help` says what to write instead."""

    def __init__(self, message: str, help_text: str) -> None:
        super().__init__(message)
        self.message = message
        self.help = help_text


class Layout:
    """A layout ready to read values; `zone` is for values that name none."""

    __slots__ = ("fields", "fullmatch", "patterns", "pieces", "use_current_year", "zone")

    def __init__(self, layout: str, zone: tzinfo, use_current_year: bool) -> None:
        self.zone = zone
        self.use_current_year = use_current_year
        self.pieces = tuple(split_layout(layout.encode()))
        self.fields: list[Field] = []
        self.patterns = tuple(self.write_pattern(index, piece) for index, piece in enumerate(self.pieces))
        self.fullmatch = re.compile(b"".join(self.patterns)).fullmatch

    def write_pattern(self, index: int, piece: bytes | Element) -> bytes:
        """Return the regular expression of one piece, and note what each group of it tells."""
        if isinstance(piece, bytes):
            return write_literal(piece)
        self.fields += piece.fields
        if Field.SECOND not in piece.fields or self.has_fraction_next(index):
            return piece.pattern
        self.fields.append(Field.FRACTION)
        return piece.pattern + ANY_FRACTION

    def has_fraction_next(self, index: int) -> bool:
        """Return whether the next element is a fraction; if not, seconds take one that follows them."""
        following = (piece for piece in self.pieces[index + 1 :] if isinstance(piece, Element))
        element = next(following, None)
        return element is not None and Field.FRACTION in element.fields

    @property
    def names_year(self) -> bool:
        """Whether values name their year."""
        return Field.YEAR in self.fields

    def parse(self, text: bytes, now: int) -> int:
        """Return the instant `text` names; `now` is for dates without a year. TimeError if it names none."""
        return self.locate(self.match_text(text), now)

    def match_text(self, text: bytes) -> re.Match[bytes]:
        """Return the match of the whole `text`, or raise TimeError."""
        match = self.fullmatch(text)
        if match is None:
            layout = show_text(b"".join(self.spell()))
            raise TimeError(f"{'the time ' if text else ''}{show_text(text)} does not match the layout {layout}")
        return match

    def spell(self) -> list[bytes]:
        """Return the pieces of the layout as they were written."""
        return [piece if isinstance(piece, bytes) else piece.text for piece in self.pieces]

    def locate(self, match: re.Match[bytes], now: int) -> int:
        """Return the instant of what `match` read, or raise TimeError if its day does not exist."""
        # Where an element stands twice, what was read last counts.
        found = {field: text for field, text in zip(self.fields, match.groups(), strict=True) if text is not None}
        year = read_year(found)
        try:
            month, day = read_day(found, year)
        except TimeError as error:
            raise TimeError(f"the time {show_text(match[0])} names {error}") from None
        if year == 0 and self.use_current_year:
            year = year_at(self.zone, now // SECOND)
        seconds = count_days(year, month, day) * DAY_SECONDS + read_clock(found)
        return self.apply_zone(found, seconds) * SECOND + read_fraction(found.get(Field.FRACTION, b""))

    def apply_zone(self, found: Found, seconds: int) -> int:
        """Return the instant of a civil time; UTC wins over an offset, an offset over a name."""
        if Field.UTC in found:
            return seconds
        if Field.OFFSET in found:
            return seconds - read_offset(found[Field.OFFSET])
        if Field.ZONE_NAME in found:
            return seconds - (name_offset(self.zone, found[Field.ZONE_NAME], seconds) or 0)
        return resolve_civil(self.zone, seconds)


# What was read -----------------------------------------------------------------------------------

Found: TypeAlias = dict[Field, bytes]


def read_year(found: Found) -> int:
    """Return the year, 0 if none is given."""
    text = found.get(Field.YEAR, b"0000")
    if len(text) == 4:
        return int(text)
    return int(text) + (1900 if text >= b"69" else 2000)


def read_day(found: Found, year: int) -> tuple[int, int]:
    """Return month and day. TimeError for a day that does not exist, or that is not the given day of the year."""
    month = read_month(found.get(Field.MONTH))
    day = int(found[Field.DAY]) if Field.DAY in found else None
    if Field.YEAR_DAY not in found:
        month, day = month or 1, 1 if day is None else day
        if not 1 <= day <= count_month_days(year, month):
            raise TimeError("a day that does not exist")
        return month, day
    year_day = int(found[Field.YEAR_DAY])
    if not 1 <= year_day <= days_before_month(year, 13):
        raise TimeError("a day of the year that does not exist")
    real_month = next(number for number in range(12, 0, -1) if days_before_month(year, number) < year_day)
    real_day = year_day - days_before_month(year, real_month)
    if month not in (None, real_month) or day not in (None, real_day):
        raise TimeError("a day of the year that is another date")
    return real_month, real_day


def read_month(text: bytes | None) -> int | None:
    """Return the number of the month, however it is written."""
    if text is None:
        return None
    return int(text) if text.isdigit() else MONTH_NUMBERS[text[:3].lower()]


def read_clock(found: Found) -> int:
    """Return the seconds since midnight."""
    hour = int(found.get(Field.HOUR, b"0"))
    if Field.PM in found and hour < 12:
        hour += 12
    elif Field.AM in found and hour == 12:
        hour = 0
    return (hour * 60 + int(found.get(Field.MINUTE, b"0"))) * 60 + int(found.get(Field.SECOND, b"0"))


def read_fraction(digits: bytes) -> int:
    """Return the nanoseconds of a fraction of a second, cut to whole ones; no digits are none."""
    digits = digits[:FRACTION_DIGITS]
    return int(digits) * FRACTION_SCALES[len(digits)] if digits else 0


def read_offset(text: bytes) -> int:
    """Return the seconds of a numeric offset, whatever its shape."""
    digits = text[1:].replace(b":", b"").ljust(6, b"0")
    seconds = (int(digits[:2]) * 60 + int(digits[2:4])) * 60 + int(digits[4:])
    return -seconds if text[:1] == b"-" else seconds


# The check when a program is compiled -------------------------------------------------------------


def check_layout(layout: str) -> None:
    """Raise LayoutError unless `layout` can read itself, as section 10.2 demands."""
    value = layout.replace("_", "").replace("Z", "+").encode()
    ready = Layout(layout, UTC, use_current_year=False)
    if ready.fullmatch(value) is None:
        raise explain_mismatch(ready, value)


def explain_mismatch(layout: Layout, value: bytes) -> LayoutError:
    """Return what is wrong with a layout that does not read `value`, its own text."""
    literals = b"".join(piece for piece in layout.pieces if isinstance(piece, bytes))
    if b"Z" in literals:
        return LayoutError(
            "a literal `Z` cannot be matched by a time layout",
            "write `Z07:00` in its place and let the pattern capture the `Z` too",
        )
    if b"_" in literals:
        return LayoutError(
            "a literal `_` cannot be matched by a time layout",
            'replace it in the value first: `subst("_", " ", …)`',
        )
    patterns = [b"".join(layout.patterns[:count]) for count in range(len(layout.patterns) + 1)]
    ends = [match.end() if (match := re.match(pattern, value)) else -1 for pattern in patterns]
    failed = ends.index(-1)  # no element reads less than its own text, so nothing can be left over
    piece = show_text(layout.spell()[failed - 1])
    rest = show_text(value[ends[failed - 1] :]) if value[ends[failed - 1] :] else "the end of the text"
    return LayoutError(f"the time layout does not read itself: {piece} does not accept {rest}", EXAMPLE)


def find_doubt(layout: str) -> tuple[str, str] | None:
    """Return message and help for a layout that passes the check but matches nothing but its own text."""
    if any(isinstance(piece, Element) for piece in split_layout(layout.encode())):
        return None
    return f"the time layout `{layout}` has no element, so it matches only its own text", EXAMPLE


# The memory of a program ---------------------------------------------------------------------------

MAX_MEMORY_ENTRIES: Final = 64
MAX_MEMORY_BYTES: Final = 64
"""A longer value is read anew, so that a stranger's lines cannot fill our memory."""
SECONDS: Final = {b"%02d" % second: second * SECOND for second in range(60)}
MINUTES: Final = {
    b"%02d:%02d" % divmod(second, 60): second * SECOND for second in range(3600)
}  # 0.5 MB, and no way to add up minutes and seconds is as fast
WHOLE_MINUTES_SINCE: Final = 65_836_800 * SECOND
"""1972-02-02: since then no zone has been ahead of UTC by a part of a minute, or changed within one."""


@dataclass(frozen=True, slots=True)
class Ticker:
    """The part of a layout's values that changes most: `05`, or `04:05`, and a fraction right behind it.

    Which digits stand there has no influence on how the rest of a value is read. `group` is its first
    group in the pattern of the layout, `fraction_group` that of the fraction. `times` maps each of its
    texts, which are all `width` bytes long, to nanoseconds. `pattern` reads it with its fraction.
    """

    group: int
    fraction_group: int
    width: int
    times: dict[bytes, int]
    pattern: re.Pattern[bytes]
    wants_fraction: bool


def find_ticker(layout: Layout) -> Ticker | None:
    """Return the ticker of `layout`; None if it has no `05`, or more than one second or fraction."""
    if layout.fields.count(Field.SECOND) != 1 or layout.fields.count(Field.FRACTION) != 1:
        return None
    texts = [piece if isinstance(piece, bytes) else piece.text for piece in layout.pieces]
    index = next(
        index
        for index, piece in enumerate(layout.pieces)
        if isinstance(piece, Element) and Field.SECOND in piece.fields
    )
    if texts[index] != b"05":
        return None
    fraction = ANY_FRACTION
    wants_fraction = layout.has_fraction_next(index)
    if wants_fraction:
        following = layout.pieces[index + 1]
        if isinstance(following, bytes):
            return None
        fraction = following.pattern
    group = layout.fields.index(Field.SECOND) + 1
    # A change of the clock may fall within an hour, so minutes tick only where the zone is always the same.
    steady = layout.zone is UTC or Field.OFFSET in layout.fields
    if steady and texts[max(index - 2, 0) : index] == [b"04", b":"] and layout.fields.count(Field.MINUTE) == 1:
        pattern = re.compile(rb"([0-5][0-9]:[0-5][0-9])" + fraction)
        return Ticker(group - 1, group + 1, 5, MINUTES, pattern, wants_fraction)
    return Ticker(group, group + 1, 2, SECONDS, re.compile(MINUTE + fraction), wants_fraction)


class TimeMemory:
    """Remembers instants of one layout, under what their values hold beside the ticker.

    A value that differs from an earlier one only in the ticker needs an addition, a tenth of the whole
    way. Values mostly have their ticker at the same place; when it moves, all is forgotten. Layouts
    without one remember whole values.
    """

    __slots__ = (
        "entries",
        "fraction_scale",
        "fraction_width",
        "layout",
        "match_tail",
        "place",
        "ticker",
        "times",
        "wants_fraction",
        "width",
        "year",
    )

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.entries: dict[bytes, int] = {}
        self.place = 0
        self.fraction_width = 0
        self.fraction_scale = 0
        self.year = 0
        self.ticker = ticker = find_ticker(layout)
        self.width = 0 if ticker is None else ticker.width
        self.wants_fraction = ticker is not None and ticker.wants_fraction
        self.times = {} if ticker is None else ticker.times
        self.match_tail = None if ticker is None else ticker.pattern.match

    def begin_batch(self, now: int) -> None:
        """Forget yearless dates when the year has changed; to be called whenever `now` has."""
        if not self.layout.names_year and self.layout.use_current_year:
            year = year_at(self.layout.zone, now // SECOND)
            if year != self.year:
                self.entries.clear()
                self.year = year

    def recall(self, text: bytes) -> int | None:
        """Return the instant of `text` if it follows from what is remembered."""
        if self.match_tail is None:
            return self.entries.get(text)
        place = self.place
        end = place + self.width
        if not self.wants_fraction:
            base = self.entries.get(text[:place] + text[end:])
            if base is not None:
                time = self.times.get(text[place:end])
                return None if time is None else base + time
        # A fraction is mostly as long as the one before: 1.0 µs, where the pattern below needs 1.4 µs.
        after = end + self.fraction_width
        rest = text[after:]
        base = self.entries.get(text[:place] + rest)
        if base is not None and not rest[:1].isdigit():
            time, digits = self.times.get(text[place:end]), text[end + 1 : after]
            if time is not None and digits.isdigit() and text[end] in b".,":
                return base + time + int(digits) * self.fraction_scale
        return self.recall_slowly(self.match_tail(text, place))

    def recall_slowly(self, tail: re.Match[bytes] | None) -> int | None:
        """Return the same for a value whose ticker and fraction are `tail`."""
        if tail is None:
            return None
        text = tail.string
        base = self.entries.get(text[: self.place] + text[tail.end() :])
        return None if base is None else base + self.times[tail[1]] + read_fraction(tail[2] or b"")

    def read(self, text: bytes, now: int) -> int:
        """Return the instant of `text`, read the whole way, and remember it. TimeError if it names none."""
        match = self.layout.match_text(text)
        instant = self.layout.locate(match, now)
        if len(text) <= MAX_MEMORY_BYTES and not self.borrows_year(match):
            if len(self.entries) >= MAX_MEMORY_ENTRIES:
                self.entries.clear()
            if self.ticker is None:
                self.entries[text] = instant
            elif instant >= WHOLE_MINUTES_SINCE:
                self.remember_rest(match, self.ticker, instant)
        return instant

    def borrows_year(self, match: re.Match[bytes]) -> bool:
        """Return whether a layout that names the year read the year 0, which stands for the current one."""
        return any(
            field is Field.YEAR and text == b"0000"
            for field, text in zip(self.layout.fields, match.groups(), strict=True)
        )

    def remember_rest(self, match: re.Match[bytes], ticker: Ticker, instant: int) -> None:
        """Remember `instant` less what the ticker says."""
        text, start = match.string, match.start(ticker.group)
        if start != self.place:
            self.entries.clear()
            self.place = start
        end = start + ticker.width
        fraction = match[ticker.fraction_group] or b""
        after = max(end, match.end(ticker.fraction_group))
        self.entries[text[:start] + text[after:]] = instant - ticker.times[text[start:end]] - read_fraction(fraction)
        if len(fraction) <= FRACTION_DIGITS:
            self.fraction_width, self.fraction_scale = after - end, FRACTION_SCALES[len(fraction)]


@dataclass(frozen=True, slots=True)
class Times:
    """What the operator says about times that are read from lines."""

    zone: tzinfo = UTC
    use_current_year: bool = True

    def make_strptime(self, layout: str) -> Callable[[bytes, int], int]:
        """Return the function that reads times of a layout."""
        return make_strptime(layout, self.zone, self.use_current_year)


def make_strptime(layout: str, zone: tzinfo, use_current_year: bool) -> Callable[[bytes, int], int]:
    """Return what a program calls for `strptime`: the value and `now` to nanoseconds since 1970.

    The last value has its own memory, because consecutive lines mostly share it. The unset instant
    gives `now`, as the language has it. TimeError for a value that does not parse.
    """
    memory = TimeMemory(Layout(layout, zone, use_current_year))
    last_text: bytes | None = None
    last_now: int | None = None
    last_instant = 0

    def strptime(text: bytes, now: int) -> int:
        nonlocal last_text, last_now, last_instant
        if now != last_now:
            memory.begin_batch(now)
            last_text, last_now = None, now
        elif text == last_text:
            return last_instant
        instant = memory.recall(text)
        if instant is None:
            instant = memory.read(text, now)
        last_text, last_instant = text, now if instant == UNSET_NANOSECONDS else instant
        return last_instant

    return strptime
