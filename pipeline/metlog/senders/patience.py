"""How long a sender waits for room: a moment, and not again soon when that was in vain.

A receiver that reads has room within the moment, so that a burst loses nothing. One that hangs would cost the
application that moment with each message; so for a while nothing is waited for, and what finds no room is dropped.
"""

from __future__ import annotations

import select
import time

# A receiver that is alive empties a queue of ten datagrams within a millisecond or two.
TIMEOUT_SECONDS = 0.01
"""So long a message waits for room, unless the sender is told otherwise."""

NAP_SECONDS = 0.1
"""So long it is waited until it is looked whether it still should be."""

PAUSE_SECONDS = 1.0
"""So long nothing is waited for, when a wait was in vain."""


class Patience:
    """Waits for room, up to `timeout_seconds` for each message. With 0 it never waits."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self.resume = 0.0
        """When waiting is sensible again, by the monotonic clock."""

    def find_deadline(self) -> float:
        """Return until when a message may wait from now on."""
        now = time.monotonic()
        return now + self.timeout_seconds if now >= self.resume else now

    def wait(self, descriptor: int, deadline: float) -> bool:
        """Return whether there is room, as soon as there is, or False at the deadline.

        Who sets `timeout_seconds` to 0 meanwhile, as a signal handler may, ends it soon.
        """
        begin = now = time.monotonic()
        if now >= deadline:
            return False
        while now < min(deadline, begin + self.timeout_seconds):
            if is_writable(descriptor, min(deadline - now, NAP_SECONDS)):
                return True
            now = time.monotonic()
        self.resume = now + PAUSE_SECONDS
        return False


def is_writable(descriptor: int, timeout_seconds: float) -> bool:
    """Return whether there is room, or an error to be told of, within the time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(timeout_seconds * 1000))
