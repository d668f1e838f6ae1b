"""Samples of what runs."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from types import CodeType, FrameType

import pytest

from pipeline.profiling.sampler import Sampler


def spin(milliseconds: int) -> int:
    """Use the processor for so long."""
    end = time.thread_time_ns() + milliseconds * 1_000_000
    rounds = 0
    while time.thread_time_ns() < end:
        rounds += 1
    return rounds


def work() -> None:
    """Call what takes long, and what does not."""
    spin(40)
    len("")


def other() -> None:
    """Take long, too."""
    spin(40)


def place_of_cost(code: CodeType, instruction: int) -> int | None:
    """Return on which line below its first one a function has an instruction."""
    line = list(code.co_positions())[instruction // 2][0]
    return None if line is None else line - code.co_firstlineno


def test_cost_belongs_to_the_call_that_runs() -> None:
    """What the called function calls counts for it; what no known function calls is apart."""
    sampler = Sampler([work.__code__])
    with sampler:
        work()
        other()
    ((number, costs),) = sampler.inside.items()
    (dearest, cost), *_ = costs.most_common()
    assert place_of_cost(sampler.codes[number], dearest) == 2
    assert cost > 0.9 * sum(costs.values())
    assert sampler.outside_ns > 0
    assert sampler.samples > 0


@pytest.fixture
def other_timer() -> Iterator[list[int]]:
    """Set a timer of a long time, and return the signals that arrive."""
    arrived: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        arrived.append(number)

    handler = signal.signal(signal.SIGALRM, note)
    signal.setitimer(signal.ITIMER_REAL, 1000, 500)
    yield arrived
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)


def test_handler_and_timer_are_put_back(other_timer: list[int]) -> None:
    """Whoever had a timer before has it again, and was not disturbed."""
    handler = signal.getsignal(signal.SIGALRM)
    with Sampler([]):
        spin(20)
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < left <= 1000
    assert interval == 500
    assert signal.getsignal(signal.SIGALRM) is handler
    assert other_timer == []


def test_timer_ends_with_an_exception() -> None:
    """Nothing of it stays."""
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), Sampler([]):
        raise KeyboardInterrupt
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
