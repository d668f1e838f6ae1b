"""Instants that tests of time layouts spell, the clock they read, and the zones they are in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
LONDON = ZoneInfo("Europe/London")


def at(text: str) -> int:
    """Return the nanoseconds of an ISO time; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since // timedelta(microseconds=1)) * 1000


NOW = at("2023-06-15T12:00:00")
