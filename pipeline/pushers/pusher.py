"""What a destination is to the schedule."""

from __future__ import annotations

from typing import Protocol

from pipeline.metrics import Snapshot


class Pusher(Protocol):
    """The way to one destination.

    The schedule calls `connect`, then `write`, never two at once, and limits the time of each. Whatever goes wrong in
    them, cancelling included, it calls `disconnect`; so the next push begins afresh. A failure is a `PushError` or an
    `OSError`.
    """

    name: str
    """The destination, as it is called in flags, metrics and messages: `graphite`."""
    address: str
    """Where it is, for people."""

    async def connect(self) -> None:
        """Have a way to the destination: a new one, or the one that is there and still good."""

    async def write(self, snapshot: Snapshot) -> int:
        """Send all of `snapshot`, which holds the metrics of programs; return how many series that were."""

    def disconnect(self) -> None:
        """Give up the way, if there is one. It does not wait."""
