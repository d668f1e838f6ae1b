"""Timers measure what they are around, whoever uses them at the same time."""

from __future__ import annotations

import asyncio  # noqa: TID251 - applications may run on it
import random
import threading

import pytest
import trio
import trio.testing

from pipeline.metlog import client as client_module
from pipeline.metlog import timers as timers_module
from pipeline.metlog.client import MetlogClient
from pipeline.metlog.timers import MAX_RESULTS, MAX_RUNNING, NoTimer
from tests.metlog.generator_clients import make_client, read_message, read_messages
from tests.metlog.generator_clock import SECOND, Clock, client, clock, make_timer, read_payloads

__all__ = ["client", "clock"]


def test_block_is_timed_in_whole_milliseconds(client: MetlogClient, clock: Clock) -> None:
    """The result stays with the timer."""
    with client.timer("work", logger="till", severity=7, fields={"a": 1}) as timer:
        clock.now += 1_234_567_890
    assert timer.result == 1235
    assert isinstance(timer.result, int)
    message = read_message(client)
    assert [message[name] for name in ("type", "payload", "logger", "severity")] == ["timer", "1235", "till", 7]
    assert message["fields"] == {"a": 1, "name": "work", "rate": 1.0}


@pytest.mark.parametrize(("digits", "payload"), [(0, "2"), (1, "1.5"), (3, "1.501"), (9, "1.501"), (-1, "2")])
def test_timer_has_the_digits_that_are_asked_for(clock: Clock, digits: int, payload: str) -> None:
    """Up to three."""
    client = make_client(timer_digits=digits)
    with client.timer("work"):
        clock.now += 1_500_900
    assert read_payloads(client) == [payload]


def test_exception_passes_through(client: MetlogClient, clock: Clock) -> None:
    """The time until then is sent."""

    def fail() -> None:
        with client.timer("work"):
            clock.now += SECOND
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert read_payloads(client) == ["1000"]


def test_timer_within_itself(client: MetlogClient, clock: Clock) -> None:
    """Each end belongs to the innermost beginning."""
    timer = make_timer(client)
    with timer:
        clock.now += SECOND
        with timer:
            clock.now += 2 * SECOND
        assert timer.result == 2000
        clock.now += SECOND
    assert timer.result == 4000
    assert read_payloads(client) == ["2000", "4000"]


def test_timers_that_do_not_nest(client: MetlogClient, clock: Clock) -> None:
    """The first may end before the second."""
    first, second = make_timer(client, "first"), make_timer(client, "second")
    first.__enter__()
    clock.now += SECOND
    second.__enter__()
    clock.now += SECOND
    first.__exit__(None, None, None)
    clock.now += SECOND
    second.__exit__(None, None, None)
    assert (first.result, second.result) == (2000, 2000)


def test_timers_within_themselves_that_do_not_nest(client: MetlogClient, clock: Clock) -> None:
    """The inner use of the first may end before that of the second."""
    first, second = make_timer(client, "first"), make_timer(client, "second")
    for timer in (first, first, second):
        timer.__enter__()
        clock.now += SECOND
    for timer in (first, second, first):
        timer.__exit__(None, None, None)
        clock.now += SECOND
    assert read_payloads(client) == ["2000", "2000", "5000"]


def test_threads_use_one_timer(client: MetlogClient, clock: Clock) -> None:
    """Each has its own beginning and its own result."""
    timer = make_timer(client)
    results: dict[int, float | None] = {}
    barrier = threading.Barrier(3)

    def work(number: int) -> None:
        if number:
            barrier.wait()
        with timer:
            if not number:
                clock.now += SECOND
                barrier.wait()
                barrier.wait()
                clock.now += SECOND
                barrier.wait()
            else:
                barrier.wait()
                barrier.wait()
        results[number] = timer.result

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {0: 2000, 1: 1000, 2: 1000}


async def test_trio_tasks_use_one_timer(
    client: MetlogClient, autojump_clock: trio.testing.MockClock, clock: Clock
) -> None:
    """While one waits, the others begin and end."""
    timer = make_timer(client)
    results = {}

    async def work(start: float, duration: float) -> None:
        await trio.sleep(start)
        clock.now = round(trio.current_time() * SECOND)
        with timer:
            await trio.sleep(duration)
            clock.now = round(trio.current_time() * SECOND)
        results[start] = timer.result

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, 1, 10)
        nursery.start_soon(work, 2, 1)
        nursery.start_soon(work, 4, 20)
    assert results == {1: 10000, 2: 1000, 4: 20000}
    assert read_payloads(client) == ["1000", "10000", "20000"]


def test_asyncio_tasks_use_one_timer(client: MetlogClient, clock: Clock) -> None:
    """The same there."""
    timer = make_timer(client)
    results = {}

    async def work(name: str, mine: asyncio.Event, other: asyncio.Event, seconds: int) -> None:
        with timer:
            await mine.wait()
            clock.now += seconds * SECOND
        other.set()
        results[name] = timer.result

    async def main() -> None:
        first, second, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        first.set()
        tasks = [work("b", second, done, 5), work("a", first, second, 3)]
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert results == {"a": 3000, "b": 8000}


async def test_task_that_is_started_within_a_timer_uses_it_too(client: MetlogClient, clock: Clock) -> None:
    """The beginnings that it inherits are not its own."""
    timer = make_timer(client)
    left, results = trio.Event(), []

    async def work() -> None:
        await left.wait()
        with timer:
            clock.now += SECOND
        results.append(timer.result)

    async with trio.open_nursery() as nursery:
        with timer:
            clock.now += SECOND
            with timer:
                clock.now += SECOND
                nursery.start_soon(work)
            clock.now += SECOND
        results.append(timer.result)
        left.set()
    with timer:
        clock.now += 7 * SECOND
    assert [*results, timer.result] == [3000, 1000, 7000]
    assert read_payloads(client) == ["1000", "3000", "1000", "7000"]


@pytest.mark.parametrize("rate", [float("nan"), "all", None, 2])
def test_timer_with_a_rate_that_is_none_is_always_sent(client: MetlogClient, rate: object) -> None:
    """As other calls are."""
    with client.timer("work", rate=rate):  # type: ignore[arg-type]
        pass
    client.timer_send("work", 1, rate=rate)  # type: ignore[arg-type]
    assert [message["fields"]["rate"] for message in read_messages(client)] == [1.0, 1.0]  # type: ignore[index]


def test_end_in_another_context_knows_the_last_start(client: MetlogClient, clock: Clock) -> None:
    """As when a generator is closed by whoever finds it."""
    timer = make_timer(client)
    timer.__enter__()
    clock.now += SECOND
    thread = threading.Thread(target=timer.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert read_payloads(client) == ["1000"]
    assert timer.result == 1000


def test_beginnings_without_end_do_not_pile_up(client: MetlogClient) -> None:
    """Nor do results of timers that were used once."""
    timer = make_timer(client)
    for _ in range(MAX_RUNNING * 2):
        with client.timer("x"):
            pass
        timer.__enter__()
    assert len(timers_module._RUNNING.get()) == MAX_RUNNING
    assert len(timers_module._RESULTS.get()) == MAX_RESULTS


@pytest.mark.parametrize("disabled", [["work", "other"], ["*"], "work"])
def test_disabled_timer_does_nothing(disabled: object) -> None:
    """A function stays what it is."""
    client = make_client(disabled_timers=disabled)

    def function() -> None:
        """Do nothing."""

    timer = client.timer("work")
    assert isinstance(timer, NoTimer)
    assert timer(function) is function
    with timer as entered:
        assert entered.result is None
    assert read_messages(client) == []


def test_timer_is_sampled_at_each_use(client: MetlogClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also around a function, which is decorated once; where it is not sent, there is no result."""
    monkeypatch.setattr(client_module, "_RANDOM", random.Random(3))
    timer = make_timer(client, rate=0.5)
    results = set()

    @timer
    def function() -> None:
        """Do nothing."""

    for _ in range(200):
        function()
        with timer:
            pass
        results.add(timer.result)
    assert client.counts.sent + client.counts.sampled_out == 400
    assert 120 < client.counts.sent < 280
    assert None in results
    assert len(results) > 1
    assert {message["fields"]["rate"] for message in client.sender.messages} == {0.5}  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", [None, 5, "text"])
def test_what_cannot_be_called_is_not_decorated(client: MetlogClient, wrong: object) -> None:
    """A mistake in the application's text is told where it is read."""
    with pytest.raises(ValueError, match="can be called"):
        client.timer("work")(wrong)  # type: ignore[type-var]
