"""What a program remembers of the times it has read: the part that ticks, and how much is kept."""

from __future__ import annotations

from datetime import UTC

import pytest

from pipeline.language import layouts
from pipeline.language.layouts import Layout, TimeMemory, find_ticker
from tests.language.moments import NEW_YORK, NOW, at


@pytest.mark.parametrize(
    ("layout", "width"),
    [
        ("2006/01/02 15:04:05", 5),
        ("Jan _2 15:04:05.000", 5),
        ("20060102150405", 2),
        ("2006-01-02T15:04:05.999999-07:00", 5),
        ("05 04:05", None),
        ("4 04:05", 2),
        ("15:04:5", None),
        ("15:04:05 .000", None),
        ("15:04:05 2 .000", None),
        ("15:04", None),
    ],
)
def test_ticker_is_the_part_that_changes_most(layout: str, width: int | None) -> None:
    """`04:05` or `05`, if nothing else tells about the second."""
    ticker = find_ticker(Layout(layout, UTC, use_current_year=True))
    assert (ticker and ticker.width) == width


def test_minutes_tick_only_where_the_zone_is_steady() -> None:
    """A change of the clock can fall within an hour, unless the value names its offset."""
    for layout, width in (("15:04:05", 2), ("15:04:05 MST", 2), ("15:04:05 -0700", 5)):
        ticker = find_ticker(Layout(layout, NEW_YORK, use_current_year=True))
        assert ticker is not None
        assert ticker.width == width


def test_memory_starts_anew_when_full() -> None:
    """Neither many values nor long ones fill it."""
    for layout, values in (
        (
            "2006-01-02 15h04:05",
            [b"2023-01-%02d %dh04:05" % (day, hour) for day in range(1, 8) for hour in range(10, 24)],
        ),
        ("2006 002", [b"2023 %03d" % day for day in range(1, 100)]),
        ("2006 05 x", [b"2023" + b" " * 99 + b"05 x"]),
    ):
        memory = TimeMemory(Layout(layout, UTC, use_current_year=True))
        for value in values:
            memory.read(value, NOW)
        assert (
            len(memory.entries) == len(values) % layouts.MAX_MEMORY_ENTRIES if len(values) > 1 else not memory.entries
        )


def test_minute_of_an_old_zone_is_not_remembered() -> None:
    """Before 1972 zones were ahead by parts of a minute, and their changes fell within one."""
    memory = TimeMemory(Layout("2006-01-02 15:04:05", UTC, use_current_year=True))
    memory.read(b"1971-12-31 23:59:59", NOW)
    assert not memory.entries
    memory.read(b"1973-01-01 00:00:00", NOW)
    assert memory.recall(b"1973-01-01 00:59:07") == at("1973-01-01T00:59:07")
    assert memory.recall(b"1973-01-01 00:59:07.5") == at("1973-01-01T00:59:07.500000")
    memory.read(b"1973-01-01 00:00:00.25", NOW)
    assert memory.recall(b"1973-01-01 00:59:07") == at("1973-01-01T00:59:07")
    assert memory.recall(b"1973-01-01 00:59:07,50") == at("1973-01-01T00:59:07.500000")
    assert memory.recall(b"1973-01-01 00:59:07.125") == at("1973-01-01T00:59:07.125000")
    assert memory.recall(b"1973-01-01 00:59:07.1x") is None
    memory.read(b"1973-01-01 00:00:00.0123456789", NOW)
    assert memory.recall(b"1973-01-01 00:59:07.0123456789") == at("1973-01-01T00:59:07.000000") + 12345678
    assert memory.recall(b"1973-01-01 00:60:07") is None
    assert memory.recall(b"1973-01-01 01:00:00") is None
