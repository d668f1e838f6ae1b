"""Metrics as statsd reads them: a line for each series, as mtail's (behaviour.md 6.4), but differences of counters.

::

    PREFIXPROGRAM.NAME.LABEL.VALUE:5|c

Statsd adds up what it gets of a counter. So a counter is told by how much it has grown since it was told last, and not
at all if it has not; `Told` remembers that. Without it, all that a counter has counted is told each time, as in mtail.

- A timer is told when it was set since it was told last: to statsd each time is one more.
- A gauge below zero has a line with 0 before it: what begins with a sign is added to a gauge that is not zero.
- A histogram has a counter for each bucket, for the count and the sum; gauges if totals are told.

What a log line put into a label value never breaks a line and never reaches another series: beside dots, as in mtail,
what statsd gives a meaning becomes `_`, too. Numbers that statsd does not know are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from typing import TypeAlias

from pipeline.formats.graphite import list_numbers, name_metric, replace_dots
from pipeline.formats.lines import Collisions, Losses, NamedMetric, select_numbers, split_series
from pipeline.metrics import (
    HistogramValue,
    Kind,
    MetricSnapshot,
    SeriesView,
    Snapshot,
    format_go_float,
    wrap_int64,
)

MEANT_IN_NAMES = re.compile(r"[\s\x00-\x1f\x7f:|@#;]")
"""What ends a name, or begins a sampling rate or a tag, there or behind statsd."""

MEANT = re.compile(r"[\s\x00-\x1f\x7f:|@#;.]")
"""What one part of a name must not have."""

NOT_ASCII = re.compile(r"[^\x00-\x7f]")

# What statsd's docs (metric_types.md, "Multi-Metric Packets") advise for the internet's smallest usual packets.
MAX_DATAGRAM_BYTES = 1432

# Of one piece that is not sent to its end, all is sent again.
MAX_STREAM_BYTES = 4096

STEP = 256
"""How many lines are made at a time, which takes a millisecond at most (measured)."""

FORGET_STEP = 2048
"""How many series are looked at a time for those that are gone, which takes half a millisecond (measured)."""

Key: TypeAlias = tuple[object, ...]
"""What a metric is, as in `Metric.continues`."""

Labels: TypeAlias = tuple[bytes, ...]

Numbers: TypeAlias = list[float]
"""Of one series: when it began, and the numbers that statsd has been told of it."""

Mark: TypeAlias = tuple[Numbers, slice, tuple[float, ...]]
"""Numbers that have been told when a line has been sent, and where they belong."""

Part: TypeAlias = tuple[str, str, slice, tuple[float, ...]]
"""One line of a series: what follows the name, the value and type (none: statsd would not take it), what it tells."""

ONE = slice(1, 2)
TWO = slice(1, 3)


class Told:
    """What statsd has been told of each series that it adds up: the base of the next difference."""

    def __init__(self, began: int) -> None:
        """Where a program is loaded late, series that began before `began`, in ns since 1970, are of an earlier run."""
        self.began = began
        self.metrics: dict[Key, dict[Labels, Numbers]] = {}
        self.seen: set[Key] = set()
        """Metrics whose series are all known. What comes to them is of this run, also if the clock was set back."""

    def begin(self, snapshot: Snapshot) -> None:
        """Take what all series have now for what was told: an earlier run has left it."""
        for key, metric in list_metrics(snapshot):
            self.seen.add(key)
            if metric.kind is not Kind.GAUGE:
                self.metrics[key] = {
                    series.labels: [series.start, *make_base(read_numbers(metric.kind, series))]
                    for series in metric.series
                }

    def find(self, key: Key, series: SeriesView, numbers: tuple[float, ...]) -> Numbers:
        """Return what was told of a series that has `numbers` now. One that began anew was told nothing of."""
        known = self.metrics.get(key)
        if known is None:
            known = self.metrics[key] = {}
        told = known.get(series.labels)
        if told is None or told[0] != series.start:
            is_restored = series.start < self.began and key not in self.seen
            base = make_base(numbers) if is_restored else [0] * len(numbers)
            told = known[series.labels] = [series.start, *base]
        return told

    def forget(self, snapshot: Snapshot) -> Iterator[None]:
        """Forget all series that are not in `snapshot`, in steps. A reload may hide a metric, and show it again."""
        there = {make_key(one): one for one in snapshot.metrics}
        self.metrics = {key: known for key, known in self.metrics.items() if key in there}
        for key, known in self.metrics.items():
            series = there[key].series
            if len(known) > len(series):
                alive: set[Labels] = set()
                for start in range(0, len(series), FORGET_STEP):
                    alive.update(one.labels for one in series[start : start + FORGET_STEP])
                    yield
                yield from drop_others(known, alive)

    def settle(self, snapshot: Snapshot) -> Iterator[None]:
        """Take note that all of `snapshot` is known; forget the rest, in steps."""
        self.seen = {key for key, _ in list_metrics(snapshot)}
        return self.forget(snapshot)


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines of one datagram or one write. There are none when there was nothing to tell for a while."""

    data: bytes = b""
    series: int = 0
    marks: Sequence[Mark] = ()

    def note(self) -> None:
        """Remember that it has been sent."""
        for told, place, numbers in self.marks:
            told[place] = numbers


@dataclass(slots=True)
class Writer:
    """Writes one snapshot. `problems` gets a sentence for what cannot be written.

    Without `told` it writes totals. A `stream` gets larger pieces, each with a line feed at its end, and nothing but
    ASCII: there statsd (servers/tcp.js) cuts the highest bit off each byte, which turns half a character into a line
    feed.
    """

    prefix: str
    told: Told | None
    stream: bool = False
    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """Those of the next piece."""
    size: int = 0
    series: int = 0
    marks: list[Mark] = field(default_factory=list)
    ready: list[Piece] = field(default_factory=list)

    def write(self, snapshot: Snapshot) -> Iterator[Piece]:
        """Yield pieces, with the values of the moment each line is made; at least one for each `STEP` lines."""
        if self.told is not None:  # before, too: no push may ever come to its end
            yield from (Piece() for _ in self.told.forget(snapshot))
        keyed = list(list_metrics(snapshot))
        families = [name_safely(metric, self.prefix, ascii_only=self.stream) for _, metric in keyed]
        collisions = Collisions(families, "statsd", self.problems)
        for (key, metric), named in zip(keyed, families, strict=True):
            are_new = True
            losses = Losses(metric, "statsd")
            for series in split_series(metric, STEP):
                names = named.name_series(series)
                are_new = collisions.add(named, names) and are_new
                for name, one in zip(names, series, strict=True):
                    told, parts = self.list_parts(key, metric, one)
                    self.add(name, told, parts, losses)
                yield from self.take_ready()
            collisions.end(named, are_new=are_new)
            self.problems += losses.describe()
        self.close_piece()
        yield from self.take_ready()
        if self.told is not None:
            yield from (Piece() for _ in self.told.settle(snapshot))

    def list_parts(self, key: Key, metric: MetricSnapshot, series: SeriesView) -> tuple[Numbers, Sequence[Part]]:
        """Return the lines of a series that are due, and what was told of it."""
        numbers = read_numbers(metric.kind, series)
        if metric.kind is Kind.GAUGE:
            return [], [("", spell(numbers[0], "g"), ONE, ())]
        if self.told is None:
            return [], list_totals(metric, numbers)
        told = self.told.find(key, series, numbers)
        match metric.kind:
            case Kind.COUNTER:
                return told, list_growth(told, numbers)
            case Kind.HISTOGRAM:
                return told, list_bucket_growth(told, numbers, list_suffixes(metric))
            case _:
                return told, [] if told[TWO] == [*numbers] else [("", spell_timer(numbers[0]), TWO, numbers)]

    def add(self, name: str, told: Numbers, parts: Sequence[Part], losses: Losses) -> None:
        """Add the lines of a series."""
        is_first = True
        for suffix, text, place, numbers in parts:
            line = f"{name}{suffix}:{text}"
            if text[:1] == "-" and text[-1] == "g":
                line = f"{name}{suffix}:0|g\n{line}"
            size = len(line if line.isascii() else line.encode()) + 1
            if not text:
                losses.unfit = True
            elif size > MAX_DATAGRAM_BYTES + 1:
                losses.too_long = True
            else:
                if self.size + size > (MAX_STREAM_BYTES if self.stream else MAX_DATAGRAM_BYTES + 1):
                    self.close_piece()
                self.lines.append(line)
                self.size += size
                self.series += is_first
                is_first = False
                if told:
                    self.marks.append((told, place, numbers))

    def close_piece(self) -> None:
        """Begin another piece."""
        if self.lines:
            data = "\n".join(self.lines).encode() + (b"\n" if self.stream else b"")
            self.ready.append(Piece(data, self.series, self.marks))
            self.lines, self.size, self.series, self.marks = [], 0, 0, []

    def take_ready(self) -> Sequence[Piece]:
        """Take out the pieces that are full; if there are none, one with nothing in it."""
        ready, self.ready = self.ready, []
        return ready or [Piece()]


def make_base(numbers: tuple[float, ...]) -> list[float]:
    """Return what can have been told of numbers of an earlier run."""
    return [number if isfinite(number) else 0 for number in numbers]


def drop_others(known: dict[Labels, Numbers], alive: Set[Labels]) -> Iterator[None]:
    """Drop what is not of `alive`, in steps."""
    keys = [*known]
    for start in range(0, len(keys), FORGET_STEP):
        for labels in keys[start : start + FORGET_STEP]:
            if labels not in alive:
                del known[labels]
        yield


def list_metrics(snapshot: Snapshot) -> Iterator[tuple[Key, MetricSnapshot]]:
    """Yield what statsd is told of: numbers."""
    return ((make_key(metric), metric) for metric in select_numbers(snapshot))


def make_key(metric: MetricSnapshot) -> Key:
    """Return what stays when a program is loaded again, unless its series begin anew."""
    return (
        metric.program,
        metric.name,
        metric.kind,
        metric.value_type,
        metric.label_names,
        metric.lower,
        metric.bounds,
    )


def name_safely(metric: MetricSnapshot, prefix: str, *, ascii_only: bool) -> NamedMetric:
    """Return how the series of `metric` are named."""
    named = name_metric(metric, prefix)
    clean = partial(clean_text, MEANT_IN_NAMES, ascii_only)
    replace_part = partial(clean_text, MEANT, ascii_only)
    return replace(named, stem=clean(named.stem), template=clean(named.template), replace=replace_part)


def clean_text(meant: re.Pattern[str], ascii_only: bool, text: str) -> str:
    """Return a text without what must not be in it."""
    text = meant.sub("_", text)
    return NOT_ASCII.sub("_", text) if ascii_only else text


def read_numbers(kind: Kind, series: SeriesView) -> tuple[float, ...]:
    """Return what a series has now; of a timer the time, too."""
    value = series.value
    if isinstance(value, HistogramValue):
        return list_numbers(value)
    number = wrap_int64(value) if isinstance(value, int) else float(value)
    return (number, series.time) if kind is Kind.TIMER else (number,)


def list_growth(told: Numbers, numbers: tuple[float, ...]) -> Sequence[Part]:
    """Return the line that says how much a counter has grown. One that went down began anew, and has grown from 0.

    One below 0 did not begin anew: a program has taken something away, or it has outgrown 64 bits.
    """
    number, base = numbers[0], told[1]
    if number == base:
        return ()
    if 0 <= number < base:
        told[1] = base = 0
    growth = number - base
    if isinstance(growth, int) and growth < 0:
        growth = wrap_int64(growth)
    return [("", spell(growth, "c"), ONE, numbers)] if growth else ()


def list_bucket_growth(told: Numbers, numbers: tuple[float, ...], suffixes: Sequence[str]) -> Sequence[Part]:
    """Return lines that say what came to a histogram. One with fewer observations than before began anew."""
    if numbers[-2] < told[-2]:
        told[1:] = [0] * len(numbers)
    return [
        (suffix, spell(number - told[place], "c"), slice(place, place + 1), (number,))
        for place, (suffix, number) in enumerate(zip(suffixes, numbers, strict=True), start=1)
        if number != told[place]
    ]


def list_totals(metric: MetricSnapshot, numbers: tuple[float, ...]) -> Sequence[Part]:
    """Return the lines that say what a series has."""
    match metric.kind:
        case Kind.HISTOGRAM:
            pairs = zip(list_suffixes(metric), numbers, strict=True)
            return [(suffix, spell(number, "g"), ONE, ()) for suffix, number in pairs]
        case Kind.TIMER:
            return [("", spell_timer(numbers[0]), ONE, ())]
        case _:
            return [("", spell(numbers[0], "c"), ONE, ())]


def list_suffixes(metric: MetricSnapshot) -> list[str]:
    """Return what the names of the numbers of a histogram end in: buckets, count, sum."""
    bounds = [f".bin_{replace_dots(format_go_float(bound))}" for bound in metric.bounds]
    return [*bounds, ".bin_inf", ".count", ""]


def spell(number: float, type_name: str) -> str:
    """Return a number with its type; nothing if statsd does not know it. Minus zero is a sign to it, so it is zero."""
    if isinstance(number, int):
        return f"{number}|{type_name}"
    return f"{format_go_float(number or 0.0)}|{type_name}" if isfinite(number) else ""


def spell_timer(number: float) -> str:
    """Return a time with its type; nothing for one below zero, which statsd does not take."""
    return spell(number, "ms") if number >= 0 else ""
