"""The schedule of pushes, on a clock that only moves when all wait, before destinations that misbehave."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from pipeline.errors import PushError
from pipeline.metrics import Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers import Pusher, Pushes, PushTask

EMPTY = Snapshot(())
NOW = 1_700_000_000 * 10**9
SETTINGS = PushSettings(metric_push_interval_seconds=60.0, metric_push_write_deadline_seconds=10.0)


class Destination(Pusher):
    """Takes each push as `plan` says: seconds until it is written, or why it fails. The last item goes on for ever."""

    def __init__(self, *plan: float | Exception, name: str = "test") -> None:
        super().__init__(name, "nowhere:1")
        self.plan = list(plan)
        self.begun: list[float] = []
        self.written: list[float] = []
        self.under_way = 0
        self.is_connected = False

    async def connect(self) -> None:
        """Have a connection."""
        self.begun.append(trio.current_time())
        self.under_way += 1
        assert self.under_way == 1
        self.is_connected = True
        await trio.lowlevel.checkpoint()

    async def write(self, snapshot: Snapshot) -> int:
        """Do what the plan says."""
        assert snapshot is EMPTY
        step = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        if isinstance(step, Exception):
            raise step
        await trio.sleep(step)
        self.written.append(trio.current_time())
        self.under_way = 0
        return 7

    async def disconnect(self) -> None:
        """Give up."""
        self.under_way = 0
        self.is_connected = False


def make_pushes(destinations: Sequence[Destination], settings: PushSettings = SETTINGS, jitter: float = 0.0) -> Pushes:
    """Return the schedule of these destinations."""
    return Pushes(destinations, settings, lambda: EMPTY, lambda: NOW, lambda: jitter)


async def run_for(pushes: Pushes, seconds: float) -> None:
    """Run the schedule from now on, and cut it off."""
    with trio.move_on_after(seconds):
        await pushes.run()


async def test_pushes_come_at_the_interval(autojump_clock: MockClock) -> None:
    """The first one after one interval; how long they take does not add up. What was written is counted."""
    slow = Destination(5.0)
    pushes = make_pushes([slow])
    begin = trio.current_time()
    await run_for(pushes, 250)
    assert [time - begin for time in slow.begun] == [60, 120, 180, 240]
    (counts,) = pushes.counts
    assert (counts.pushes, counts.failures, counts.series, counts.last_success) == (4, 0, 28, NOW)
    assert counts.durations.total == 4 * 5 * 10**9


@pytest.mark.parametrize(("interval", "first"), [(60.0, 63.0), (3600.0, 3605.0)])
async def test_jitter_moves_all_pushes(autojump_clock: MockClock, interval: float, first: float) -> None:
    """By up to a tenth of the interval, and never more than ten seconds."""
    settings = PushSettings(metric_push_interval_seconds=interval)
    destination = Destination(0.0)
    begin = trio.current_time()
    await run_for(make_pushes([destination], settings, jitter=0.5), interval * 2.5)
    assert [time - begin for time in destination.begun] == [first, first + interval]


async def test_push_is_never_started_twice(autojump_clock: MockClock) -> None:
    """One that takes longer than the interval makes those fall out that should have begun meanwhile."""
    settings = PushSettings(metric_push_interval_seconds=10.0, metric_push_write_deadline_seconds=100.0)
    destination = Destination(25.0)
    begin = trio.current_time()
    await run_for(make_pushes([destination], settings), 100)
    assert [time - begin for time in destination.begun] == [10, 40, 70]


async def test_failures_are_told_once_and_pauses_grow(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Up to five minutes. Another reason is told too, and that it works again."""
    caplog.set_level(logging.INFO)
    refused = OSError(111, "Connection refused")
    destination = Destination(*[refused] * 5, PushError("it is full"), 0.0)
    pushes = make_pushes([destination])
    begin = trio.current_time()
    await run_for(pushes, 1500)
    starts = [time - begin for time in destination.begun]
    assert starts == [60, 120, 240, 480, 780, 1080, 1380, 1440]
    (counts,) = pushes.counts
    assert (counts.pushes, counts.failures) == (8, 6)
    assert caplog.messages == [
        "Metrics are pushed to test at nowhere:1.",
        "Push to test at nowhere:1 failed: connection refused. The next push is in 60 s.",
        "Push to test at nowhere:1 failed: it is full. The next push is in 300 s.",
        "Push to test at nowhere:1 works again, after 6 failures.",
    ]


class Keeper(Destination):
    """Wants every sample, and notes when it was given one beside those of its pushes."""

    wants_every_sample = True

    def __init__(self, *plan: float | Exception) -> None:
        super().__init__(*plan)
        self.kept: list[float] = []

    async def keep(self, snapshot: Snapshot) -> None:
        """Note the time."""
        assert snapshot is EMPTY
        assert self.under_way == 0
        self.kept.append(trio.current_time())


async def test_samples_that_are_wanted_come_at_the_interval_behind_failures_too(autojump_clock: MockClock) -> None:
    """The pauses grow, and no sample comes shortly before a push."""
    refused = OSError(111, "Connection refused")
    destination = Keeper(*[refused] * 3, 1e9, 0.0)
    begin = trio.current_time()
    await run_for(make_pushes([destination]), 1100)
    assert [time - begin for time in destination.begun] == [60, 120, 240, 480, 790, 850, 910, 970, 1030, 1090]
    assert [time - begin for time in destination.kept] == [180, 300, 360, 420, 540, 600, 660, 720]


async def test_end_in_a_pause_keeps_no_sample_beside_that_of_the_last_push(autojump_clock: MockClock) -> None:
    """The last push comes at once."""
    destination = Keeper(OSError(111, "Connection refused"))
    pushes = make_pushes([destination])
    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pushes.run)
        await trio.sleep(250)
        await pushes.finish(10)
    assert [time - begin for time in destination.begun] == [60, 120, 240, 250]
    assert [time - begin for time in destination.kept] == [180]


async def test_longer_interval_is_no_longer_after_failures(autojump_clock: MockClock) -> None:
    """The pause is never less than the interval."""
    destination = Destination(OSError(111, "Connection refused"))
    begin = trio.current_time()
    await run_for(make_pushes([destination], PushSettings(metric_push_interval_seconds=1000.0)), 3500)
    assert [time - begin for time in destination.begun] == [1000, 2000, 3000]


async def test_destination_says_how_long_to_leave_it_alone(autojump_clock: MockClock) -> None:
    """It is heard up to the longest pause; a shorter one than ours changes nothing."""
    busy, patient = PushError("it is busy", 150.0), PushError("it is busy", 1e9)
    destination = Destination(busy, PushError("it is busy", 1.0), patient, OSError(111, "Connection refused"), 0.0)
    pushes = make_pushes([destination])
    begin = trio.current_time()
    await run_for(pushes, 940)
    assert [time - begin for time in destination.begun] == [60, 210, 330, 630, 930]


async def test_hanging_destination_meets_its_deadline(autojump_clock: MockClock) -> None:
    """It is cut off, and has failed; another one is pushed to as if nothing were."""
    hanging, other = Destination(1e9), Destination(0.0, name="other")
    pushes = make_pushes([hanging, other])
    begin = trio.current_time()
    await run_for(pushes, 200)
    assert [time - begin for time in other.written] == [60, 120, 180]
    assert [time - begin for time in hanging.begun] == [60, 130]
    assert hanging.written == []
    assert pushes.tasks[0].failure == "it did not take everything within 10 s"
    assert [counts.failures for counts in pushes.counts] == [2, 0]
    assert not hanging.is_connected


async def test_unreachable_destination_meets_its_deadline(autojump_clock: MockClock) -> None:
    """Connecting has a deadline of its own."""

    class Unreachable(Destination):
        async def connect(self) -> None:
            await trio.sleep_forever()

    pushes = make_pushes([Unreachable(0.0)])
    await run_for(pushes, 75)
    assert pushes.tasks[0].failure == "it could not be reached within 10 s"


async def test_last_values_are_pushed_at_the_end(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """To each destination that takes them in time; one that hangs makes nobody wait longer."""
    good, refusing, hanging = (
        Destination(0.5),
        Destination(OSError(111, "Connection refused"), name="refusing"),
        Destination(1e9, name="hanging"),
    )
    pushes = make_pushes([good, refusing, hanging])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pushes.run)
        await trio.sleep(1)
        begin = trio.current_time()
        await pushes.finish(2.5)
        assert trio.current_time() - begin == 2.5
        nursery.cancel_scope.cancel()
    assert [time - begin for time in good.written] == [0.5]
    assert [counts.pushes for counts in pushes.counts] == [1, 1, 0]
    assert not any(one.is_connected for one in (good, refusing, hanging))
    assert caplog.messages[-1] == "The last values were not pushed to hanging within 2.5 s."


async def test_end_comes_as_soon_as_all_have_the_last_values(autojump_clock: MockClock) -> None:
    """Nobody waits for the rest of the time."""
    pushes = make_pushes([Destination(0.5)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pushes.run)
        await trio.sleep(1)
        begin = trio.current_time()
        await pushes.finish(100)
        assert trio.current_time() - begin == 0.5


@pytest.mark.parametrize(
    ("seconds", "failure"), [(3.0, ""), (11.0, "it did not end within 10 s"), (-1.0, "it did not like that")]
)
async def test_pusher_finishes_behind_the_last_push(autojump_clock: MockClock, seconds: float, failure: str) -> None:
    """It has a deadline, and may fail."""

    class Finishing(Destination):
        async def finish(self) -> None:
            assert len(self.written) == 1
            if seconds < 0:
                raise PushError("it did not like that")
            await trio.sleep(seconds)

    pushes = make_pushes([Finishing(0.5)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pushes.run)
        await trio.sleep(1)
        begin = trio.current_time()
        await pushes.finish(100)
        assert trio.current_time() - begin == 0.5 + min(max(seconds, 0.0), 10.0)
    assert pushes.tasks[0].failure == failure


async def test_push_under_way_at_the_end_is_followed_by_the_last(autojump_clock: MockClock) -> None:
    """What it carries may be older than what was counted since."""
    destination = Destination(5.0)
    pushes = make_pushes([destination])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pushes.run)
        await trio.sleep(62)
        begin = trio.current_time()
        await pushes.finish(100)
    assert [time - begin for time in destination.written] == [3, 8]


async def test_without_destinations_the_end_is_at_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is waited for."""
    pushes = make_pushes([])
    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pushes.run)
        await pushes.finish(100)
    assert trio.current_time() == begin
    await pushes.finish(0)
    assert caplog.messages == []


@pytest.mark.parametrize(("waiting", "loss"), [(0, ""), (7, ", and what waits is lost")])
async def test_failure_at_the_end_is_the_last_word(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, waiting: int, loss: str
) -> None:
    """No next push is promised. It is told also if it is the same as before: the last values are missing."""
    task = PushTask(Destination(PushError("it is full")), SETTINGS, lambda: EMPTY, lambda: NOW)
    task.counts.spooled_bytes = waiting
    await task.push()
    task.ending.set()
    await task.run()
    assert caplog.messages == [
        "Push to test at nowhere:1 failed: it is full. The next push is in 60 s.",
        f"Push to test at nowhere:1 failed: it is full. There is no further one{loss}.",
    ]
