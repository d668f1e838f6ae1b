"""When emit sends what, by a clock that the test moves; how many there will be, and how long they took."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.emit_settings import EmitSettings
from pipeline.emitting.emission import Clock, Emission
from pipeline.emitting.outcome import Durations, Outcome
from pipeline.emitting.templates import Make, list_contents
from pipeline.metlog.senders import FileSender
from tests.emitted import folder

__all__ = ["folder"]

SECOND = 1_000_000_000
START = 1_772_690_828 * SECOND
"""2026-03-05 06:07:08 UTC."""


@dataclass
class Time:
    """A clock that is moved by those who sleep; `jumps` are how much longer some sleeps take than they should."""

    now: int = 0
    jumps: Iterator[int] = field(default_factory=lambda: iter(()))
    slept: int = 0

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.now += round(seconds * 1e9) + next(self.jumps, 0)

    def make_clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: START + self.now, self.sleep)


def emit_by(clock: Time, settings: EmitSettings, share: int = 0) -> tuple[list[tuple[int, int]], Outcome]:
    """Return the numbers that a sender sent and when, by the clock, and how it went."""
    sender = FileSender("out")
    emission = Emission(settings, sender, 0, clock.make_clock())
    outcome = emission.run(list_contents(settings, share, "host", 1), lambda _: None)
    messages = [json.loads(line) for line in Path("out").read_bytes().splitlines()]
    Path("out").unlink()
    return [(message["fields"]["n"], read_fraction(message["timestamp"])) for message in messages], outcome


def read_fraction(stamp: str) -> int:
    """Return the microseconds of a time since the start."""
    minute, second, fraction = int(stamp[14:16]), int(stamp[17:19]), int(stamp[20:26])
    return ((minute - 7) * 60 + second - 8) * 1_000_000 + fraction


def make_settings(**changes: object) -> EmitSettings:
    values: dict[str, object] = {"to": "file://out", "field": (("n", "{n}"),), **changes}
    return EmitSettings(**values)  # type: ignore[arg-type]


def test_each_message_is_sent_when_it_is_due() -> None:
    """Not sooner, and with no error that adds up."""
    sent, outcome = emit_by(Time(), make_settings(rate=30, count=61))
    assert sent == [(number, (number - 1) * 1_000_000 // 30) for number in range(1, 62)]
    assert (outcome.taken, outcome.sent, outcome.elapsed) == (61, 61, 2 * SECOND)


def test_what_was_late_is_made_up_for() -> None:
    """A machine that is busy for 0.35 s has the messages of that time sent at once, and goes on at the rate."""
    sent, _ = emit_by(Time(jumps=iter([350_000_000])), make_settings(rate=10, count=7))
    assert sent == [(1, 0), (2, 450_000), (3, 450_000), (4, 450_000), (5, 450_000), (6, 500_000), (7, 600_000)]


def test_time_ends_it() -> None:
    """Those that are due before the end, and no others; it does not wait for the end itself."""
    sent, outcome = emit_by(Time(), make_settings(rate=10, duration_seconds=1.0))
    assert [number for number, _ in sent] == list(range(1, 11))
    assert (outcome.is_complete, outcome.elapsed) == (True, 900_000_000)


def test_senders_take_turns() -> None:
    """All together keep the rate."""
    settings = make_settings(rate=10, count=7, senders=3)
    sent = [emit_by(Time(), settings, share)[0] for share in range(3)]
    assert [[number for number, _ in each] for each in sent] == [[1, 4, 7], [2, 5], [3, 6]]
    assert sorted(time for each in sent for _, time in each) == [number * 100_000 for number in range(7)]


def test_rare_messages_are_waited_for_in_short_naps() -> None:
    """So that a signal ends it soon, whatever the rate."""
    clock = Time()
    emit_by(clock, make_settings(rate=1, count=3))
    assert clock.slept == 20


def test_stop_behind_a_line_does_not_wait_for_the_next() -> None:
    """A signal that comes before the next one is waited for would else be lost, and standard output may be gone."""
    emission = Emission(make_settings(), FileSender("out"), 0, Time().make_clock())

    def come_slowly() -> Iterator[tuple[int, Make]]:
        yield 1, lambda _number, _now: b"line"
        pytest.fail("the next line is waited for")

    def stop(_done: int) -> None:
        emission.stop()

    emission.clock = replace(emission.clock, monotonic=iter(range(0, 10**12, 10**9)).__next__)
    assert emission.run(come_slowly(), stop).sent == 1


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_quantiles_are_close(durations: list[int]) -> None:
    """Within 4 %, of any number of durations, which take little room."""
    kept = Durations()
    for duration in durations:
        kept.add(duration)
    for share in (0.01, 0.5, 0.99, 1.0):
        exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
        assert exact * 0.96 - 1 <= kept.find_quantile(share) <= exact
    assert len(kept.counts) <= 64 * 40


def test_nothing_has_no_quantile() -> None:
    assert Durations().find_quantile(0.5) == 0


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, 1),
        ({"count": 5}, 5),
        ({"count": 0}, None),
        ({"duration_seconds": 2.0}, None),
        ({"duration_seconds": 2.0, "count": 5}, None),
        ({"duration_seconds": 0.25, "rate": 10}, 3),
        ({"duration_seconds": 2.0, "rate": 10, "count": 5}, 5),
        ({"lines": Path("log")}, None),
        ({"lines": Path("log"), "count": 5}, 5),
        ({"lines": Path("-"), "count": 5}, None),
    ],
)
def test_how_many_there_will_be(changes: dict[str, object], wanted: int | None) -> None:
    """If nothing is too slow; None if nobody can know."""
    assert make_settings(**changes).wanted == wanted
