"""Zones: offsets in any year, and what an abbreviation stands for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from pipeline.civil_time import CYCLE_SECONDS, name_offset, offset_at, resolve_civil, year_at

NEW_YORK = ZoneInfo("America/New_York")
JULY = int(datetime(2023, 7, 1, tzinfo=UTC).timestamp())
JANUARY = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
HOUR = 3600


def test_offset_follows_the_rules_in_any_year() -> None:
    """The rules of the last years go on for ever, and the oldest offset has held since ever."""
    for cycles in (0, 1, 20, 50):
        assert offset_at(NEW_YORK, JULY + cycles * CYCLE_SECONDS) == -4 * HOUR
        assert offset_at(NEW_YORK, JANUARY + cycles * CYCLE_SECONDS) == -5 * HOUR
    assert offset_at(NEW_YORK, JULY - 50 * CYCLE_SECONDS) == -(4 * HOUR + 56 * 60 + 2)
    assert offset_at(UTC, JULY) == 0
    assert offset_at(timezone(timedelta(hours=2)), JULY) == 2 * HOUR


def test_year_is_that_of_the_zone() -> None:
    """At midnight in London it is still last year in New York."""
    assert year_at(UTC, JANUARY) == 2023
    assert year_at(NEW_YORK, JANUARY) == 2022


def test_skipped_time_is_resolved() -> None:
    """02:30 in the skipped hour is 06:30 UTC."""
    skipped = int(datetime(2023, 3, 12, 2, 30, tzinfo=UTC).timestamp())
    assert resolve_civil(NEW_YORK, skipped) == skipped + 4 * HOUR


@pytest.mark.parametrize(
    ("zone", "name", "civil", "offset"),
    [
        (NEW_YORK, b"EST", JANUARY, -5 * HOUR),
        (NEW_YORK, b"EDT", JULY, -4 * HOUR),
        (NEW_YORK, b"EST", JULY, -5 * HOUR),
        (NEW_YORK, b"PST", JULY, None),
        (NEW_YORK, b"LMT", JULY, -(4 * HOUR + 56 * 60 + 2)),
        (ZoneInfo("Europe/Moscow"), b"MSK", JULY, 3 * HOUR),
        (ZoneInfo("Europe/Moscow"), b"MSK", int(datetime(2012, 1, 1, tzinfo=UTC).timestamp()), 4 * HOUR),
        (ZoneInfo("Europe/Istanbul"), b"+03", JULY, 3 * HOUR),
        (UTC, b"UTC", JULY, None),
    ],
)
def test_name_means_the_offset_in_effect_or_else_its_first(
    zone: ZoneInfo, name: bytes, civil: int, offset: int | None
) -> None:
    """Section 10.5; a name out of season keeps its own offset."""
    assert name_offset(zone, name, civil) == offset
