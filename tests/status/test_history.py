"""Rates over the last minute."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from pipeline.status.history import LOOK_SECONDS, LOOKS, Window, look_regularly


class Counter:
    """Something that counts."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[int, ...]] = {}

    def read(self) -> dict[str, tuple[int, ...]]:
        """Return a new table, as those who count do."""
        return dict(self.counts)

    def add(self, key: str, *counted: int) -> None:
        """Count some more."""
        before = self.counts.get(key, (0,) * len(counted))
        self.counts[key] = tuple(old + new for old, new in zip(before, counted, strict=True))


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_rate_is_of_the_time_since_the_start_at_first(counter: Counter) -> None:
    """What was counted before the first look is in it, and what was counted since the last."""
    window = Window(counter.read, 100.0)
    counter.add("a", 30, 300)
    window.look(105.0)
    counter.add("a", 10, 0)
    assert window.read_rates("a", counter.counts["a"], 110.0) == (4.0, 30.0)
    assert window.find_seconds(110.0) == 10.0


def test_rate_forgets_what_is_a_minute_ago(counter: Counter) -> None:
    """One look after the other."""
    window = Window(counter.read, 0.0)
    counter.add("a", 6000)
    window.look(5.0)
    for number in range(2, LOOKS + 1):
        counter.add("a", 60)
        window.look(number * 5.0)
    assert window.read_rates("a", counter.counts["a"], 60.0) == ((6000 + 11 * 60) / 60,)
    counter.add("a", 60)
    window.look(65.0)
    assert window.find_seconds(65.0) == 60.0
    assert window.read_rates("a", counter.counts["a"], 65.0) == (12.0,)


def test_rate_of_what_is_new_or_idle(counter: Counter) -> None:
    """Nothing divides by zero."""
    counter.add("a", 5)
    window = Window(counter.read, 0.0)
    assert window.read_rates("a", (5,), 0.0) == (0.0,)
    assert window.read_rates("a", (5,), 10.0) == (0.0,)
    assert window.read_rates("new", (5,), 10.0) == (0.5,)


def test_silence_is_known_to_the_look(counter: Counter) -> None:
    """What has counted since the last look is not silent."""
    counter.add("a", 0)
    window = Window(counter.read, 0.0)
    assert window.find_silence("a", (0,), 3.0) is None
    assert window.find_silence("new", (0,), 3.0) is None
    assert window.find_silence("a", (1,), 3.0) == 0.0
    counter.add("a", 1)
    window.look(5.0)
    window.look(10.0)
    assert window.find_silence("a", (1,), 12.0) == 7.0


def test_what_is_gone_is_forgotten(counter: Counter) -> None:
    """Names with dates would pile up."""
    window = Window(counter.read, 0.0)
    counter.add("a", 1)
    window.look(5.0)
    assert window.find_silence("a", (1,), 5.0) == 0.0
    del counter.counts["a"]
    for number in range(LOOKS + 1):
        window.look(10.0 + number)
    assert (window.known, window.last_changes, set(map(len, window.changes))) == ({}, {}, {0})


async def test_looks_are_regular(counter: Counter, autojump_clock: MockClock) -> None:
    """By Trio's clock."""
    window = Window(counter.read, trio.current_time())
    counter.add("a", 12)
    with trio.move_on_after(2 * LOOK_SECONDS + 1):
        await look_regularly(window)
    assert list(window.changes) == [{"a": (12,)}, {}]
    assert window.read_rates("a", (12,), trio.current_time()) == (12 / (2 * LOOK_SECONDS + 1),)
