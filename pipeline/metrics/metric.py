"""A named family of data: kind, label names, and one series for each tuple of label values.

Generated code reads `metric.data` itself and asks for a series it does not find with
`metric.new(key, now)`; everything that bounds the number of series therefore happens in `new`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from math import inf
from operator import attrgetter

from pipeline.errors import LineError
from pipeline.metrics.buckets import divide_bounds
from pipeline.metrics.datum import Datum, HistogramDatum
from pipeline.metrics.eviction import EvictionQueue, Labels, LimitedDatum, LimitedHistogramDatum, Series
from pipeline.metrics.exemplars import MAX_CHARACTERS, MAX_SERIES, Note, Notes, are_too_long
from pipeline.metrics.native import NativeCounts

# mtail stops answering scrapes above 70,000 series (google/mtail#903), so no program that works
# there meets this limit. A series takes about 0.3 KB: one metric that a stranger fills stays
# under 40 MB.
DEFAULT_MAX_SERIES = 100_000

# Cortex, Mimir and Loki refuse longer label values unless told otherwise. Without a limit, a stranger whose
# lines are as long as they may be fills the memory with 100,000 series of 64 KiB.
DEFAULT_MAX_LABEL_VALUE_BYTES = 2048

STAMP = attrgetter("time")

SWEEP_STEP = 4_000
"""To delete so many series takes 1 to 4 ms (measured), which lines may well wait."""


class Kind(Enum):
    """How a metric is exported. The value is its number in JSON."""

    COUNTER = 1
    GAUGE = 2
    TIMER = 3
    TEXT = 4
    HISTOGRAM = 5


class ValueType(Enum):
    """What the series of a metric hold. The value is its number in JSON."""

    INT = 0
    FLOAT = 1
    STRING = 2
    BUCKETS = 3


ZEROS: dict[ValueType, int | float | bytes] = {
    ValueType.INT: 0,
    ValueType.FLOAT: 0.0,
    ValueType.STRING: b"",
}


class Metric:
    """One metric and its series.

    A series with a label value of more than `max_label_value_bytes` is never kept, counted in `values_too_long`. A
    text that is longer is cut there, counted in `texts_cut`: label values and texts are what a line can put here.
    The number of series is bounded in one of two ways.

    - The program says `limit`: a new series evicts the oldest one (spec 12.6), counted in
      `evictions`.
    - It does not: from `max_series` on (`cap_series`), a new series is not kept, counted in
      `overflows`. The line goes on with a series of its own that nobody else sees: series that
      exist stay right, and so does everything else that the line counts. To evict here would
      reset counters that no program said may be lost, and a runtime error would let a stranger
      who fills one metric end every line before its other metrics. A count of `overflows` is of
      attempts: a series that is not kept is new again on its next line.

    A series that nothing writes to goes after the expiry that its program gave it, or else after the `lifetime` of its
    metric; either is counted in `expirations`.
    """

    __slots__ = (
        "bounds",
        "capacity",
        "data",
        "evictions",
        "exemplars",
        "exemplars_evicted",
        "exemplars_too_long",
        "expirations",
        "expires",
        "expiring",
        "follows_clock",
        "help_text",
        "hidden",
        "kind",
        "label_names",
        "lifetime",
        "limit",
        "lower",
        "max_label_value_bytes",
        "name",
        "native",
        "next_idle",
        "overflows",
        "program",
        "queue",
        "rows",
        "source",
        "swept",
        "texts_cut",
        "unit",
        "value_type",
        "values_too_long",
        "zero",
    )

    def __init__(
        self,
        name: str,
        *,
        kind: Kind,
        value_type: ValueType,
        program: str = "",
        label_names: tuple[str, ...] = (),
        source: str = "",
        help_text: str = "",
        unit: str = "",
        hidden: bool = False,
        limit: int = 0,
        buckets: Sequence[float] = (),
        native: bool = False,
        expires: bool = False,
        follows_clock: bool = False,
        has_exemplars: bool = False,
    ) -> None:
        """Start without series.

        `name` is the exported name, `program` the file name of the program or "" for the daemon's
        own, `source` where it is declared (`a.mtail:3:9-13`). `help_text`, if given, takes the place
        of "defined at …". `unit` is a word such as `seconds`, or "": the name need not end in it. A `limit` of zero
        or less is none. `buckets` are the bounds as declared; a `native` histogram has buckets by powers besides.
        `expires` says that the program may give a series an expiry, `follows_clock` that it stamps them with the
        clock and nothing else. Without `has_exemplars` none are ever kept.
        """
        self.name = name
        self.kind = kind
        self.value_type = value_type
        self.zero = ZEROS.get(value_type, 0)
        self.program = program
        self.label_names = label_names
        self.source = source
        self.help_text = help_text
        self.unit = unit
        self.hidden = hidden
        self.limit = limit
        self.lower, self.bounds = divide_bounds(buckets)
        self.native = native
        self.data: dict[Labels, Series] = {}
        self.expiring: dict[Labels, Series] = {}
        self.rows: dict[Labels, list[Series | None]] | None = None
        """Where the series are also found, together with those of other metrics (`Rows`)."""
        self.exemplars: Notes | None = {} if has_exemplars else None
        """Where counts of the series came from, as far as the program tells; None if it never does."""
        self.queue = EvictionQueue(self.data) if limit > 0 else None
        self.expires = expires
        self.follows_clock = follows_clock
        self.lifetime = 0
        """How many nanoseconds a series stays after its last stamp if it has no expiry of its own; 0 is for ever."""
        self.swept = self.next_idle = 0
        """When all series were looked at for the lifetime of one to have passed, and when that must be done again."""
        self.expirations = self.evictions = self.overflows = 0
        self.values_too_long = self.texts_cut = self.exemplars_too_long = self.exemplars_evicted = 0
        self.capacity = sys.maxsize
        self.max_label_value_bytes = DEFAULT_MAX_LABEL_VALUE_BYTES
        self.cap_series(DEFAULT_MAX_SERIES)

    def __repr__(self) -> str:
        return f"<Metric {self.name} {self.kind.name.lower()} at {self.source} with {len(self.data)} series>"

    def cap_series(self, max_series: int) -> None:
        """Set how many series a metric without a `limit` of its own keeps; 0 is any number."""
        self.capacity = self.limit if self.limit > 0 else max_series or sys.maxsize

    def cap_label_values(self, max_bytes: int) -> None:
        """Set how many bytes a label value of a series may have, or a text; 0 is any number."""
        self.max_label_value_bytes = max_bytes or sys.maxsize

    def list_limits(self) -> list[str]:
        """Return which of the counts of its limits can ever be more than zero, by their names here."""
        limits = ["texts_cut"] if self.value_type is ValueType.STRING else []
        if self.label_names:
            limits += ["values_too_long", "overflows" if self.queue is None else "evictions"]
        if self.expires or self.lifetime or self.expiring or self.expirations:
            limits.append("expirations")
        return limits if self.exemplars is None else [*limits, "exemplars_too_long", "exemplars_evicted"]

    def is_too_long(self, key: Labels) -> bool:
        """Tell whether one of the label values is too long for a series to be kept."""
        longest = self.max_label_value_bytes
        for value in key:  # noqa: SIM110 - `any` of a generator takes three times as long
            if len(value) > longest:
                return True
        return False

    def cut_text(self, text: bytes) -> bytes:
        """Return what a series keeps of a text."""
        if len(text) <= self.max_label_value_bytes:
            return text
        self.texts_cut += 1
        return text[: self.max_label_value_bytes]

    def keep_exemplar(self, series: Series, place: int, note: Note) -> None:
        """Remember with which labels something was just counted in bucket `place` of `series`.

        It is forgotten when it leads nowhere: if no label has a value, if what was counted is not a number, if the
        series is one that is not kept.
        """
        names, values, value, _ = note
        size = len(b"".join(values))
        if self.exemplars is None or not size or value != value:
            return
        if size + len("".join(names)) > MAX_CHARACTERS and are_too_long(names, values):
            self.exemplars_too_long += 1
            return
        held = self.exemplars.get(series.labels)
        if held is not None:
            held[place] = note
        elif self.data.get(series.labels) is series:
            if len(self.exemplars) >= MAX_SERIES:
                del self.exemplars[next(iter(self.exemplars))]
                self.exemplars_evicted += 1
            self.exemplars[series.labels] = {place: note}

    def new(self, key: Labels, now: int) -> Series:
        """Create the series `key`, which must not exist, and make room for it at the limit."""
        longest = self.max_label_value_bytes
        for value in key:  # `is_too_long`, written out: a call takes a tenth of the time of a new series
            if len(value) > longest:
                self.values_too_long += 1
                return self.make_unkept(key, now)
        if len(self.data) >= self.capacity:
            if self.queue is None:
                self.overflows += 1
                return self.make_unkept(key, now)
            self.evict_oldest(self.capacity - 1)
        return self.add(key, now, now)

    def add(self, key: Labels, time: int, start: int) -> Series:
        """Create the series `key` whatever the limits."""
        series = self.data[key] = self.make_series(key, time, start)
        if self.queue is not None and isinstance(series, LimitedDatum | LimitedHistogramDatum):
            self.queue.enter(series)
        return series

    def make_series(self, key: Labels, time: int, start: int) -> Series:
        """Return an empty series, not yet kept. A histogram's stamp is 0 until it observes."""
        if self.value_type is ValueType.BUCKETS:
            native = NativeCounts() if self.native else None
            if self.queue is None:
                return HistogramDatum(key, len(self.bounds) + 1, 0, 0, start, native)
            return LimitedHistogramDatum(key, len(self.bounds) + 1, 0, self.queue, start, native)
        if self.queue is None:
            return Datum(key, self.zero, time, 0, start)
        return LimitedDatum(key, self.zero, time, self.queue, start)

    def make_unkept(self, key: Labels, time: int) -> Series:
        """Return an empty series that no queue knows."""
        if self.value_type is ValueType.BUCKETS:
            return HistogramDatum(key, len(self.bounds) + 1, native=NativeCounts() if self.native else None)
        return Datum(key, self.zero, time)

    def evict_oldest(self, room: int) -> None:
        """Delete the series with the oldest stamps until `room` are left."""
        while self.queue is not None and len(self.data) > room:
            self.delete(self.queue.find_oldest())
            self.evictions += 1

    def delete(self, key: Labels) -> None:
        """Forget the series `key`, if there is one."""
        self.data.pop(key, None)
        self.expiring.pop(key, None)
        if self.rows is not None:
            self.rows.pop(key, None)
        if self.exemplars is not None:
            self.exemplars.pop(key, None)

    def expire_after(self, key: Labels, duration: int) -> None:
        """Let the series `key` go `duration` nanoseconds after its last stamp; at once if not positive."""
        series = self.data.get(key)
        if series is None:
            if self.is_too_long(key) or (self.queue is None and len(self.data) >= self.capacity):
                return  # the line wrote to a series that was not kept
            values = ", ".join(value.decode("utf-8", "replace") for value in key)
            raise LineError(f"`del … after` found no series [{values}] of metric `{self.name}`")
        if duration <= 0:
            self.delete(key)
            return
        series.expiry = duration
        self.expiring[key] = series

    def make_empty(self) -> Metric:
        """Return a metric of the same declaration that begins anew, for a program that is tried."""
        empty = Metric(
            self.name,
            kind=self.kind,
            value_type=self.value_type,
            program=self.program,
            label_names=self.label_names,
            hidden=self.hidden,
            limit=self.limit,
            native=self.native,
            has_exemplars=self.exemplars is not None,
        )
        empty.lower, empty.bounds = self.lower, self.bounds
        empty.initialize(0)
        return empty

    def initialize(self, now: int) -> None:
        """Create the series that exists before the first line: a scalar counter or histogram (spec 12.3)."""
        if self.kind in (Kind.COUNTER, Kind.HISTOGRAM) and not self.label_names and not self.data:
            self.add((), 0, now)

    def sweep(self, now: int) -> None:
        """Delete every series whose expiry or lifetime has passed, then what is over the limit (spec 12.7)."""
        self.drop(self.find_expired(now))
        self.evict_oldest(self.capacity)

    def sweep_in_steps(self, now: int) -> Iterator[None]:
        """Do the same with few series at a time; in between lines may come, so that some are not to go any more."""
        expired = self.find_expired(now)
        for start in range(0, len(expired), SWEEP_STEP):
            keys, lifetime = expired[start : start + SWEEP_STEP], self.lifetime or inf
            part = zip(keys, map(self.data.get, keys), strict=True)
            self.drop([key for key, one in part if one and now - one.time > (one.expiry or lifetime)])
            yield
        self.evict_oldest(self.capacity)

    def drop(self, expired: Sequence[Labels]) -> None:
        """Delete series that have expired."""
        for key in expired:
            self.delete(key)
        self.expirations += len(expired)

    def find_expired(self, now: int) -> list[Labels]:
        """Return the series whose expiry or lifetime has passed."""
        expired = [key for key, series in self.expiring.items() if now - series.time > series.expiry]
        return expired + self.find_idle(now) if self.lifetime else expired

    def find_idle(self, now: int) -> list[Labels]:
        """Return the series whose lifetime has passed; one with an expiry of its own has none.

        To look at 100,000 series takes 3 ms (measured). Where stamps follow the clock that need not be done before the
        oldest has had its time, as a line that comes later does not write an older one. If the clock is set back it
        is done again.
        """
        if self.swept <= now < self.next_idle:
            return []
        oldest = self.find_oldest_stamp(now)
        if now - oldest > self.lifetime:
            return [key for key, one in self.data.items() if now - one.time > self.lifetime and not one.expiry]
        if self.follows_clock:
            self.swept, self.next_idle = now, min(oldest, now) + self.lifetime + 1
        return []

    def find_oldest_stamp(self, default: int) -> int:
        """Return the oldest stamp of a series that has no expiry of its own."""
        lasting = [one for one in self.data.values() if not one.expiry] if self.expiring else self.data.values()
        return min(map(STAMP, lasting), default=default)

    def next_expiry(self) -> int | None:
        """Return when the next series will have expired, in nanoseconds since 1970.

        It looks at every series that can expire, because stamps move without notice.
        """
        times = [series.time + series.expiry for series in self.expiring.values()]
        if self.lifetime and len(self.data) > len(self.expiring):
            times.append(self.next_idle - 1 if self.next_idle else self.find_oldest_stamp(0) + self.lifetime)
        return min(times) + 1 if times else None

    def continues(self, other: Metric) -> bool:
        """Tell whether the series of `other` mean the same in this metric.

        What was observed before there were native buckets cannot be in them, and Prometheus refuses a histogram whose
        buckets do not add up. So a histogram with native buckets starts anew where there were none.
        """
        return (
            self.name == other.name
            and self.program == other.program
            and self.kind is other.kind
            and self.value_type is other.value_type
            and self.label_names == other.label_names
            and self.lower == other.lower
            and self.bounds == other.bounds
            and self.native <= other.native
        )

    def adopt(self, other: Metric) -> None:
        """Take over the series and counts of `other`, which it continues, and which nobody shall use any more.

        The bounds of this metric hold. What is beyond its `limit` goes at the next sweep.
        """
        if self.has_room_for(other):
            self.move_series(other)
        else:
            self.copy_series(other)
        if self.exemplars is not None and other.exemplars is not None:
            self.exemplars.update((key, notes) for key, notes in other.exemplars.items() if key in self.data)
        self.evictions += other.evictions
        self.expirations += other.expirations
        self.overflows += other.overflows
        self.values_too_long += other.values_too_long
        self.texts_cut += other.texts_cut
        self.exemplars_too_long += other.exemplars_too_long
        self.exemplars_evicted += other.exemplars_evicted

    def has_room_for(self, other: Metric) -> bool:
        """Tell whether all series of `other` can be ours as they are."""
        return (
            self.queue is None
            and other.queue is None
            and self.native == other.native
            and len(self.data) + len(other.data) <= self.capacity
            and other.max_label_value_bytes <= self.max_label_value_bytes
        )

    def move_series(self, other: Metric) -> None:
        """Make the series of `other` ours: lines wait for that, and copies of 100,000 take 0.1 s (measured)."""
        for key in self.data.keys() & other.data.keys():
            self.delete(key)
        self.data.update(other.data)
        self.expiring.update(other.expiring)
        other.data.clear()
        other.expiring.clear()

    def copy_series(self, other: Metric) -> None:
        """Make series like those of `other`, with value, stamp and expiry, as far as the bounds allow."""
        for key, theirs in other.data.items():
            self.delete(key)
            if self.is_too_long(key):
                self.values_too_long += 1
                continue
            if self.queue is None and len(self.data) >= self.capacity:
                self.overflows += 1
                continue
            ours = self.add(key, theirs.time, theirs.start)
            if isinstance(ours, Datum):
                assert isinstance(theirs, Datum)
                ours.value = theirs.value
            else:
                assert isinstance(theirs, HistogramDatum)
                ours.counts[:] = theirs.counts
                ours.total, ours.count = theirs.total, theirs.count
                ours.native = theirs.native if self.native else None
            ours.time = theirs.time
            if theirs.expiry:
                self.expire_after(key, theirs.expiry)
