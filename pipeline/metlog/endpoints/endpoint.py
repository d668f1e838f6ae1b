"""What an endpoint is to the router: where messages go, each suited to some kind of them.

The router hands over the messages of a batch within the task of the source, so `take` never waits. What cannot be
passed on at once waits in the endpoint's own queue, which has a limit; what finds no room is counted. A destination
that is dead holds up neither lines nor scrapes nor the other endpoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from pipeline.metlog.message import Message


@dataclass(slots=True)
class EndpointCounts:
    """What one endpoint counts, in messages where nothing else is said.

    Each message that was taken is delivered, refused, dropped, or queued: these add up, over a restart too where there
    is a spool on disk.
    """

    name: str
    taken: int = 0
    delivered: int = 0
    refused: int = 0
    """Those that can never be delivered: what the destination does not want, or what this endpoint cannot express."""
    dropped: int = 0
    """Those that found no room in the queue or the spool, the oldest first, or were left at the end."""
    queued: int = 0
    queued_bytes: int = 0
    failures: int = 0
    """Attempts that failed; what was in them is tried again."""
    last_failure: str = ""
    """Why the last attempt failed; empty when it did not."""


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
