"""Rates over the last minute."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from pipeline.status.history import LOOK_SECONDS, LOOKS, THINGS_PER_STEP, Window, look_regularly


class Counter:
    """Something that counts."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[int, ...]] = {}

    def read(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return what is counted now."""
        return list(self.counts.items())

    def add(self, key: str, *counted: int) -> None:
        """Count some more."""
        before = self.counts.get(key, (0,) * len(counted))
        self.counts[key] = tuple(old + new for old, new in zip(before, counted, strict=True))


def look(window: Window[str], now: float) -> int:
    """Take a whole look; return how many steps it had."""
    return 1 + len(list(window.look(now)))


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_rate_is_of_the_time_since_the_start_at_first(counter: Counter) -> None:
    """What was counted before the first look is in it, and what was counted since the last."""
    window = Window(counter.read, 100.0)
    counter.add("a", 30, 300)
    look(window, 105.0)
    counter.add("a", 10, 0)
    assert window.read_rates("a", counter.counts["a"], 110.0) == (4.0, 30.0)
    assert window.find_seconds(110.0) == 10.0


def test_rate_forgets_what_is_a_minute_ago(counter: Counter) -> None:
    """One look after the other."""
    window = Window(counter.read, 0.0)
    counter.add("a", 6000)
    look(window, 5.0)
    for number in range(2, LOOKS + 1):
        counter.add("a", 60)
        look(window, number * 5.0)
    assert window.read_rates("a", counter.counts["a"], 60.0) == ((6000 + 11 * 60) / 60,)
    counter.add("a", 60)
    look(window, 65.0)
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
    look(window, 5.0)
    look(window, 10.0)
    assert window.find_silence("a", (1,), 12.0) == 7.0


def test_silence_is_that_of_the_first_count(counter: Counter) -> None:
    """A source that fails, and one that is new, have not given a line."""
    counter.add("a", 1, 0)
    window = Window(counter.read, 0.0)
    counter.add("a", 0, 1)
    counter.add("new", 0, 0)
    assert window.find_silence("a", counter.counts["a"], 3.0) is None
    look(window, 5.0)
    assert window.find_silence("a", counter.counts["a"], 5.0) is None
    assert window.find_silence("new", (0, 0), 5.0) is None


def test_count_that_begins_anew_is_not_taken_back(counter: Counter) -> None:
    """A file that was let go of and is there again: what it has counted since is new."""
    counter.add("a", 1000, 7)
    window = Window(counter.read, 0.0)
    counter.counts["a"] = (30, 7)
    assert window.read_rates("a", (30, 7), 10.0) == (3.0, 0.0)
    look(window, 10.0)
    assert window.read_rates("a", (30, 7), 10.0) == (3.0, 0.0)
    assert window.find_silence("a", (30, 7), 10.0) == 0.0


def test_look_at_many_has_steps_and_is_seen_when_it_is_over(counter: Counter) -> None:
    """What comes and counts between two of them is neither lost nor counted twice."""
    for number in range(2 * THINGS_PER_STEP):
        counter.counts[f"{number:05}"] = (0,)
    window = Window(counter.read, 0.0)
    first, last = "00000", f"{2 * THINGS_PER_STEP - 1:05}"
    counter.add(first, 10)
    steps = window.look(10.0)
    next(steps)
    counter.add(first, 10)
    counter.add("new", 10)
    assert window.read_rates(first, counter.counts[first], 10.0) == (2.0,)
    assert len(list(steps)) == 1
    assert [window.read_rates(key, counter.counts[key], 10.0) for key in (first, "new", last)] == [
        (2.0,),
        (1.0,),
        (0.0,),
    ]
    assert look(window, 20.0) == 3
    assert [window.read_rates(key, counter.counts[key], 20.0) for key in (first, "new", last)] == [
        (1.0,),
        (0.5,),
        (0.0,),
    ]


def test_what_is_gone_is_forgotten(counter: Counter) -> None:
    """Names with dates would pile up."""
    window = Window(counter.read, 0.0)
    counter.add("a", 1)
    look(window, 5.0)
    assert window.find_silence("a", (1,), 5.0) == 0.0
    del counter.counts["a"]
    for number in range(LOOKS + 1):
        look(window, 10.0 + number)
    assert (window.known, window.last_changes, set(map(len, window.changes))) == ({}, {}, {0})


async def test_looks_are_regular(counter: Counter, autojump_clock: MockClock) -> None:
    """By Trio's clock."""
    window = Window(counter.read, trio.current_time())
    counter.add("a", 12)
    with trio.move_on_after(2 * LOOK_SECONDS + 1):
        await look_regularly(window)
    assert list(window.changes) == [{"a": (12,)}, {}]
    assert window.read_rates("a", (12,), trio.current_time()) == (12 / (2 * LOOK_SECONDS + 1),)
