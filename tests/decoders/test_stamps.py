"""Time stamps: the same instants as `strptime` of the language."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoders.stamps import MAX_MEMORY_BYTES, MAX_MEMORY_ENTRIES, RFC3164_PATTERN, Stamps, heads, read_rfc3339
from pipeline.errors import TimeError
from pipeline.language.layouts import make_strptime

SECOND = 1_000_000_000
ZONES: list[tzinfo] = [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]
NOW = int(datetime(2026, 6, 15, tzinfo=UTC).timestamp()) * SECOND
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - a civil time, as it is written
OFFSETS = st.sampled_from(["Z", "+00:00", "-00:00", "+05:30", "-08:00", "+14:00"])
FRACTIONS = st.from_regex(r"(\.[0-9]{1,12})?", fullmatch=True)


def read_as_program(layout: str, text: bytes, now: int = NOW, zone: tzinfo = UTC) -> int | None:
    try:
        return make_strptime(layout, zone, use_current_year=True)(text, now)
    except TimeError:
        return None


@pytest.mark.slow
@given(MOMENTS, FRACTIONS, OFFSETS)
def test_rfc3339_is_read_as_strptime_does(moment: datetime, fraction: str, offset: str) -> None:
    text = f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{offset}".encode()
    expected = read_as_program("2006-01-02T15:04:05Z07:00", text)
    # The second time it is remembered.
    assert [read_rfc3339(text), read_rfc3339(text)] == [expected, expected]


@pytest.mark.slow
@given(st.from_regex(rb"[1-3][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-5][0-9]Z", fullmatch=True))
def test_rfc3339_that_names_no_time_is_none(text: bytes) -> None:
    assert read_rfc3339(text) == read_as_program("2006-01-02T15:04:05Z07:00", text)


@pytest.mark.slow
@given(MOMENTS, st.integers(0, 2**32), st.sampled_from(ZONES))
def test_rfc3164_is_read_as_strptime_does(moment: datetime, seconds: int, zone: tzinfo) -> None:
    """Whatever the year, the zone, and the time of reading, at the turn of the year and of the clock too."""
    text = f"{moment:%b} {moment.day:2} {moment:%H:%M:%S}".encode()
    now = seconds * SECOND
    expected = read_as_program("Jan _2 15:04:05", text, now, zone)
    stamps = Stamps()
    assert [stamps.read(text, now, zone, use_current_year=True) for _ in range(2)] == [expected, expected]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_remembered_stamps_are_forgotten_at_the_turn_of_the_year(zone: tzinfo) -> None:
    stamps = Stamps()
    text = b"Dec 31 23:59:59"
    for year in (2025, 2026):
        for month in (1, 12):
            now = int(datetime(year, month, 15, tzinfo=UTC).timestamp()) * SECOND
            expected = read_as_program("Jan _2 15:04:05", text, now, zone)
            assert stamps.read(text, now, zone, use_current_year=True) == expected


def test_remembered_stamps_are_forgotten_in_another_zone() -> None:
    stamps = Stamps()
    read = [stamps.read(b"Jul  1 12:00:00", NOW, zone, use_current_year=True) for zone in ZONES]
    assert len(set(read)) == len(ZONES)


def test_leap_second_is_the_one_after_it() -> None:
    assert read_rfc3339(b"2016-12-31T23:59:60.5Z") == read_rfc3339(b"2017-01-01T00:00:00.5Z")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Z",
        b"2026-06-15",
        b"2026-06-15T12:00:00",
        b"2026-06-15T12:00:00.Z",
        b"2026-06-15T12:00:00.5",
        b"2026-06-15T12:00:00x5Z",
        b"2026-06-15T12:00:00.5xZ",
        b"2026-06-15T12:00:00.-5Z",
        b"2026-06-15T12:00:00+0100",
        b"2026-06-15T12:00:00+24:00",
        b"2026-06-15T24:00:00Z",
        b"2026-02-29T00:00:00Z",
        b"2026-13-01T00:00:00Z",
        b"0000-01-01T00:00:00Z",
        b"2026-06-15T12:00:00Z ",
        "2026-06-1\u0665T12:00:00Z".encode(),
    ],
)
def test_what_is_no_stamp_is_none(text: bytes) -> None:
    assert read_rfc3339(b"2026-06-15T12:00:00.25Z") is not None  # so that its second is remembered
    assert read_rfc3339(text) is None


def test_memory_has_a_limit() -> None:
    for second in range(2 * MAX_MEMORY_ENTRIES):
        read_rfc3339(b"2026-06-15T12:%02d:%02dZ" % divmod(second, 60))
        assert len(heads) <= MAX_MEMORY_ENTRIES
    stamps = Stamps()
    for second in range(2 * MAX_MEMORY_ENTRIES):
        stamps.read(b"Jun 15 12:%02d:%02d" % divmod(second, 60), NOW, UTC, use_current_year=True)
        assert len(stamps.instants) <= MAX_MEMORY_ENTRIES
    long = b"Jun 15 12:00:00." + b"5" * MAX_MEMORY_BYTES
    assert stamps.read(long, NOW, UTC, use_current_year=True) is not None
    assert long not in stamps.instants


@pytest.mark.slow
@given(st.from_regex(re.compile(RFC3164_PATTERN), fullmatch=True))
def test_whatever_looks_like_a_stamp_of_rfc3164_is_read_or_names_no_day(text: bytes) -> None:
    instant = Stamps().read(text, NOW, UTC, use_current_year=True)
    assert instant is None or abs(instant) < 10000 * 366 * 86400 * SECOND


@given(st.binary())
def test_any_bytes_are_a_stamp_or_none(text: bytes) -> None:
    read_rfc3339(text)
