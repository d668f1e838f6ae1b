"""Time stamps: texts that name a moment, as RFC 3339 and RFC 3164 have them, to ns since 1970.

What `strptime` makes of such a text in a program is what they make of it here: a stamp without a year is of the
current one in the operator's zone, or of the year 0, whatever the month. But a leap second, which it takes for none, is
the one after it.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Final

from pipeline.civil_time import DAY_SECONDS, count_days, count_month_days, resolve_civil, year_at

SECOND: Final = 1_000_000_000
MAX_MEMORY_ENTRIES: Final = 256
"""Of whole seconds, some 100 bytes each. Consecutive lines mostly share theirs."""
MAX_MEMORY_BYTES: Final = 64
"""A longer stamp is read anew, so that a stranger's lines cannot fill our memory."""

RFC3339_PATTERN: Final = (
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]++)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
"""What looks like a stamp in the header of a message."""
RFC3339: Final = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)"
    rb"(\.[0-9]+)?([Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
HEAD_WIDTH: Final = len("2006-01-02T15:04:05")

heads: Final[dict[bytes, tuple[bytes, int, int]]] = {}
"""Of whole seconds, by their text: the text of the zone behind it, where that begins, and the instant."""


def read_rfc3339(text: bytes) -> int | None:
    """Return the instant of a stamp such as `2006-01-02T15:04:05.999999Z`; None if it is none, or no such day exists.

    A fraction may have any number of digits; those behind the ninth are cut off. A leap second is the one after it.
    """
    head = heads.get(text[:HEAD_WIDTH])
    if head is None or not text.endswith(head[0]):
        return read_rfc3339_slowly(text)
    _, end, instant = head
    digits = text[HEAD_WIDTH + 1 : end]
    if digits.isdigit() and text[HEAD_WIDTH] == ord("."):
        return instant + int(digits.ljust(9, b"0")[:9])
    return read_rfc3339_slowly(text)


def read_rfc3339_slowly(text: bytes) -> int | None:
    """Return the same for a stamp without a fraction, or whose second is not remembered, and remember it."""
    match = RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    if year == 0 or not exists(year, month, day):
        return None
    seconds = ((count_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    if match[9]:
        offset = (int(match[10]) * 60 + int(match[11])) * 60
        seconds += offset if match[9] == b"-" else -offset
    if len(heads) >= MAX_MEMORY_ENTRIES:
        heads.clear()
    heads[text[:HEAD_WIDTH]] = (match[8], -len(match[8]), seconds * SECOND)
    return seconds * SECOND + read_fraction((match[7] or b"")[1:])


def exists(year: int, month: int, day: int) -> bool:
    """Return whether there is such a day."""
    return 1 <= month <= 12 and 1 <= day <= count_month_days(year, month)


def read_fraction(digits: bytes) -> int:
    """Return the ns that the digits of a fraction of a second spell; none if there are none."""
    return int(digits.ljust(9, b"0")[:9])


# Stamps of RFC 3164 ------------------------------------------------------------------------------

MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
RFC3164_PATTERN: Final = (
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?: [1-9]|[0-3]?[0-9])(?: [0-9]{4})?"
    rb" (?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:[.,][0-9]+)?"
)
"""What devices add is taken too: a year behind the day, and a fraction of a second. A leap second is the one after."""
RFC3164: Final = re.compile(
    rb"([A-Z][a-z]{2}) +([0-9]{1,2})(?: ([0-9]{4}))? ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?"
)


class Stamps:
    """Remembers the instants of recent stamps, all in one zone and read in one year; a change of these forgets them."""

    def __init__(self) -> None:
        self.instants: dict[bytes, int] = {}
        self.zone: tzinfo | None = None
        self.now = self.year = 0

    def read(self, text: bytes, now: int, zone: tzinfo, use_current_year: bool) -> int | None:
        """Return the instant of a stamp that matches `RFC3164_PATTERN`, read at `now`; None if no such day exists."""
        if now != self.now or zone is not self.zone:
            self.begin(now, zone)
        if not use_current_year:
            return read_rfc3164(text, zone, 0)
        instant = self.instants.get(text)
        if instant is None:
            instant = read_rfc3164(text, zone, self.year)
            if instant is not None and len(text) <= MAX_MEMORY_BYTES:
                if len(self.instants) >= MAX_MEMORY_ENTRIES:
                    self.instants.clear()
                self.instants[text] = instant
        return instant

    def begin(self, now: int, zone: tzinfo) -> None:
        """Forget stamps of another zone, or of another year."""
        year = year_at(zone, now // SECOND)
        if (zone, year) != (self.zone, self.year):
            self.instants.clear()
        self.now, self.zone, self.year = now, zone, year


def read_rfc3164(text: bytes, zone: tzinfo, year: int) -> int | None:
    """Return the instant of a stamp, which is of `year` if it names none; None if no such day exists."""
    match = RFC3164.fullmatch(text)
    assert match is not None  # it matches `RFC3164_PATTERN`
    month, day, own_year = MONTHS[match[1]], int(match[2]), int(match[3] or 0)
    if not exists(own_year, month, day):
        return None
    hour, minute, second = int(match[4]), int(match[5]), int(match[6])
    civil = count_days(own_year or year, month, day) * DAY_SECONDS + (hour * 60 + minute) * 60 + second
    return resolve_civil(zone, civil) * SECOND + read_fraction(match[7] or b"")
