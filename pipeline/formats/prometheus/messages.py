"""The messages of `io.prometheus.client` (metrics.proto of client_model), as bytes.

MetricFamily  name 1, help 2, type 3, metric 4, unit 5
Metric        label 1, gauge 2, counter 3, histogram 7, timestamp_ms 6
LabelPair     name 1, value 2
Gauge         value 1
Counter       value 1, exemplar 2, created_timestamp 3
Histogram     sample_count 1, sample_sum 2, bucket 3, created_timestamp 15; of a native one schema 5,
              zero_threshold 6, zero_count 7, negative_span 9, negative_delta 10, positive_span 12,
              positive_delta 13
Bucket        cumulative_count 1, upper_bound 2, exemplar 3
BucketSpan    offset 1, length 2
Exemplar      label 1, value 2, timestamp 3
Timestamp     seconds 1, nanos 2
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

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
from pipeline.formats.text import encode_text
from pipeline.metrics import Exemplar, HistogramValue, Kind, NativeBuckets, SeriesExemplars, wrap_int64

TYPES = {Kind.COUNTER: 0, Kind.GAUGE: 1, Kind.TIMER: 1, Kind.HISTOGRAM: 4}
"""The numbers of MetricType."""

NAME, HELP, TYPE, METRIC, UNIT = (make_tag(number, VARINT if number == 3 else BYTES) for number in range(1, 6))
LABEL, GAUGE, COUNTER, HISTOGRAM = (make_tag(number, BYTES) for number in (1, 2, 3, 7))
TIMESTAMP_MS = make_tag(6, VARINT)
LABEL_NAME, LABEL_VALUE = make_tag(1, BYTES), make_tag(2, BYTES)
VALUE = make_tag(1, EIGHT_BYTES)
COUNTER_EXEMPLAR, COUNTER_CREATED = make_tag(2, BYTES), make_tag(3, BYTES)
SAMPLE_COUNT, SAMPLE_SUM, BUCKET, CREATED = (
    make_tag(1, VARINT),
    make_tag(2, EIGHT_BYTES),
    make_tag(3, BYTES),
    make_tag(15, BYTES),
)
SCHEMA, ZERO_THRESHOLD, ZERO_COUNT = make_tag(5, VARINT), make_tag(6, EIGHT_BYTES), make_tag(7, VARINT)
NEGATIVE = make_tag(9, BYTES), make_tag(10, BYTES)
POSITIVE = make_tag(12, BYTES), make_tag(13, BYTES)
"""The tags of spans and of differences."""
CUMULATIVE_COUNT, UPPER_BOUND, BUCKET_EXEMPLAR = make_tag(1, VARINT), make_tag(2, EIGHT_BYTES), make_tag(3, BYTES)
OFFSET, LENGTH = make_tag(1, VARINT), make_tag(2, VARINT)
EXEMPLAR_LABEL, EXEMPLAR_VALUE, EXEMPLAR_TIME = make_tag(1, BYTES), make_tag(2, EIGHT_BYTES), make_tag(3, BYTES)
SECONDS, NANOS = make_tag(1, VARINT), make_tag(2, VARINT)

NANOSECONDS = 10**9


def spell_family_head(name: str, help_text: str, kind: Kind, unit: str) -> bytes:
    """Return a MetricFamily without its series."""
    texts = [(NAME, name), (HELP, help_text)] + ([(UNIT, unit)] if unit else [])
    return b"".join(wrap(tag, encode_text(text)) for tag, text in texts) + TYPE + spell_varint(TYPES[kind])


def spell_pairs(name: str, values: Sequence[str]) -> list[bytes]:
    """Return a label for each of the values of its name; most values are there more than once."""
    head = wrap(LABEL_NAME, name.encode())
    pairs = {value: wrap(LABEL, head + wrap(LABEL_VALUE, encode_text(value))) for value in {*values}}
    return [pairs[value] for value in values]


def begin_number(labels: bytes, tag: bytes, rest: int, stamp: int = 0) -> bytes:
    """Return all of a series before its number: a Metric, its labels, a Gauge or a Counter, by `tag`.

    Behind the number come `rest` bytes of the Counter, then `stamp` bytes of the Metric.
    """
    number = tag + spell_varint(len(VALUE) + DOUBLE.size + rest) + VALUE
    return METRIC + spell_varint(len(labels) + len(number) + DOUBLE.size + rest + stamp) + labels + number


def spell_time(time: int) -> bytes:
    """Return a Timestamp; `time` is ns since 1970. Nanoseconds count forward, before 1970 too."""
    seconds, nanoseconds = divmod(wrap_int64(time), NANOSECONDS)
    return SECONDS + spell_varint(seconds) + NANOS + spell_varint(nanoseconds)


def spell_exemplar(exemplar: Exemplar) -> bytes:
    """Return an Exemplar. One whose time is not known has none."""
    labels = b"".join(
        wrap(EXEMPLAR_LABEL, wrap(LABEL_NAME, encode_text(name)) + wrap(LABEL_VALUE, encode_text(value)))
        for name, value in exemplar.labels
    )
    time = wrap(EXEMPLAR_TIME, spell_time(exemplar.time)) if exemplar.time else b""
    return labels + EXEMPLAR_VALUE + DOUBLE.pack(exemplar.value) + time


def list_bounds(bounds: Iterable[float]) -> tuple[bytes, ...]:
    """Return the upper bound of each bucket as its field, that of +Inf too."""
    return tuple(UPPER_BOUND + DOUBLE.pack(bound) for bound in (*bounds, float("inf")))


def spell_histogram(
    value: HistogramValue, bounds: Sequence[bytes], exemplars: SeriesExemplars, created: bytes
) -> bytes:
    """Return a Histogram as the field of a Metric; `bounds` are those of `list_bounds`."""
    parts = [SAMPLE_COUNT, spell_varint(value.count), SAMPLE_SUM, DOUBLE.pack(value.total)]
    total = 0
    for place, (count, bound) in enumerate(zip(value.counts, bounds, strict=True)):
        total += count
        bucket = CUMULATIVE_COUNT + spell_varint(total) + bound
        if exemplars and place in exemplars:
            bucket += wrap(BUCKET_EXEMPLAR, spell_exemplar(exemplars[place]))
        parts += (BUCKET, spell_varint(len(bucket)), bucket)
    if value.native is not None:
        parts += spell_native(value.native)
    return wrap(HISTOGRAM, b"".join(parts) + created)


def spell_native(native: NativeBuckets) -> Iterator[bytes]:
    """Yield the fields of a Histogram for its buckets by powers."""
    yield SCHEMA + spell_zigzag(native.schema)
    yield ZERO_THRESHOLD + DOUBLE.pack(native.zero_threshold)
    yield ZERO_COUNT + spell_varint(native.zero_count)
    yield from spell_side(NEGATIVE, native.negative)
    yield from spell_side(POSITIVE, native.positive)
    if not native.positive and not native.negative:
        # An empty span tells one that has seen nothing from a histogram without such buckets.
        yield wrap(POSITIVE[0], b"")


def spell_side(tags: tuple[bytes, bytes], counts: Mapping[int, int]) -> Iterator[bytes]:
    """Yield the buckets of one sign: spans of neighbours, and each bucket's difference to the one before."""
    if not counts:
        return
    spans, differences = tags
    places = sorted(counts)
    for offset, length in list_spans(places):
        yield wrap(spans, OFFSET + spell_zigzag(offset) + LENGTH + spell_varint(length))
    row = (0, *(counts[place] for place in places))
    yield wrap(differences, b"".join(spell_zigzag(count - before) for before, count in pairwise(row)))


def list_spans(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield for each row of neighbours how far it is from the last one, or from 0, and how many it has."""
    start, end = places[0], 0
    for before, place in pairwise((*places, places[-1] + 2)):
        if place != before + 1:
            yield start - end, before + 1 - start
            start, end = place, before + 1
