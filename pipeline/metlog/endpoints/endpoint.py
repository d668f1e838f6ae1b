"""What an endpoint is to the router: where messages go, each suited to some kind of them.

The router hands over the messages of a batch within the task of the source, so `take` never waits. What cannot be
passed on at once waits in the endpoint's own queue, which has a limit; what finds no room is counted. A destination
that is dead holds up neither lines nor scrapes nor the other endpoints. One that is slower than a log is read from a
disk, and takes what it is given, has that log wait (`wait_room`); sockets and pipes never do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from pipeline.message_counts import EndpointCounts
from pipeline.metlog.endpoints.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointContext:
    """What endpoints need to know of the daemon."""

    host: str
    """The name of this machine."""
    read_clock: Callable[[], int]
    """The wall clock, in ns since 1970."""


class Endpoint(ABC):
    """One place where messages go, as the operator has named it."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        """Where it is, for people: without a password."""
        self.counts = EndpointCounts(name)

    def prepare(self) -> None:  # noqa: B027 - not all have something to open
        """Open or bind, before the event loop runs. Raises `SettingError` when that cannot be."""

    @abstractmethod
    def take(self, messages: Sequence[Message], now: int) -> None:
        """Take messages, in order; `now` is the wall clock in ns since 1970. It never waits and never fails."""

    async def wait_room(self) -> None:  # noqa: B027 - most have nothing that waits
        """Return when a batch more has room, as far as that can be awaited. What is dead is not waited for."""

    def reopen(self) -> None:  # noqa: B027 - only files have something to open anew
        """Open anew what a log rotation may have moved away. It is called at SIGHUP."""

    async def run(self) -> None:
        """Pass on what was taken, until cancelled. It must survive any failure of its destination."""
        await trio.sleep_forever()

    async def finish(self) -> None:
        """Pass on what is left, when nothing more will be taken. The caller limits the time.

        What is still left then stays in the spool, or is dropped and counted by `close`.
        """
        await trio.lowlevel.checkpoint()

    def close(self) -> None:  # noqa: B027 - not all have something to close
        """Let go of what was opened, and count what is lost with it. A second call does nothing."""
