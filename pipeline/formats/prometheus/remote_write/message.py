"""What the messages of both versions of remote write have in common: they are lists of series with samples.

    TimeSeries  samples 2, and more, by version
    Sample      value 1, timestamp 2, and in version 2.0 start_timestamp 3
    Histogram   count_int 1, sum 3, schema 4, zero_threshold 5, zero_count_int 6, negative_spans 8, negative_deltas 9,
                positive_spans 11, positive_deltas 12, timestamp 15, and in version 2.0 start_timestamp 17
    BucketSpan  offset 1, length 2

Times are milliseconds since 1970. A label is told by its name and value as text, so the labels of a series that
stays are made once; what they are kept as is up to the version.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import add
from struct import pack
from typing import ClassVar, Generic, TypeVar

from pipeline.formats.prometheus.messages import spell_side
from pipeline.formats.prometheus.wire import (
    BYTES,
    DOUBLE,
    EIGHT_BYTES,
    VARINT,
    make_tag,
    spell_varint,
    spell_zigzag,
    wrap,
)
from pipeline.metrics import Exemplar, HistogramValue, Kind, NativeBuckets, wrap_int64

L = TypeVar("L", bound=Hashable)
"""What a version keeps the labels of a series as. Equal labels are equal."""

STALE = bytes.fromhex("020000000000f07f")
"""The number that says that a series has ended: a NaN that no value is (specification 2.0, "Samples")."""

TYPES = {Kind.COUNTER: 1, Kind.GAUGE: 2, Kind.TIMER: 2, Kind.HISTOGRAM: 3}
"""The numbers of MetricType; both versions have the same."""

SAMPLE = make_tag(2, BYTES)
VALUE, TIMESTAMP, START = make_tag(1, EIGHT_BYTES), make_tag(2, VARINT), make_tag(3, VARINT)
COUNT, SUM, SCHEMA = make_tag(1, VARINT), make_tag(3, EIGHT_BYTES), make_tag(4, VARINT)
ZERO_THRESHOLD, ZERO_COUNT = make_tag(5, EIGHT_BYTES), make_tag(6, VARINT)
NEGATIVE = make_tag(8, BYTES), make_tag(9, BYTES)
POSITIVE = make_tag(11, BYTES), make_tag(12, BYTES)
HISTOGRAM_TIMESTAMP, HISTOGRAM_START = make_tag(15, VARINT), make_tag(17, VARINT)
EXEMPLAR_VALUE, EXEMPLAR_TIMESTAMP = make_tag(2, EIGHT_BYTES), make_tag(3, VARINT)

NANOSECONDS_PER_MILLISECOND = 1_000_000
MAX_KEPT_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a family."""

    name: str
    type: int
    help_text: str
    unit: str


@dataclass(frozen=True, slots=True)
class Rows(Generic[L]):
    """Samples of one family, by columns."""

    labels: Sequence[L]
    values: bytes
    """Eight bytes for each."""
    times: int | Sequence[int]
    """One for all of them, or for each."""
    starts: Sequence[bytes] = ()
    """None, or for each what `spell_start` makes."""
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)
    """By the place of the sample that has one."""

    def find_time(self, place: int) -> int:
        """Return the time of one sample."""
        return self.times if isinstance(self.times, int) else self.times[place]

    def spell_ends(self, *, with_starts: bool) -> Iterable[bytes]:
        """Return what stands behind the value of each sample."""
        if isinstance(self.times, int):
            end = TIMESTAMP + spell_varint(self.times)
            ends: Iterable[bytes] = repeat(end, len(self.labels))
        else:
            ends = (TIMESTAMP + spell_varint(time) for time in self.times)
        return map(add, ends, self.starts) if with_starts and self.starts else ends


@dataclass(frozen=True, slots=True)
class Request:
    """A message that is whole, and how much is in it."""

    body: bytes
    samples: int
    histograms: int


class Heads(dict[int, bytes]):
    """A tag with the length of what follows, by that length. Long ones are rare, and not kept."""

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self.tag = tag

    def __missing__(self, size: int) -> bytes:
        head = self.tag + spell_varint(size)
        if size < MAX_KEPT_LENGTH:
            self[size] = head
        return head


class SampleHeads(dict[int, bytes]):
    """What stands before the value of a sample, by the length of what stands behind it."""

    def __missing__(self, size: int) -> bytes:
        head = self[size] = SAMPLE + spell_varint(len(VALUE) + DOUBLE.size + size) + VALUE
        return head


SAMPLE_HEADS = SampleHeads()


class Message(ABC, Generic[L]):
    """A message that is being put together."""

    heads: ClassVar[Heads]
    """Of a TimeSeries."""
    histogram: ClassVar[bytes]
    """The tag of a Histogram in there."""
    tells_starts: ClassVar[bool] = False
    """Whether there is room for when a series began."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.samples = 0
        self.histograms = 0

    @staticmethod
    @abstractmethod
    def make_labels(names: Sequence[str], columns: Sequence[Sequence[str]]) -> list[L]:
        """Return the labels of series: for each name, in order, there is a column of values. No value is no label."""

    @abstractmethod
    def spell_labels(self, labels: Iterable[L]) -> Iterable[bytes]:
        """Return for each series the field of a TimeSeries, or fields, for its labels."""

    @abstractmethod
    def describe(self, about: About) -> bytes:
        """Tell what is known of a family; return what each of its series has to say of that."""

    @abstractmethod
    def spell_exemplar(self, exemplar: Exemplar, time: int) -> bytes:
        """Return an exemplar as the field of a TimeSeries; `time` is that of the sample."""

    @abstractmethod
    def finish(self) -> Request:
        """Return the message as it is now."""

    def measure(self) -> int:
        """Return about how many bytes it has."""
        return self.size

    def add_samples(self, about: About, rows: Rows[L]) -> None:
        """Add a sample to each of some series."""
        common = self.describe(about)
        ends = rows.spell_ends(with_starts=self.tells_starts)
        size = 0
        for place, (labels, end) in enumerate(zip(self.spell_labels(rows.labels), ends, strict=True)):
            rest = common
            if rows.exemplars and place in rows.exemplars:
                rest = self.spell_exemplar(rows.exemplars[place], rows.find_time(place)) + common
            head = SAMPLE_HEADS[len(end)]
            length = len(labels) + len(head) + DOUBLE.size + len(end) + len(rest)
            value = rows.values[place * DOUBLE.size : (place + 1) * DOUBLE.size]
            self.parts += (self.heads[length], labels, head, value, end, rest)
            size += length
        self.size += size
        self.samples += len(rows.labels)

    def add_histograms(self, about: About, labels: Sequence[L], histograms: Iterable[bytes]) -> None:
        """Add to each of some series a histogram with native buckets, as `spell_histogram` makes it."""
        common = self.describe(about)
        for own, histogram in zip(self.spell_labels(labels), histograms, strict=True):
            body = own + wrap(self.histogram, histogram) + common
            self.parts += (self.heads[len(body)], body)
            self.size += len(body)
        self.histograms += len(labels)


def spell_start(start: int) -> bytes:
    """Return when a series began as a sample tells it; nothing if it is not known."""
    return START + spell_varint(start) if start else b""


def spell_histogram(value: HistogramValue, native: NativeBuckets, time: int, start: int = 0) -> bytes:
    """Return a Histogram with its native buckets; a start of 0 is not told."""
    parts = [
        *(COUNT, spell_varint(value.count), SUM, DOUBLE.pack(value.total), SCHEMA, spell_zigzag(native.schema)),
        *(ZERO_THRESHOLD, DOUBLE.pack(native.zero_threshold), ZERO_COUNT, spell_varint(native.zero_count)),
        *spell_side(NEGATIVE, native.negative),
        *spell_side(POSITIVE, native.positive),
        *(HISTOGRAM_TIMESTAMP, spell_varint(time)),
    ]
    if start:
        parts += (HISTOGRAM_START, spell_varint(start))
    return b"".join(parts)


def spell_stale_histogram(time: int) -> bytes:
    """Return the Histogram that says that its series has ended."""
    return SUM + STALE + HISTOGRAM_TIMESTAMP + spell_varint(time)


def pack_values(values: Sequence[float]) -> bytes:
    """Return values as eight bytes each."""
    return pack(f"<{len(values)}d", *values)


def find_milliseconds(time: int) -> int:
    """Return a time in ns as one in ms."""
    return wrap_int64(time) // NANOSECONDS_PER_MILLISECOND
