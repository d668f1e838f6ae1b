"""How it went: what was sent and dropped, and how long each send took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

KEPT_BITS = 6
"""So many bits of a duration are kept, which is within 3 %."""


class Durations:
    """How long things took, in ns: how many took how long, so that any number of them takes little room."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def add(self, duration: int) -> None:
        """Note one."""
        dropped = duration.bit_length() - KEPT_BITS
        if dropped > 0:
            duration = duration >> dropped << dropped
        self.counts[duration] = self.counts.get(duration, 0) + 1

    def merge(self, other: Durations) -> None:
        """Note all of another."""
        for duration, number in other.counts.items():
            self.counts[duration] = self.counts.get(duration, 0) + number

    def find_quantile(self, share: float) -> int:
        """Return what this share of them did not exceed; 0 if there are none."""
        left = share * sum(self.counts.values())
        for duration in sorted(self.counts):
            left -= self.counts[duration]
            if left <= 0:
                return duration
        return 0


@dataclass(slots=True)
class Outcome:
    """What became of messages or lines, of one sender or of all."""

    taken: int = 0
    """Those that were made; each was sent or dropped."""
    sent: int = 0
    dropped: int = 0
    shortened: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    last_failure: str = ""
    elapsed: int = 0
    """In ns, from the first to the last."""
    missing: int = 0
    """Those that were not made in time: the receiver, or this machine, was slower than the rate."""
    is_cut_short: bool = False
    """Whether somebody ended it before all were sent that were asked for."""
    durations: Durations = field(default_factory=Durations)

    @property
    def is_complete(self) -> bool:
        """Whether all that were asked for were sent."""
        return self.sent == self.taken and not self.missing and not self.is_cut_short

    def merge(self, other: Outcome) -> None:
        """Add that of another sender, which was at work at the same time."""
        self.taken += other.taken
        self.sent += other.sent
        self.dropped += other.dropped
        self.shortened += other.shortened
        for cause, number in other.causes.items():
            self.causes[cause] = self.causes.get(cause, 0) + number
        self.last_failure = other.last_failure or self.last_failure
        self.elapsed = max(self.elapsed, other.elapsed)
        self.is_cut_short |= other.is_cut_short
        self.durations.merge(other.durations)

    def describe(self) -> list[str]:
        """Return it in sentences."""
        seconds = self.elapsed / 1e9
        rate = f", {self.sent / seconds:.0f} per second" if self.elapsed and self.sent > 1 else ""
        lines = [f"{self.sent} sent in {seconds:.2f} s{rate}; {self.dropped} dropped."]
        if self.sent:
            median, slow = (self.durations.find_quantile(share) / 1e3 for share in (0.5, 0.99))
            lines.append(f"Half of the sends took up to {median:.1f} µs, 99 of 100 up to {slow:.1f} µs.")
        if self.missing:
            lines.append(f"{self.missing} fewer than the rate makes in that time.")
        if self.shortened:
            lines.append(f"{self.shortened} were too large, and sent with a part of their payload.")
        if self.dropped:
            why = ", ".join(f"{cause} ({number})" for cause, number in sorted(self.causes.items()))
            lines.append(f"Dropped because: {why}. The last one: {self.last_failure}.")
        return lines


def merge_all(outcomes: Iterable[Outcome]) -> Outcome:
    """Return that of all senders together."""
    whole = Outcome()
    for outcome in outcomes:
        whole.merge(outcome)
    return whole
