"""The keeper of the state file: when it writes, who waits for it, and what it does when it cannot."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.metrics import Datum, Kind, Metric, ValueType
from pipeline.settings import StateSettings
from pipeline.state import PIECE_BYTES, RETRY_SECONDS, StateKeeper, run_in_thread
from pipeline.state_file import Capture, capture_state, read_lines
from tests.full_disk import limiting_files

NOW = 1_700_000_000_000_000_000
DEADLINE_SECONDS = 60.0


class Counter:
    """A metric to be saved, and how often that was begun."""

    def __init__(self) -> None:
        self.metric = Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("k",))
        self.captures = 0

    def count(self, label: bytes = b"x") -> None:
        series = self.metric.data.setdefault((label,), Datum((label,), 0, NOW))
        assert isinstance(series, Datum)
        assert isinstance(series.value, int)
        series.value += 1

    def capture(self) -> Capture:
        self.captures += 1
        return capture_state([self.metric], {})


def make_keeper(path: Path, counter: Counter, *, interval: float = 60.0) -> StateKeeper:
    """Return a keeper whose clock tells how often it has written."""
    settings = StateSettings(state_file=path, state_interval_seconds=interval)
    return StateKeeper(path, settings, counter.capture, lambda: NOW + counter.captures)


def read_values(path: Path) -> list[object]:
    """Return the values in a state file."""
    with path.open("rb") as file:
        return [series.value for metric in read_lines(file).metrics for series in metric.data.values()]


async def wait_for(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds. A thread is no task: Trio's clock would jump ahead of it."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await trio.lowlevel.checkpoint()


async def test_state_is_written_at_once_and_at_each_interval(
    tmp_path: Path, mock_clock: MockClock, nursery: trio.Nursery
) -> None:
    """What was counted up to then is in it."""
    counter = Counter()
    keeper = make_keeper(tmp_path / "state", counter)
    nursery.start_soon(keeper.run)
    for writes, values in enumerate([[], [1], [2]]):
        await wait_for(lambda writes=writes: keeper.counts.last_write == NOW + writes)  # type: ignore[misc]
        assert read_values(tmp_path / "state") == values
        counter.count()
        mock_clock.jump(59)
        await wait_all_tasks_blocked()
        assert counter.captures == writes + 1
        mock_clock.jump(1)


async def test_state_without_interval_is_written_when_asked_for(
    tmp_path: Path, mock_clock: MockClock, nursery: trio.Nursery
) -> None:
    """As at the end."""
    counter = Counter()
    keeper = make_keeper(tmp_path / "state", counter, interval=0.0)
    nursery.start_soon(keeper.run)
    await wait_all_tasks_blocked()
    mock_clock.jump(1e6)
    await wait_all_tasks_blocked()
    assert counter.captures == 0
    counter.count()
    await keeper.finish(10)
    assert read_values(tmp_path / "state") == [1]


async def test_those_who_wait_share_a_write(tmp_path: Path, nursery: trio.Nursery) -> None:
    """One that began before they asked is not enough; the next does for all of them."""
    counter = Counter()
    keeper = make_keeper(tmp_path / "state", counter, interval=0.0)
    nursery.start_soon(keeper.run)
    saved: list[list[object]] = []

    async def save() -> None:
        await keeper.save()
        saved.append(read_values(tmp_path / "state"))

    async with trio.open_nursery() as savers:
        savers.start_soon(save)
        await wait_for(lambda: counter.captures == 1)
        counter.count()
        for _ in range(10):
            savers.start_soon(save)
    assert counter.captures == 2
    assert saved[1:] == [[1]] * 10


@pytest.mark.slow
async def test_large_state_is_written_in_pieces(tmp_path: Path, nursery: trio.Nursery) -> None:
    """Between two of them others have their turn, and what they count is not in it."""
    counter = Counter()
    for number in range(20_000):
        counter.count(b"%060d" % number)
    keeper = make_keeper(tmp_path / "state", counter, interval=0.0)
    nursery.start_soon(keeper.run)
    async with trio.open_nursery() as savers:
        savers.start_soon(keeper.save)
        await wait_for(lambda: counter.captures == 1)
        counter.count(b"late")
    assert (tmp_path / "state").stat().st_size > PIECE_BYTES
    assert read_values(tmp_path / "state") == [1] * 20_000


async def test_failure_is_logged_once_and_tried_again(
    tmp_path: Path, mock_clock: MockClock, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """The file that is there stays whole; nothing else is left."""
    caplog.set_level(logging.INFO, "pipeline")
    counter = Counter()
    path = tmp_path / "state"
    keeper = make_keeper(path, counter)
    nursery.start_soon(keeper.run)
    await wait_for(lambda: keeper.counts.last_write == NOW)
    counter.count()
    with limiting_files(100):
        for failures in (1, 2):
            mock_clock.jump(60)
            await wait_for(lambda failures=failures: keeper.counts.write_failures == failures)  # type: ignore[misc]
            await wait_all_tasks_blocked()
    assert read_values(path) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]
    mock_clock.jump(60)
    await wait_for(lambda: keeper.counts.last_write == NOW + 3)
    assert read_values(path) == [1]
    assert [(record.levelname, record.message) for record in caplog.records] == [
        (
            "ERROR",
            f"The state cannot be written to {path}: file too large. The last one stays. It is tried again every 60 s.",
        ),
        ("INFO", f"The state is written to {path} again."),
    ]


async def test_who_waits_for_the_disk_waits_until_it_has_it(
    tmp_path: Path, mock_clock: MockClock, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """What is confirmed upon it would be lost otherwise."""
    path = tmp_path / "folder" / "state"
    keeper = make_keeper(path, Counter(), interval=0.0)
    nursery.start_soon(keeper.run)
    async with trio.open_nursery() as savers:
        savers.start_soon(keeper.save)
        for failures in (1, 2):
            await wait_for(lambda failures=failures: keeper.counts.write_failures == failures)  # type: ignore[misc]
            await wait_all_tasks_blocked()
            mock_clock.jump(RETRY_SECONDS / 2)
            await wait_all_tasks_blocked()
            assert keeper.counts.write_failures == failures
            if failures == 2:
                path.parent.mkdir()
            mock_clock.jump(RETRY_SECONDS / 2)
    assert path.exists()
    assert caplog.messages == [
        f"The state cannot be written to {path}: no such file or directory. The last one stays."
        " It is tried again at the end."
    ]


async def test_end_does_not_wait_for_ever(
    tmp_path: Path, mock_clock: MockClock, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """Here no thread is free, as when all of them wait for a disk that is ill."""
    limiter = trio.to_thread.current_default_thread_limiter()
    for _ in range(int(limiter.total_tokens)):
        limiter.acquire_on_behalf_of_nowait(object())
    keeper = make_keeper(tmp_path / "state", Counter(), interval=0.0)
    nursery.start_soon(keeper.run)
    async with trio.open_nursery() as enders:
        enders.start_soon(keeper.finish, 2.5)
        await wait_all_tasks_blocked()
        mock_clock.jump(2.5)
    assert caplog.messages == [
        f"The state was not written to {tmp_path}/state within 2.5 s. What was counted since the last time is lost."
    ]
    assert list(tmp_path.iterdir()) == []


async def test_end_leaves_a_thread_that_hangs_behind() -> None:
    """A thread cannot be stopped. This one reads what nobody writes."""
    read_end, write_end = os.pipe()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_in_thread, lambda: os.close(read_end) if os.read(read_end, 1) else None)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    os.write(write_end, b"x")
    os.close(write_end)
