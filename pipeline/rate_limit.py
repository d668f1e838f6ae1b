"""Keeps messages that somebody else can cause from filling the log of the daemon."""

from __future__ import annotations


class RateLimit:
    """Lets the first of many through, then one for each interval. The clock is the caller's."""

    __slots__ = ("interval", "next_time", "suppressed")

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.next_time: int | None = None
        self.suppressed = 0

    def admit(self, now: int) -> int | None:
        """Return how many were suppressed since the last one that was not, or None to suppress this one."""
        if self.next_time is not None and now < self.next_time:
            self.suppressed += 1
            return None
        self.next_time = now + self.interval
        suppressed, self.suppressed = self.suppressed, 0
        return suppressed
