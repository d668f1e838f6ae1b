"""What waits for a destination: in order, bounded, counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.pushers.spool import Parcel, Spool
from pipeline.telemetry import PushCounts


def test_oldest_parcel_comes_first() -> None:
    """And what is taken out waits no more."""
    spool = Spool(100, PushCounts("test"))
    spool.put([Parcel(b"one", 1), Parcel(b"two", 2)])
    spool.put([Parcel(b"three", 3)])
    assert [spool.take_out().body for _ in range(3)] == [b"one", b"two", b"three"]
    assert (len(spool), spool.counts.spooled_bytes, spool.counts.spool_dropped) == (0, 0, 0)


def test_parts_take_the_place_of_a_parcel() -> None:
    """In order, before what comes behind it."""
    spool = Spool(100, PushCounts("test"))
    spool.put([Parcel(b"one, two", 2), Parcel(b"three", 1)])
    spool.split_first([Parcel(b"one", 1), Parcel(b"two", 1)])
    assert (spool.bytes, spool.counts.spooled_bytes) == (11, 11)
    assert [spool.take_out().body for _ in range(3)] == [b"one", b"two", b"three"]
    assert spool.bytes == 0


def test_oldest_parcel_makes_room() -> None:
    """Its series are counted."""
    spool = Spool(10, PushCounts("test"))
    spool.put([Parcel(b"12345", 5)])
    spool.put([Parcel(b"12345", 6)])
    assert spool.counts.spool_dropped == 0
    spool.put([Parcel(b"1", 1)])
    assert (spool.first.series, spool.counts.spooled_bytes, spool.counts.spool_dropped) == (6, 6, 5)


def test_newest_push_is_kept_whatever_its_size() -> None:
    """It is what would be sent without a spool."""
    spool = Spool(0, PushCounts("test"))
    for _ in range(3):
        spool.put([Parcel(b"123", 1), Parcel(b"456", 1)])
    assert (len(spool), spool.counts.spool_dropped) == (2, 4)


@given(st.integers(0, 50), st.lists(st.lists(st.integers(0, 30), max_size=3), max_size=20))
def test_spool_is_bounded_and_loses_nothing_uncounted(max_bytes: int, pushes: list[list[int]]) -> None:
    """What is there and what was dropped is all that was put in; beyond the last push there is only what has room."""
    spool = Spool(max_bytes, PushCounts("test"))
    for sizes in pushes:
        spool.put([Parcel(bytes(size), 1) for size in sizes])
        assert spool.counts.spooled_bytes == sum(len(parcel.body) for parcel in spool.parcels)
        assert spool.counts.spooled_bytes <= max(max_bytes, sum(sizes))
    assert len(spool) + spool.counts.spool_dropped == sum(map(len, pushes))
