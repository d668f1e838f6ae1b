"""The way of records from a joiner to the programs, and who is told that one waits.

A record that has begun waits for its next line in the joiner of its stream. One task (`timer.py`) looks after all of
them, and only while there are any: it has those delivered that have waited long enough.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pipeline.batch import Batch, Deliver
from pipeline.bindings import may_be, spell_source, suggest
from pipeline.record_settings import RecordSettings
from pipeline.settings import SourceSettings
from pipeline.sources.records.begun import join_lines, read_records
from pipeline.telemetry import RecordCounts, SourceCounts

if TYPE_CHECKING:  # the rules need the language's patterns, and most sources no rules
    from pipeline.sources.records.joiner import RecordJoiner


class RecordWay:
    """What stands between the lines of one stream and the programs."""

    __slots__ = ("deliver", "fed_at", "has_more", "joiner", "origin", "timeout_seconds", "watch")

    def __init__(self, joiner: RecordJoiner, origin: bytes, deliver: Deliver, watch: RecordWatch) -> None:
        self.joiner = joiner
        self.origin = origin
        self.deliver = deliver
        self.watch = watch
        self.timeout_seconds = joiner.settings.record_timeout_seconds
        self.has_more: Callable[[], bool] = has_nothing
        """Whether more of the stream has come than was read. Who reads it may say how to find out."""
        self.fed_at = 0.0

    def take(self, block: bytes) -> bytes:
        """Return the records that have ended with these lines."""
        self.fed_at = self.watch.read_clock()
        joined = self.joiner.feed(block, self.fed_at)
        if self.joiner.begun and self.timeout_seconds:
            self.watch.add(self)
        return joined

    def expire(self, now: float) -> bool:
        """Deliver some of what has waited too long; return whether there was any.

        The next line of a record may have come, and we are late: so while more waits to be read, it is as late as it
        was at the last read.
        """
        deadline = self.find_deadline()
        if deadline is None or deadline > now:
            return False
        block = self.joiner.expire((self.fed_at if self.has_more() else now) - self.timeout_seconds)
        self.pass_on(block)
        return bool(block)

    def find_deadline(self) -> float | None:
        """Return when the oldest record has waited too long, None if none is held."""
        oldest = next(iter(self.joiner.begun.values()), None)
        return None if oldest is None else oldest.since + self.timeout_seconds

    def finish(self) -> None:
        """Deliver what is held."""
        self.pass_on(self.joiner.finish())

    def resume(self, spelled: object) -> None:
        """Go on with what the last run has held."""
        self.fed_at = self.watch.read_clock()
        self.pass_on(self.joiner.resume(spelled, self.fed_at))
        if self.joiner.begun and self.timeout_seconds:
            self.watch.add(self)

    def pass_on(self, block: bytes) -> None:
        if block:
            self.deliver(Batch(block, self.origin))


def has_nothing() -> bool:
    """Return no, for a stream of which nobody knows."""
    return False


@dataclass(slots=True)
class RecordWatch:
    """Which ways hold records. `wake` is called when one of them has to be looked at sooner than `next_look`."""

    read_clock: Callable[[], float] = time.monotonic
    ways: dict[RecordWay, None] = field(default_factory=dict)
    next_look: float = 0.0
    wake: Callable[[], None] = lambda: None

    def add(self, way: RecordWay) -> None:
        """Look after a way from now on."""
        if way not in self.ways:
            self.ways[way] = None
            if self.read_clock() + way.timeout_seconds < self.next_look:
                self.wake()


def find_rule(settings: SourceSettings, *names: str) -> RecordSettings | None:
    """Return the rule for what goes by these names: the first that names one of them, or that is for all."""
    for rule in settings.records:
        if not rule.record_sources or any(covers(text, name) for text in rule.record_sources for name in names):
            return rule
    return None


def covers(text: str, name: str) -> bool:
    """Return whether an operator who writes `text` means the source `name`."""
    return text == name or any(fnmatchcase(name, form) for form in spell_source(text))


def open_way(
    settings: SourceSettings, counts: SourceCounts, deliver: Deliver, watch: RecordWatch, name: str = ""
) -> RecordWay | None:
    """Return the way of a new stream, None where no lines are joined. `name` is another one of the source."""
    rule = find_rule(settings, os.fsdecode(counts.origin), name)
    if rule is None:
        return None
    from pipeline.sources.records.sorter import make_joiner

    counts.records = counts.records or RecordCounts()
    return RecordWay(make_joiner(rule, counts.records), counts.origin, deliver, watch)


def check_rules(rules: tuple[RecordSettings, ...]) -> None:
    """Raise `SettingError` for a pattern that is none."""
    if rules:
        from pipeline.sources.records.rules import compile_rule

        for rule in rules:
            compile_rule(rule)


def describe_unmatched_rules(rules: tuple[RecordSettings, ...], sources: Collection[str]) -> list[str]:
    """Return a sentence for each source that a rule names, and that there is not; names of sources may be patterns."""
    return [
        f"No lines of {text} are joined: nothing that --logs names is called {text}.{suggest(text, sources)}"
        for rule in rules
        for text in rule.record_sources
        if text not in sources and not any(may_be(form, name) for form in spell_source(text) for name in sources)
    ]


def release_records(spelled: object) -> bytes:
    """Return as a block what the last run has held, where no lines are joined any more."""
    return join_lines([bytes(record.text) for _, record in read_records(spelled, 0.0)])
