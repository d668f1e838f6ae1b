"""Sends metrics out on a timer: a table of destinations, and one schedule for all of them."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.pushers.graphite import make_graphite_pusher
from pipeline.pushers.pusher import Pusher
from pipeline.pushers.schedule import Pushes, PushTask
from pipeline.settings import PushSettings

PUSHERS: tuple[Callable[[PushSettings], Pusher | None], ...] = (make_graphite_pusher,)
"""A row for each destination: settings → its pusher, or None where no address is set."""

__all__ = ["PUSHERS", "PushTask", "Pusher", "Pushes", "make_pushers"]


def make_pushers(settings: PushSettings) -> list[Pusher]:
    """Return a pusher for each destination that has an address; none when nothing is to be pushed."""
    if settings.metric_push_interval_seconds <= 0:
        return []
    made = [make(settings) for make in PUSHERS]
    return [pusher for pusher in made if pusher is not None]
