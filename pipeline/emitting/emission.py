"""The messages of one sender, each at its time.

Message number n of all is due n / rate seconds after the beginning, whichever sender has it. What is late is sent at
once, so that the rate is kept over any time in which the receiver can keep up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.emit_settings import STDIN, STDOUT, EmitSettings
from pipeline.emitting.outcome import Outcome
from pipeline.emitting.templates import Make
from pipeline.metlog.senders import GONE, ByteSender

TELL_NS = 100_000_000
"""So often it is told how many are done."""

MAX_NAP_NS = 100_000_000
"""So long it sleeps at most until it looks whether it is to stop."""

FLUSH_SECONDS = 5.0
"""So long what has begun to go is waited for at the end."""

Tell: TypeAlias = Callable[[int], None]
"""Is told how many more are done."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from, in ns."""

    monotonic: Callable[[], int] = time.monotonic_ns
    wall: Callable[[], int] = time.time_ns
    sleep: Callable[[float], None] = time.sleep


class ReadingEndedError(Exception):
    """Nobody waits for the next line any more."""


class Emission:
    """Sends what there is, until its end, the end of the time, or a stop."""

    def __init__(self, settings: EmitSettings, sender: ByteSender, begin: int, clock: Clock) -> None:
        """`begin` is when number 1 is due, by the monotonic clock."""
        self.settings = settings
        self.sender = sender
        self.clock = clock
        self.begin = begin
        self.end = begin + round(settings.duration_seconds * 1e9) if settings.duration_seconds else None
        self.is_stopped = False
        self.is_reading = False
        """Whether it waits for what is to be sent, of which nobody knows when it comes."""
        self.outcome = Outcome()

    def stop(self) -> None:
        """End it with the next message, which is waited for no longer. For a signal handler."""
        self.is_stopped = True
        self.sender.patience.timeout_seconds = 0.0
        self.end_reading()

    def end_reading(self) -> None:
        """End it if it waits for a line; raises what `run` catches then. For a signal handler."""
        if self.is_reading:
            raise ReadingEndedError

    def run(self, contents: Iterable[tuple[int, Make]], tell: Tell) -> Outcome:
        """Send, and return how it went."""
        self.send_all(self.read(iter(contents)), tell)
        self.finish()
        return self.outcome

    def read(self, contents: Iterator[tuple[int, Make]]) -> Iterator[tuple[int, Make]]:
        """Yield what there is, until it is waited for no longer."""
        with suppress(StopIteration, ReadingEndedError):
            while True:
                try:
                    self.is_reading = True
                    if self.is_stopped:
                        return  # before it was said that it waits, so that nothing has ended it
                    content = next(contents)
                finally:
                    self.is_reading = False
                yield content
        self.is_reading = False  # a signal may have come before it was said

    def send_all(self, contents: Iterator[tuple[int, Make]], tell: Tell) -> None:
        """Send until it ends, and tell how many."""
        outcome, clock = self.outcome, self.clock.monotonic
        told, next_tell = 0, clock() + TELL_NS
        for number, make in contents:
            now = self.wait(number)
            if self.is_stopped or (self.end is not None and now >= self.end):
                break
            self.send(make(number, self.clock.wall()))
            outcome.taken += 1
            if now >= next_tell:
                tell(outcome.taken - told)
                told, next_tell = outcome.taken, now + TELL_NS
        tell(outcome.taken - told)

    def wait(self, number: int) -> int:
        """Wait until a number is due, and return the time. It is the end's if that comes before."""
        due = self.begin + (number - 1) * 1_000_000_000 // self.settings.rate if self.settings.rate else 0
        if self.end is not None and due >= self.end:
            return self.end
        now = self.clock.monotonic()
        while now < due and not self.is_stopped:
            self.clock.sleep(min(due - now, MAX_NAP_NS) / 1e9)
            now = self.clock.monotonic()
        return now

    def send(self, content: dict[str, object] | bytes) -> None:
        """Send one, and note how long that took. Standard output that nobody reads any more ends it."""
        begin = self.clock.monotonic()
        if isinstance(content, bytes):
            self.sender.send_bytes(content)
        else:
            self.sender.send_message(content)
        self.outcome.durations.add(self.clock.monotonic() - begin)
        if self.settings.to == STDOUT and GONE in self.sender.counts.causes:
            self.stop()  # as in `| head`: nobody comes back to read it

    def finish(self) -> None:
        """Wait for what has begun to go, and take the counts over."""
        self.sender.flush(FLUSH_SECONDS)
        self.sender.close()
        outcome, counts = self.outcome, self.sender.counts
        outcome.elapsed = self.clock.monotonic() - self.begin
        outcome.sent, outcome.dropped, outcome.shortened = counts.sent, counts.dropped, counts.shortened
        outcome.causes, outcome.last_failure = dict(counts.causes), counts.last_failure
        # Who ends what has no end has had all that was asked for.
        has_end = self.settings.limit is not None or self.end is not None or self.settings.lines not in (None, STDIN)
        outcome.is_cut_short = self.is_stopped and has_end
