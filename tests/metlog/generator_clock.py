"""A clock that a test puts forward, and timers whose durations it reads."""

from __future__ import annotations

import pytest

from pipeline.metlog import timers as timers_module
from pipeline.metlog.client import MetlogClient
from pipeline.metlog.timers import Timer
from tests.metlog.generator_clients import make_client, read_messages

SECOND = 1_000_000_000


class Clock:
    """A clock that a test puts forward."""

    def __init__(self) -> None:
        self.now = 5 * SECOND

    def perf_counter_ns(self) -> int:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that timers look at."""
    clock = Clock()
    monkeypatch.setattr(timers_module, "time", clock)
    return clock


@pytest.fixture
def client() -> MetlogClient:
    """A client with a ring of messages."""
    return make_client()


def make_timer(client: MetlogClient, name: str = "work", **options: object) -> Timer:
    """Return a timer that is not disabled."""
    timer = client.timer(name, **options)  # type: ignore[arg-type]
    assert isinstance(timer, Timer)
    return timer


def read_payloads(client: MetlogClient) -> list[object]:
    """Return the durations that were sent, in their order."""
    return [message["payload"] for message in read_messages(client)]
