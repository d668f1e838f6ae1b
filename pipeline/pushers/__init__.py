"""Sends metrics out on a timer: a table of destinations, and one schedule for all of them."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.push_settings import PushSettings
from pipeline.pushers.pusher import PushContext, Pusher
from pipeline.pushers.schedule import Pushes, PushTask

__all__ = ["PUSHERS", "PushContext", "PushTask", "Pusher", "Pushes", "make_pushers"]


def make_graphite_pusher(settings: PushSettings, _context: PushContext) -> Pusher | None:
    """Return what pushes to Graphite."""
    if not settings.graphite.graphite_host_port:
        return None
    from pipeline.pushers.graphite import GraphitePusher

    return GraphitePusher(settings)


PUSHERS: tuple[Callable[[PushSettings, PushContext], Pusher | None], ...] = (make_graphite_pusher,)
"""A row for each destination: settings → its pusher, or None where no address is set.

What a destination needs is imported where one is made: who pushes nothing, needs no HTTP client.
"""


def make_pushers(settings: PushSettings, context: PushContext) -> list[Pusher]:
    """Return a pusher for each destination that has an address; none when nothing is to be pushed.

    `SettingError` if one cannot be used.
    """
    if settings.metric_push_interval_seconds <= 0:
        return []
    made = [make(settings, context) for make in PUSHERS]
    return [pusher for pusher in made if pusher is not None]
