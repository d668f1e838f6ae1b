"""The series of a snapshot as messages of remote write: those that a scrape gives, and markers for those that are gone.

A series that was written the last time and is no more has a last sample, the stale marker: at once no query shows it
any longer. Series with times of their own have none, as in a scrape, where Prometheus makes none for those either:
the marker's time would be another clock's.

A histogram with native buckets stands in messages of its own, so that a receiver that refuses these takes the rest.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Generic

from pipeline.formats.prometheus import Page
from pipeline.formats.prometheus.blocks import Block
from pipeline.formats.prometheus.remote_write.kept import Kept, Value, list_native_labels
from pipeline.formats.prometheus.remote_write.message import (
    STALE,
    TYPES,
    About,
    L,
    Message,
    Request,
    Rows,
    find_milliseconds,
    spell_histogram,
    spell_stale_histogram,
)
from pipeline.formats.prometheus.selection import PrometheusOptions, find_help
from pipeline.formats.prometheus.shown import ShownFamily
from pipeline.metrics import HistogramValue, NativeBuckets, Snapshot

# As Prometheus does by default (queue_config.max_samples_per_send).
MAX_REQUEST_SAMPLES = 2000
# Label values may be long, and receivers limit what they take.
MAX_REQUEST_BYTES = 1024 * 1024

STEP_SAMPLES = 512
"""After so many samples somebody else has a turn: that is about 1 ms where their labels are made."""


@dataclass(frozen=True, slots=True)
class Shelf(Generic[L]):
    """A family as it was written."""

    about: About
    blocks: dict[Block, Kept[L]] = field(default_factory=dict)
    written: dict[L, None] | None = None
    """The labels of all samples, where not all that are in the blocks were written."""

    def list_written(self) -> Iterable[L]:
        """Return the labels of all samples."""
        if self.written is not None:
            return self.written
        return (own for kept in self.blocks.values() for own in kept.labels)


class Writer(Generic[L]):
    """Writes one snapshot after the other, and keeps from one to the next what the series are called."""

    def __init__(self, message: type[Message[L]], options: PrometheusOptions) -> None:
        self.message = message
        self.page = Page(options)
        self.has_stamps = options.emit_metric_timestamp
        self.shelves: dict[str, Shelf[L]] = {}
        self.past: dict[str, Shelf[L]] = {}

    @property
    def problems(self) -> Sequence[str]:
        """A sentence for each thing that was left out the last time."""
        return self.page.problems

    def write(self, snapshot: Snapshot, time: int) -> Iterator[Request | None]:
        """Yield requests, with `time` in ms for each sample, and None after each millisecond of work.

        If it is not taken to its end, the next one goes on from the last that was.
        """
        for _ in self.page.refresh(snapshot):
            yield None
        draft = Draft(self.message, time, has_stamps=self.has_stamps)
        for shown in self.page.shown:
            yield from draft.add_family(shown, self.shelves.get(shown.name))
        for name, before in self.shelves.items():
            if name not in draft.shelves:
                yield from draft.add_stale(before, Shelf(before.about))
        yield from draft.finish()
        for kept, stamps in draft.stamps:
            kept.stamps = stamps
        self.past, self.shelves = self.shelves, draft.shelves

    def let_go(self) -> Iterator[None]:
        """Free what was kept for the push before the last: to free the labels of 100,000 series at once takes 40 ms."""
        for name, shelf in self.past.items():
            there = self.shelves[name].blocks if name in self.shelves else {}
            gone = [block for block in shelf.blocks if block not in there]
            while gone:
                del shelf.blocks[gone.pop()]
                yield
        self.past = {}


class Draft(Generic[L]):
    """The requests of one push, and what is kept for the next."""

    def __init__(self, message: type[Message[L]], time: int, *, has_stamps: bool) -> None:
        self.make_message = message
        self.time = time
        self.has_stamps = has_stamps
        self.numbers = message()
        self.natives = message()
        self.fresh = 0
        self.shelves: dict[str, Shelf[L]] = {}
        self.stamps: list[tuple[Kept[L], list[int]]] = []

    def add_family(self, shown: ShownFamily, before: Shelf[L] | None) -> Iterator[Request | None]:
        """Add all series of a family, and markers for those that it had `before` and has no more."""
        about = describe(shown)
        # Without its empty labels a series of one metric may be that of another, which has not got these.
        is_mixed = len({form.label_names for form in shown.forms}) > 1
        before = before or Shelf(about)
        shelf = self.shelves[shown.name] = Shelf(about, written={} if is_mixed else None)
        known = (yield from self.collect_stamps(before, shown.blocks)) if self.has_stamps else {}
        for block in shown.blocks:
            kept = before.blocks.get(block) or Kept(self.make_message, shown, block)
            shelf.blocks[block] = kept
            self.add_block(shown, shelf, kept, known)
            yield from self.pass_on(len(kept.labels))
        yield from self.add_stale(before, shelf)

    def add_block(self, shown: ShownFamily, shelf: Shelf[L], kept: Kept[L], known: Mapping[L, int]) -> None:
        """Add the series of a block."""
        values = [one.value for one in kept.block.shown]
        times: Sequence[int] = [self.time] * len(values)
        spots: Sequence[int] = range(len(values))
        if self.has_stamps:
            times = [find_milliseconds(one.time) for one in kept.block.shown]
            spots = self.choose_newer(kept, times, known)
        if shelf.written is not None:
            new = {kept.find_last(spot): spot for spot in reversed(spots)}
            spots = sorted(spot for labels, spot in new.items() if labels not in shelf.written)
        exemplars = shown.find_exemplars(kept.block)
        if len(spots) == len(values) and not self.has_stamps:
            rows = kept.read_all(values, self.time, exemplars)
        else:
            rows = kept.read_some(values, spots, [times[spot] for spot in spots], exemplars)
        if rows.labels:
            self.numbers.add_samples(shelf.about, rows)
        if shelf.written is not None:
            shelf.written.update(dict.fromkeys(rows.labels))
        natives = [spot for spot in spots if find_native(values[spot]) is not None]
        if natives:
            self.add_natives(shelf.about, kept, natives, shown, values, times)

    def choose_newer(self, kept: Kept[L], times: Sequence[int], known: Mapping[L, int]) -> Sequence[int]:
        """Return which series have a later time than they had when they were written last."""
        spots = range(len(times))
        last = kept.stamps or [known.get(kept.find_last(spot), 0) for spot in spots]
        self.stamps.append((kept, list(map(max, times, last))))
        return [spot for spot in spots if times[spot] > last[spot]]

    def add_natives(
        self,
        about: About,
        kept: Kept[L],
        spots: Sequence[int],
        shown: ShownFamily,
        values: Sequence[Value],
        times: Sequence[int],
    ) -> None:
        """Add the histograms with native buckets of a block."""
        kept.natives = kept.natives or list_native_labels(self.make_message, shown, kept.block)
        series = kept.block.shown
        has_start = self.make_message.tells_starts
        histograms = [
            spell_histogram(value, native, times[spot], find_milliseconds(series[spot].start) if has_start else 0)
            for spot in spots
            if isinstance(value := values[spot], HistogramValue) and (native := value.native) is not None
        ]
        self.natives.add_histograms(about, [kept.natives[spot] for spot in spots], histograms)

    def add_stale(self, before: Shelf[L], now: Shelf[L]) -> Iterator[Request | None]:
        """Add a marker for each series of a family that is gone."""
        gone = [kept for block, kept in before.blocks.items() if block not in now.blocks]
        fresh = [kept for block, kept in now.blocks.items() if block not in before.blocks]
        if self.has_stamps or not gone:
            return
        if before.written is not None or now.written is not None:
            there = now.written if now.written is not None else (yield from self.collect(now.blocks.values()))
            yield from self.add_markers(now.about, before.list_written(), there)
        else:
            there = yield from self.collect(fresh)
            yield from self.add_markers(now.about, chain.from_iterable(kept.labels for kept in gone), there)
        labels = {own for kept in fresh for own in kept.natives}
        for kept in gone:
            ended = [own for own in kept.natives if own not in labels]
            if ended:
                self.natives.add_histograms(now.about, ended, [spell_stale_histogram(self.time)] * len(ended))
                yield from self.pass_on(len(ended))

    def collect(self, blocks: Iterable[Kept[L]]) -> Generator[Request | None, None, dict[L, None]]:
        """Return the labels of all samples of these blocks."""
        labels: dict[L, None] = {}
        for kept in blocks:
            labels.update(dict.fromkeys(kept.labels))
            yield from self.pass_on(len(kept.labels))
        return labels

    def collect_stamps(
        self, before: Shelf[L], blocks: Sequence[Block]
    ) -> Generator[Request | None, None, dict[L, int]]:
        """Return the times of the series that were in other blocks than these, by the labels of their last sample."""
        there = set(blocks)
        stamps: dict[L, int] = {}
        for block, kept in before.blocks.items():
            if block not in there:
                stamps.update((kept.find_last(spot), stamp) for spot, stamp in enumerate(kept.stamps))
                yield from self.pass_on(len(kept.stamps))
        return stamps

    def add_markers(self, about: About, before: Iterable[L], there: Container[L]) -> Iterator[Request | None]:
        """Add a stale marker for each of the series that were there before and are no more."""
        rest = iter(before)
        while part := list(islice(rest, STEP_SAMPLES)):
            ended = [own for own in part if own not in there]
            if ended:
                self.numbers.add_samples(about, Rows(ended, STALE * len(ended), self.time))
            yield from self.pass_on(len(part))

    def pass_on(self, fresh: int) -> Iterator[Request | None]:
        """Yield what is full, and None when it is time for others."""
        self.fresh += fresh
        if is_full(self.numbers):
            yield self.numbers.finish()
            self.numbers = self.make_message()
        if is_full(self.natives):
            yield self.natives.finish()
            self.natives = self.make_message()
        if self.fresh >= STEP_SAMPLES:
            self.fresh = 0
            yield None

    def finish(self) -> Iterator[Request]:
        """Yield what is left."""
        for message in (self.numbers, self.natives):
            if message.samples or message.histograms:
                yield message.finish()


def is_full(message: Message[L]) -> bool:
    """Return whether a message is to be sent before anything is added to it."""
    return message.samples + message.histograms >= MAX_REQUEST_SAMPLES or message.measure() >= MAX_REQUEST_BYTES


def find_native(value: Value) -> NativeBuckets | None:
    """Return the native buckets of a series, if it has any."""
    return value.native if isinstance(value, HistogramValue) else None


def describe(shown: ShownFamily) -> About:
    """Return what is known of a family."""
    first = shown.first
    return About(shown.name, TYPES[first.kind], find_help(first), first.unit)
