"""What callers may give, as the client needs it. Nothing here raises, unless an object of the application does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from pipeline.metlog.harmless import MAX_INT, MIN_INT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_TIME = 253_402_300_800_000_000
"""The year 10000, in microseconds since 1970."""


def collect_names(names: Iterable[str] | None) -> frozenset[str]:
    """Return names as a set; one alone may be given as text."""
    return frozenset({names} if isinstance(names, str) else names or ())


def names_one(names: frozenset[str], name: object) -> bool:
    """Tell whether a name is among others, or all are, by `*`."""
    try:
        return "*" in names or name in names
    except Exception:  # noqa: BLE001 - it is the application's object
        return False


def name_fields(name: str, rate: float, fields: object) -> dict[str, object]:
    """Return the fields of a counter, timer or gauge. The caller's stay as they are."""
    if fields is None:
        return {"name": name, "rate": rate}
    if isinstance(fields, Mapping):
        return {**fields, "name": name, "rate": rate}
    return {"value": fields, "name": name, "rate": rate}


def read_rate(rate: object) -> float:
    """Return a rate between 0 and 1; 1 for what is none."""
    try:
        number = float(rate)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - it is the application's object
        return 1.0
    return min(max(number, 0.0), 1.0) if number == number else 1.0


def write_number(number: object) -> object:
    """Return a number as text; what is none, or has more digits than Python writes, stays as it is."""
    if type(number) is float or (type(number) is int and MIN_INT <= number <= MAX_INT):
        return str(number)
    return number


def read_time(timestamp: object, now: int) -> int:
    """Return a time in ns since 1970, to the microsecond; `now` if it is none, or none that a time stamp can show."""
    try:
        if isinstance(timestamp, datetime):
            microseconds = (timestamp.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
        elif isinstance(timestamp, int | float):
            microseconds = round(timestamp * 1_000_000)
        else:
            return now
        return microseconds * 1000 if 0 <= microseconds < MAX_TIME else now
    except Exception:  # noqa: BLE001 - it is the application's object, or its time zone's
        return now
