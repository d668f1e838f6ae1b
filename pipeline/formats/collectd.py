"""Metrics as collectd's unixsock plugin takes them: a command for each series, as mtail's (behaviour.md 6.2).

::

    PUTVAL "HOST/PREFIXmtail-PROGRAM/KIND-NAME-LABEL-VALUE" interval=60 1700000000:42

What a log line put into a label value neither ends a command nor reaches another series: `/` and control characters
become `_`, quotes and backslashes are escaped. Where collectd would count something else than we did (a counter that
is below 0 or at least 2^64, a time that is not after 1970), the series is left out. Of counters it has the whole part.

Collectd takes a value only if its time is later than that of the value before, and logs a line about each that is not;
and it forgets a series of which it gets nothing for some intervals. So the time of a series is its own when that has
moved, in seconds, since the last value, and else that of the push.

Collectd knows no histograms. A series of one has a counter for each bucket and for the count, and a gauge for the sum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from pipeline.formats.graphite import find_second
from pipeline.formats.lines import (
    Collisions,
    Losses,
    NamedMetric,
    find_places,
    select_numbers,
    spell_value,
    write_literal,
)
from pipeline.metrics import HistogramValue, Kind, MetricSnapshot, SeriesView, Snapshot, format_go_float, wrap_int64

MEANT = re.compile(r"[\x00-\x1f\x7f/]")
"""What ends a command, or one part of an identifier."""

MAX_PART_BYTES = 127
"""Of the host, of what stands on either side of the first dash of the plugin, and of what follows the type.

DATA_MAX_NAME_LEN of collectd's plugin.h is 128, with the NUL at the end; what is longer is refused.
"""

# The plugin reads a line with `fgets` into 1,024 bytes, and takes what is beyond them for another command.
MAX_LINE_BYTES = 1022

MAX_LINES = 100
"""How many commands are sent before the answers to them are read; by then collectd is hardly kept waiting."""

UINT64_SPAN = 1 << 64


@dataclass(frozen=True, slots=True)
class Commands:
    """Some commands, and which series of the metric each is of."""

    metric: MetricSnapshot
    lines: list[bytes]
    owners: list[int]
    """All series that are written are numbered."""
    marks: list[tuple[int, int]]
    """Of each the hash of its identifier, and its time: what collectd has when it has taken it."""


@dataclass(slots=True)
class Writer:
    """Writes one snapshot. `problems` gets a sentence for what cannot be written."""

    host: str
    prefix: str
    interval_seconds: int
    now: int = 0
    """The time of this push, in ns since 1970. Without it, series whose times have not moved are left out."""
    taken: dict[int, int] = field(default_factory=dict)
    """The times that collectd has, by the hashes of identifiers: 100,000 take 8 MB."""
    still_taken: dict[int, int] = field(default_factory=dict)
    """Those of `taken` whose series are still there."""
    problems: list[str] = field(default_factory=list)

    def write(self, snapshot: Snapshot) -> Iterator[Commands]:
        """Yield up to `MAX_LINES` commands each time, with the values of the moment each is made; none at times."""
        metrics = select_numbers(snapshot)
        firsts = accumulate((len(metric.series) for metric in metrics), initial=0)
        families = [
            self.name_metric(metric, first, kind, suffixes)
            for metric, first in zip(metrics, firsts, strict=False)
            for kind, suffixes in list_types(metric)
        ]
        collisions = Collisions([family.named for family in families], "collectd", self.problems)
        for family in families:
            yield from self.write_family(family, collisions)

    def write_family(self, family: Family, collisions: Collisions) -> Iterator[Commands]:
        """Yield the commands for the series of a metric."""
        metric = family.named.metric
        are_new = True
        step = max(MAX_LINES // len(family.suffixes), 1)
        for start in range(0, len(metric.series), step):
            series = metric.series[start : start + step]
            names = family.name_series(series)
            are_new = collisions.add(family.named, names) and are_new
            lines, owners, marks = self.write_series(family, start, names)
            for first in range(0, max(len(lines), 1), MAX_LINES):
                part = slice(first, first + MAX_LINES)
                yield Commands(metric, lines[part], owners[part], marks[part])
        collisions.end(family.named, are_new=are_new)
        self.problems += family.losses.describe()

    def write_series(
        self, family: Family, start: int, names: list[str]
    ) -> tuple[list[bytes], list[int], list[tuple[int, int]]]:
        """Return the commands for the series from `start` on with these names, then what `Commands` has of each."""
        interval, now = self.interval_seconds, find_second(self.now)
        series = family.named.metric.series
        lines, owners, marks = [], [], []
        width = len(family.suffixes)
        for place, name in enumerate(names):
            owner = start + place // width
            one = series[owner]
            second = find_second(one.time)
            if second <= 0:  # nothing has written to it, or collectd would take the time for one in the far future
                continue
            key = hash(name)
            known = self.taken.get(key, 0)
            if known >= second:
                second = now
                if known >= now:  # within one second, or the clock was set back
                    self.still_taken[key] = known
                    continue
            value = family.spell(one.value, place % width)
            line = f'PUTVAL "{escape(name)}" interval={interval} {second}:{value}\n'.encode()
            if not value:
                family.losses.unfit = True
            elif family.is_too_long(name) or len(line) > MAX_LINE_BYTES:
                family.losses.too_long = True
            else:
                lines.append(line)
                owners.append(family.first + owner)
                marks.append((key, second))
        return lines, owners, marks

    def name_metric(self, metric: MetricSnapshot, first: int, kind: str, suffixes: tuple[str, ...]) -> Family:
        """Return how the series of `metric` are named: labels in order, each with its value."""
        places = find_places(metric)
        names = sorted(places)
        plugin = clean_part(f"{self.prefix}mtail-{metric.program}")
        path = f"{clean_part(self.host)}/{plugin}/{kind}-"
        stem = write_literal(path + MEANT.sub("_", metric.name))
        template = stem + "".join(f"-{write_literal(clean_label(name))}-%s" for name in names)
        named = NamedMetric(metric, stem, template, tuple(places[name] for name in names), clean_label)
        parts = (self.host, *plugin.split("-", 1))
        fits = all(len(part.encode(errors="replace")) <= MAX_PART_BYTES for part in parts)
        max_bytes = len(path.encode(errors="replace")) + MAX_PART_BYTES if fits else 0
        return Family(named, first, suffixes, kind, max_bytes, Losses(metric, "collectd"))


@dataclass(slots=True)
class Family:
    """The series of one metric that are of one type of collectd's."""

    named: NamedMetric
    first: int
    """The number of its first series."""
    suffixes: tuple[str, ...]
    """What follows the name of a series: nothing, or the parts of a histogram."""
    kind: str
    max_bytes: int
    """How long an identifier may be."""
    losses: Losses

    def name_series(self, series: Sequence[SeriesView]) -> list[str]:
        """Return the identifiers of some series, those of one series behind each other."""
        names = self.named.name_series(series)
        if self.suffixes == ("",):
            return names
        return [name + suffix for name in names for suffix in self.suffixes]

    def is_too_long(self, name: str) -> bool:
        """Return whether collectd would refuse an identifier."""
        return len(name) * 3 > self.max_bytes and len(name.encode()) > self.max_bytes

    def spell(self, value: float | bytes | HistogramValue, place: int) -> str:
        """Return a number as collectd reads it, of a histogram that of a suffix; nothing if it would misread it."""
        if isinstance(value, HistogramValue):
            value = value.total if self.kind == "gauge" else (*value.counts, value.count)[place]
        assert not isinstance(value, bytes)
        if self.kind == "gauge":
            return spell_value(value)
        if isinstance(value, int):
            value = wrap_int64(value)
        return str(math.floor(value)) if 0 <= value < UINT64_SPAN else ""


def list_types(metric: MetricSnapshot) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the types that `metric` has in collectd, each with the suffixes of a series."""
    if metric.kind is Kind.HISTOGRAM:
        yield "counter", (*(f"-bin_{format_go_float(bound)}" for bound in metric.bounds), "-bin_inf", "-count")
        yield "gauge", ("",)
    else:
        yield "counter" if metric.kind is Kind.COUNTER else "gauge", ("",)


def clean_part(text: str) -> str:
    """Return a text as it may stand in one part of an identifier."""
    return MEANT.sub("_", text)


def clean_label(text: str) -> str:
    """Return a label name or a label value as it may stand between dashes."""
    return MEANT.sub("_", text).replace("-", "_")


def escape(name: str) -> str:
    """Return an identifier as it stands between quotes."""
    if '"' in name or "\\" in name:
        return name.replace("\\", "\\\\").replace('"', '\\"')
    return name
