"""Civil times: dates and zones to instants, names to offsets, for any year.

Instants and offsets are whole seconds; instants count from 1970. Dates are counted in days by our own arithmetic,
because the years 0 and 10000 exist in the language and not in `datetime`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY_SECONDS: Final = 86_400
# The calendar repeats after 400 years, weekdays included, and so do the rules of a zone.
CYCLE_SECONDS: Final = 146_097 * DAY_SECONDS
# What `datetime` can hold less a few days, because a zone's offset must not lead out of it.
FIRST_SECOND: Final = int((datetime(1, 1, 5, tzinfo=UTC) - EPOCH).total_seconds())
LAST_SECOND: Final = int((datetime(9999, 12, 25, tzinfo=UTC) - EPOCH).total_seconds())

NAMES_FROM: Final = int((datetime(1800, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
NAMES_TO: Final = int((datetime(2040, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
NAMES_STEP: Final = 7 * DAY_SECONDS
"""Finds every abbreviation of all 599 zones of the time zone database, in the order it lists them."""


# Dates -------------------------------------------------------------------------------------------

EPOCH_DAYS: Final = 719_162
"""From 0001-01-01 to 1970-01-01."""
MONTH_STARTS: Final = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)


def is_leap(year: int) -> bool:
    """Return whether `year` has a February 29; year 0 has."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_before_month(year: int, month: int) -> int:
    """Return the days of `year` before `month`; month 13 gives the days of the year."""
    return MONTH_STARTS[month - 1] + (month > 2 and is_leap(year))


def count_month_days(year: int, month: int) -> int:
    """Return how many days `month` has."""
    return days_before_month(year, month + 1) - days_before_month(year, month)


def count_days(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01; February 29 of a year without one is March 1."""
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    return days + days_before_month(year, month) + day - 1 - EPOCH_DAYS


# Zones -------------------------------------------------------------------------------------------


def moment_in(zone: tzinfo, instant: int) -> datetime:
    """Return `instant` in `zone`; beyond what `datetime` holds, a moment with the same offset."""
    if instant > LAST_SECOND:
        instant -= -((LAST_SECOND - instant) // CYCLE_SECONDS) * CYCLE_SECONDS
    return (EPOCH + timedelta(seconds=max(instant, FIRST_SECOND))).astimezone(zone)


def offset_at(zone: tzinfo, instant: int) -> int:
    """Return the seconds by which `zone` is ahead of UTC at `instant`."""
    if zone is UTC:
        return 0
    return offset_of(moment_in(zone, instant))


def offset_of(moment: datetime) -> int:
    """Return the seconds by which the zone of `moment` is ahead of UTC then."""
    return int((moment.utcoffset() or timedelta(0)).total_seconds())


def year_at(zone: tzinfo, instant: int) -> int:
    """Return the calendar year in `zone` at `instant`, which must be within what `datetime` holds."""
    return moment_in(zone, instant).year


def resolve_civil(zone: tzinfo, civil: int) -> int:
    """Return the instant of a civil time, given as if it were UTC.

    Near a change of the clock the reference looks for the offset at the wrong instant first, and so do
    we (spec section 10.5): which of two repeated times is meant depends on the zone.
    """
    offset = offset_at(zone, civil)
    return civil - offset_at(zone, civil - offset) if offset else civil


def name_offset(zone: tzinfo, name: bytes, civil: int) -> int | None:
    """Return the offset that `name` stands for in `zone` at `civil`, or None if the zone never used it."""
    if zone is UTC:
        return None  # `UTC` itself is not looked up
    offsets = zone_names(zone).get(name, ())
    for offset in offsets:
        moment = moment_in(zone, civil - offset)
        if name_of(moment) == name:
            return offset_of(moment)
    return offsets[0] if offsets else None


def name_of(moment: datetime) -> bytes:
    """Return the abbreviation in force at `moment`."""
    return (moment.tzname() or "").encode()


@lru_cache(maxsize=4)
def zone_names(zone: tzinfo) -> dict[bytes, tuple[int, ...]]:
    """Return every abbreviation of `zone` with the offsets it stood for, the oldest first.

    `tzinfo` does not list them, so they are collected by asking it week by week: some forty
    milliseconds, and only for a layout with a zone name and a zone that is not UTC.
    """
    names: dict[bytes, tuple[int, ...]] = {}
    for instant in (FIRST_SECOND, *range(NAMES_FROM, NAMES_TO, NAMES_STEP)):
        moment = moment_in(zone, instant)
        name, offset = name_of(moment), offset_of(moment)
        if offset not in names.get(name, ()):
            names[name] = (*names.get(name, ()), offset)
    return names
