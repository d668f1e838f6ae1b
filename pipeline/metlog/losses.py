"""Messages that were lost: counted, told on standard error now and then, and in a message once sending works again."""

from __future__ import annotations

import sys
import threading
import weakref
from dataclasses import dataclass
from typing import Protocol

from pipeline.metlog.senders.dev import find_descriptor
from pipeline.metlog.senders.patience import is_writable
from pipeline.metlog.senders.sender import LOOP, UNWANTED

DROPPED_TYPE = "metlog.dropped"
REPORT_SECONDS = 60.0


@dataclass(slots=True)
class ClientCounts:
    """What became of the calls of one client in this process; the child of a fork begins at 0.

    They add up: each call is sent, filtered, sampled out, failed or dropped, and so is each message about losses.
    CPython lets no other thread in within a single addition, so they need no lock, which would cost more than they do.
    """

    sent: int = 0
    """Given to the sender, which has not said that it dropped it."""
    filtered: int = 0
    """A filter said no."""
    sampled_out: int = 0
    """Left out by chance, as their rate is below 1."""
    failed: int = 0
    """The sender, a filter or a value raised an exception."""
    dropped: int = 0
    """The sender dropped it, as there was no room or nobody listens."""
    mended: int = 0
    """Those in which something was changed, as JSON has nothing like it. They are counted above, too."""

    @property
    def lost(self) -> int:
        """How many should have been sent, and were not."""
        return self.failed + self.dropped


class SenderLike(Protocol):
    """What a client needs of a sender; those of metlog-py's time have no counts."""

    def send_message(self, message: dict[str, object], /) -> object:
        """Pass a message on."""


class DropCounts(Protocol):
    """What of a sender's counts is looked at; there may be `causes` and `last_failure`."""

    dropped: int


class NoCounts:
    """Those of a sender that counts nothing."""

    dropped = 0


class DropWatch:
    """Sees what a sender drops by itself, and gives each drop to one of the clients that share it."""

    __slots__ = ("_lock", "counts", "seen", "seen_unwanted")

    def __init__(self, counts: DropCounts) -> None:
        self.counts = counts
        self.seen = self.seen_unwanted = 0
        self.start_anew()

    def is_silent(self) -> bool:
        """Tell whether nothing was dropped since the last claim."""
        return self.counts.dropped == self.seen

    @property
    def reason(self) -> str:
        """Why the last one was dropped."""
        return str(getattr(self.counts, "last_failure", ""))

    def claim(self) -> tuple[int, int]:
        """Return how many were dropped that nobody has claimed, and how many more the sender was right to drop."""
        with self._lock:
            dropped, unwanted = self.counts.dropped, self.find_unwanted()
            news, leaving = max(dropped - self.seen, 0), max(unwanted - self.seen_unwanted, 0)
            self.seen, self.seen_unwanted = dropped, unwanted
        return news - leaving, leaving

    def find_unwanted(self) -> int:
        """Return how many messages the sender has left out as it should: no one misses them."""
        causes = getattr(self.counts, "causes", {})
        found: int = causes.get(UNWANTED, 0) + causes.get(LOOP, 0)
        return found

    def start_anew(self) -> None:
        """Go on in a process that was forked, where another thread may have held the lock."""
        self._lock = threading.RLock()
        self.seen, self.seen_unwanted = self.counts.dropped, self.find_unwanted()


_WATCHES: weakref.WeakKeyDictionary[object, DropWatch] = weakref.WeakKeyDictionary()


def watch_sender(sender: object) -> DropWatch:
    """Return the watch of a sender, the same for all its clients."""
    counts = getattr(sender, "counts", None)
    watch = DropWatch(NoCounts() if counts is None or not hasattr(counts, "dropped") else counts)
    try:
        return _WATCHES.setdefault(sender, watch)
    except TypeError:  # one that cannot be referred to weakly
        return watch


class Reporter:
    """Decides when losses are told. The clock is the caller's, in seconds that only grow."""

    __slots__ = ("interval_seconds", "next_line", "next_message", "owes", "reason", "told", "told_line")

    def __init__(self, interval_seconds: float | None) -> None:
        self.interval_seconds = interval_seconds
        self.next_line: float | None = None
        self.next_message: float | None = None
        self.owes = False
        """Whether there are losses that no message has told."""
        self.told = 0
        self.told_line = 0
        self.reason = ""

    def find_line(self, lost: int, now: float) -> int:
        """Return how many losses a line has to tell now; 0 is for none."""
        if self.interval_seconds is None or (self.next_line is not None and now < self.next_line):
            return 0
        self.next_line = now + self.interval_seconds
        return self.find_rest(lost)

    def find_rest(self, lost: int) -> int:
        """Return how many losses no line has told, at the end; 0 if none is to tell any."""
        if self.interval_seconds is None:
            return 0
        news, self.told_line = lost - self.told_line, lost
        return news

    def find_message(self, lost: int, now: float) -> int:
        """Return how many losses a message has to tell now; 0 is for none."""
        if self.next_message is not None and now < self.next_message:
            return 0
        self.next_message = now + (REPORT_SECONDS if self.interval_seconds is None else self.interval_seconds)
        return lost - self.told


def write_line(text: str) -> bool:
    """Write to standard error, and tell whether that was possible: if nobody reads it, it is not waited for."""
    try:
        descriptor = find_descriptor(sys.stderr)
        if descriptor is not None and not is_writable(descriptor, 0):
            return False
        sys.stderr.write(f"{text}\n")
    except Exception:  # noqa: BLE001 - where nobody can be told, there is nobody to tell that
        return False
    return True
