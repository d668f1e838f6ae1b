"""What systemd is told regularly while the daemon runs: how it goes, and that all is well.

All is well while each source makes progress, or has nothing to read. A source whose pipe or socket has had something to
read at two looks in a row, although it has counted nothing in between, is stuck, and the watchdog goes hungry
until that changes. That the loop itself goes round is proved by the looks.

A source that has failed and waits for its next attempt holds nothing open, and keeps nobody from being fed: to be
started anew would help it no more than the attempt.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import trio

from pipeline import systemd
from pipeline.sources import Source
from pipeline.telemetry import SourceCounts

logger = logging.getLogger(__name__)

STATUS_SECONDS = 5.0
"""How often the status is told, if it has changed. `systemctl status` shows the last."""

LOOKS_PER_INTERVAL = 4
"""sd_watchdog_enabled(3) advises to feed the watchdog twice in the interval it grants. With twice as many
looks, one that falls into a bad moment costs no restart."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a source: whether there is something to read, and what it has counted."""

    is_readable: bool
    counts: tuple[SourceCounts, ...]


class Watch:
    """Compares each source with itself at the look before."""

    def __init__(self) -> None:
        self.looks: dict[str, Look] = {}
        self.stuck: frozenset[str] = frozenset()

    def look(self, sources: Iterable[Source]) -> bool:
        """Return whether all is well with the sources that are being read; a source that gets stuck is logged once."""
        looks = {source.name: take_look(source) for source in sources}
        stuck = frozenset(name for name, look in looks.items() if look.is_readable and look == self.looks.get(name))
        for name in sorted(stuck - self.stuck):
            logger.error(
                "%s is not read although something is there. systemd is not told any more that all is well, and starts "
                "the daemon anew unless that changes.",
                name,
            )
        self.looks, self.stuck = looks, stuck
        return not stuck


def take_look(source: Source) -> Look:
    """Look at a source."""
    return Look(is_readable(source.descriptors), tuple(replace(part.counts) for part in source.parts))


def is_readable(descriptors: Sequence[int]) -> bool:
    """Return whether there is something to read from any of the descriptors now."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return any(events & select.POLLIN for _, events in poll.poll(0))


async def feed_watchdog(list_sources: Callable[[], Iterable[Source]]) -> None:
    """Tell systemd that we are well, as often as it wants to know, while the sources that are being read are."""
    seconds = systemd.read_watchdog_seconds()
    if seconds is None:
        return
    watch = Watch()
    while True:
        if watch.look(list_sources()):
            systemd.feed_watchdog()
        await trio.sleep(seconds / LOOKS_PER_INTERVAL)


async def tell_status(describe: Callable[[], str]) -> None:
    """Tell systemd how it goes, when that has changed."""
    told = ""
    while systemd.is_listening():
        if (text := describe()) != told:
            systemd.notify_status(text)
            told = text
        await trio.sleep(STATUS_SECONDS)
