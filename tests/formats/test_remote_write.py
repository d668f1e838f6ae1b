"""Remote write: what classes made of the published descriptions find in our requests is what a scrape finds."""

from __future__ import annotations

import math
import re
import struct
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.formats.prometheus.remote_write import Message, Message1, Message2, Writer
from pipeline.formats.prometheus.remote_write.writer import MAX_REQUEST_BYTES, MAX_REQUEST_SAMPLES
from pipeline.metrics import (
    Datum,
    Exemplar,
    HistogramValue,
    Kind,
    Metric,
    NativeBuckets,
    SeriesSnapshot,
    Snapshot,
    Store,
    ValueType,
)
from tests.formats.test_prometheus import parse_page
from tests.formats.test_prometheus_page import CHANGES, Change, World
from tests.formats.write_messages import Labels, Read, Series, read_requests

NOW = 1_700_000_000_123_456_789
START = 1_600_000_000_987_654_321
TIME = 1_700_000_001_000

STALE_BITS = 0x7FF0000000000002

MESSAGES: dict[str, type[Message[Any]]] = {"1.0": Message1, "2.0": Message2}

every_version = pytest.mark.parametrize("version", MESSAGES)

ODD_VALUES = [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 0.1, 1e300, 5e-324, -0.0, math.inf, -math.inf, math.nan]


def make_metric(name: str = "m", *label_names: str, kind: Kind = Kind.GAUGE, **rest: Any) -> Metric:  # noqa: ANN401
    """Return a metric without series."""
    value_type = {Kind.COUNTER: ValueType.INT, Kind.HISTOGRAM: ValueType.BUCKETS}.get(kind, ValueType.FLOAT)
    buckets = (0, 1, 2.5) if kind is Kind.HISTOGRAM else ()
    made = {"program": "a.mtail", "source": "a.mtail:1:9", **rest}
    return Metric(name, kind=kind, value_type=value_type, label_names=label_names, buckets=buckets, **made)


def put(metric: Metric, *labels: bytes, value: float = 1, time: int = NOW, start: int = START) -> None:
    """Give a metric a series that holds a number, or the one that it has another value."""
    series = metric.data.get(labels) or metric.new(labels, time)
    assert isinstance(series, Datum)
    series.value, series.time, series.start = value, time, start


def take_view(*metrics: Metric) -> Snapshot:
    """Return what a store with these metrics shows."""
    store = Store(max_series=0)
    store.register(metrics)
    return store.view()


class Pusher:
    """A writer, and what reads the requests of each push."""

    def __init__(self, version: str, **options: Any) -> None:  # noqa: ANN401 - of PrometheusOptions
        self.version = version
        self.writer: Writer[Any] = Writer(MESSAGES[version], PrometheusOptions(**options))
        self.time = TIME

    def push(self, snapshot: Snapshot) -> Series:
        """Return all series of one push, each a second after the last."""
        self.time += 1000
        requests = [request for request in self.writer.write(snapshot, self.time) if request is not None]
        series = read_requests(self.version, [request.body for request in requests])
        assert sum(request.samples for request in requests) == sum(len(one.samples) for one in series.values())
        assert sum(request.histograms for request in requests) == sum(len(one.histograms) for one in series.values())
        return series


def list_ended(series: Series) -> set[Labels]:
    """Return the labels of the series that have a stale marker."""
    return {labels for labels, one in series.items() if is_stale(one)}


def is_stale(one: Read) -> bool:
    """Return whether the sample, or the sum of the histogram, is a stale marker."""
    value = one.samples[0][0] if one.samples else one.histograms[0].sum
    return bool(struct.unpack("<Q", struct.pack("<d", value))[0] == STALE_BITS)


def read_scrape(snapshot: Snapshot, options: PrometheusOptions) -> dict[Labels, str]:
    """Return what a scraper stores of our page: a label without a value is none, and of equal series the first."""
    found: dict[Labels, str] = {}
    ended: set[tuple[str, Labels]] = set()
    for name, labels, value in parse_page(prometheus.render(snapshot, replace(options, emit_metric_timestamp=False))):
        pairs = [pair for pair in labels if pair[1]]
        own = (re.sub("_(bucket|sum|count)$", "", name), tuple(pair for pair in pairs if pair[0] != "le"))
        if own not in ended:
            found[tuple(sorted([("__name__", name), *pairs]))] = value
        if not name.endswith(("_bucket", "_sum")):  # with its count a histogram ends, and so does what is none
            ended.add(own)
    return found


@pytest.mark.slow
@every_version
@settings(max_examples=100)
@given(
    st.lists(st.lists(CHANGES, min_size=5, max_size=40), min_size=2, max_size=5),
    st.booleans(),
    st.sampled_from([(), (("l", "a"), ("job", "%d"), ("Upper", "é"))]),
)
def test_series_are_those_of_a_scrape(
    version: str, rounds: list[list[Change]], emit_prog_label: bool, constant_labels: tuple[tuple[str, str], ...]
) -> None:
    """Whatever came, went or changed since the last push. What has gone since then, and no more, has a stale marker."""
    world = World()
    pusher = Pusher(version, emit_prog_label=emit_prog_label, constant_labels=constant_labels)
    before: set[Labels] = set()
    for changes in rounds:
        for change in changes:
            world.apply(change)
        expected = read_scrape(world.store.snapshot(), pusher.writer.page.options)
        series = pusher.push(world.store.view())
        ended = list_ended(series)
        values = {labels: one.samples[0][0] for labels, one in series.items() if labels not in ended}
        assert {labels: repr(value + 0.0) for labels, value in values.items()} == {
            labels: repr(float(text)) for labels, text in expected.items()
        }
        assert ended == before - {*expected}
        assert {one.samples[0][1] for one in series.values()} <= {pusher.time}
        before = {*expected}


@every_version
def test_push_that_was_cut_short_loses_no_marker(version: str) -> None:
    """The next one still knows what the last whole one had."""
    metric = make_metric("m", "k")
    for number in range(2000):
        put(metric, b"%d" % number)
    pusher = Pusher(version)
    pusher.push(take_view(metric))
    for number in range(0, 2000, 2):
        metric.delete((b"%d" % number,))
    for _ in islice(pusher.writer.write(take_view(metric), TIME), 3):
        pass
    assert len(list_ended(pusher.push(take_view(metric)))) == 1000
    assert list_ended(pusher.push(take_view(metric))) == set()


@every_version
def test_series_that_are_gone_are_let_go_block_by_block(version: str) -> None:
    """To free all that is kept of many takes long. A block that stays is not let go."""
    metric = make_metric("m", "k")
    for number in range(2000):
        put(metric, b"%04d" % number)
    pusher = Pusher(version)
    pusher.push(take_view(metric))
    blocks = [weakref.ref(block) for block in pusher.writer.shelves["m"].blocks]
    for number in range(1000):
        metric.delete((b"%04d" % number,))
    pusher.push(take_view(metric))
    before = sum(block() is not None for block in blocks)
    steps = list(pusher.writer.let_go())
    after = sum(block() is not None for block in blocks)
    assert before == len(blocks)
    assert before - len(steps) == after == len(set(pusher.writer.shelves["m"].blocks) & {one() for one in blocks}) > 0
    assert list(pusher.writer.let_go()) == []


@every_version
def test_program_that_is_unloaded_leaves_markers(version: str) -> None:
    """For each sample of its histograms, too; they say what they were of."""
    histogram = make_metric("h", kind=Kind.HISTOGRAM, help_text="Sizes.", unit="bytes")
    histogram.new((), NOW)
    pusher = Pusher(version)
    there = pusher.push(take_view(histogram))
    series = pusher.push(Snapshot(()))
    assert list_ended(series) == {*there}
    assert len(there) == 5
    assert {one.metadata for one in series.values()} == {(3, "Sizes.", "bytes")}


@every_version
def test_each_value_is_the_one_in_the_store(version: str) -> None:
    """As the nearest double; an Int that has outgrown 64 bits is wrapped, as everywhere."""
    metric = make_metric("m", "k")
    for number, value in enumerate(ODD_VALUES):
        put(metric, b"%d" % number, value=value)
    series = Pusher(version).push(take_view(metric))
    read = {dict(labels)["k"]: one.samples[0][0] for labels, one in series.items()}
    expected = [float(value) if value != 2**63 else float(-(2**63)) for value in ODD_VALUES]
    assert [struct.pack("<d", read[str(number)]) for number in range(len(ODD_VALUES))] == [
        struct.pack("<d", value) for value in expected
    ]


@every_version
def test_nothing_but_a_marker_is_stale(version: str) -> None:
    """Not what is not a number."""
    metric = make_metric()
    put(metric, value=math.nan)
    (one,) = Pusher(version).push(take_view(metric)).values()
    assert math.isnan(one.samples[0][0])
    assert not is_stale(one)


@pytest.mark.slow
@every_version
@given(st.lists(st.binary(max_size=6), min_size=1, max_size=8, unique=True))
def test_any_bytes_of_a_label_are_text(version: str, values: list[bytes]) -> None:
    """A byte that is not UTF-8 is U+FFFD; a value that is empty is no label."""
    metric = make_metric("m", "k")
    for value in values:
        put(metric, value)
    found = {dict(labels).get("k", "") for labels in Pusher(version, emit_prog_label=False).push(take_view(metric))}
    surrogates = (value.decode(errors="surrogateescape") for value in values)
    assert found == {"".join("\ufffd" if "\udc80" <= c <= "\udcff" else c for c in text) for text in surrogates}


@every_version
def test_series_that_an_empty_label_makes_equal_is_written_once(version: str) -> None:
    """A receiver would refuse the second sample, and all others with it. When the first goes, the second is there."""
    one, other = make_metric("m.a", "k"), make_metric("m_a", program="b.mtail")
    put(one, b"", value=1)
    put(one, b"x", value=2)
    put(other, value=3)
    pusher = Pusher(version, emit_prog_label=False)
    name = (("__name__", "m_a"),)
    assert {labels: read.samples[0][0] for labels, read in pusher.push(take_view(one, other)).items()} == {
        name: 3.0,
        (*name, ("k", "x")): 2.0,
    }
    other.delete(())
    assert pusher.push(take_view(one, other))[name].samples[0][0] == 1.0


@every_version
def test_equal_series_that_stand_far_apart_are_written_once(version: str) -> None:
    """What lies between them is more than is looked at together. What replaces the one that went is no news."""
    one, other = make_metric("m.a", "a", "b"), make_metric("m_a", "b", program="b.mtail")
    for number in range(1500):
        put(other, b"%04d" % number)
    put(one, b"", b"0000", value=7)
    pusher = Pusher(version, emit_prog_label=False)
    assert len(pusher.push(take_view(one, other))) == 1500
    other.delete((b"0000",))
    series = pusher.push(take_view(one, other))
    assert len(series) == 1500
    assert list_ended(series) == set()
    assert series[("__name__", "m_a"), ("b", "0000")].samples[0][0] == 7.0


@every_version
def test_histogram_that_an_empty_label_makes_equal_is_written_once(version: str) -> None:
    """Nothing of it, also where it has other bounds: its sum and its count would be there twice."""
    one = make_metric("h.a", "k", kind=Kind.HISTOGRAM)
    other = Metric(
        "h_a", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, program="b.mtail", label_names=(), buckets=(0, 7)
    )
    one.new((b"",), NOW)
    other.new((), NOW)
    series = Pusher(version, emit_prog_label=False).push(take_view(one, other))
    assert {dict(labels).get("le", "") for labels in series} == {"", "7", "+Inf"}


@every_version
def test_family_says_what_it_is(version: str) -> None:
    """Without a help text, where it is declared. A timer is a gauge."""
    counter = make_metric("c_total", kind=Kind.COUNTER, help_text='Wörter "und"\n\\', unit="words")
    gauge, timer, histogram = (
        make_metric(kind.name.lower(), kind=kind) for kind in (Kind.GAUGE, Kind.TIMER, Kind.HISTOGRAM)
    )
    for metric in (counter, gauge, timer):
        put(metric)
    histogram.new((), NOW)
    series = Pusher(version).push(take_view(counter, gauge, timer, histogram))
    place = "defined at a.mtail:1:9"
    of_histogram: dict[str, tuple[int, str, str]] = {
        f"histogram_{suffix}": (3, place, "") for suffix in ("bucket", "sum", "count")
    }
    expected = {
        **of_histogram,
        "c_total": (1, 'Wörter "und"\n\\', "words"),
        "gauge": (2, place, ""),
        "timer": (2, place, ""),
    }
    assert {dict(labels)["__name__"]: one.metadata for labels, one in series.items()} == expected


def test_start_of_a_counter_is_told() -> None:
    """Of a histogram too, with each of its samples; not of a gauge, and not where it is unknown."""
    counter, gauge = make_metric("c", "k", kind=Kind.COUNTER), make_metric("g")
    put(counter, b"known")
    put(counter, b"unknown", start=0)
    put(gauge)
    histogram = make_metric("h", kind=Kind.HISTOGRAM)
    histogram.new((), NOW).start = START
    series = Pusher("2.0", emit_prog_label=False).push(take_view(counter, gauge, histogram))
    found = {(dict(labels)["__name__"], dict(labels).get("k", "")): one.samples[0][2] for labels, one in series.items()}
    assert found.pop(("c", "unknown")) == found.pop(("g", "")) == 0
    assert found == dict.fromkeys([("c", "known"), ("h_bucket", ""), ("h_sum", ""), ("h_count", "")], START // 10**6)


@every_version
def test_times_of_the_series_go_forward_only(version: str) -> None:
    """With --emit_metric_timestamp: what has not changed, or has gone back, is not sent, and nothing is stale."""
    metric = make_metric("m", "k")
    put(metric, b"a", time=NOW)
    put(metric, b"b", time=NOW)
    put(metric, b"never", time=0)
    pusher = Pusher(version, emit_metric_timestamp=True)

    def push() -> dict[str, int]:
        return {dict(labels)["k"]: one.samples[0][1] for labels, one in pusher.push(take_view(metric)).items()}

    assert push() == {"a": NOW // 10**6, "b": NOW // 10**6}
    put(metric, b"a", time=NOW + 10**9)
    put(metric, b"b", time=NOW - 10**9)
    assert push() == {"a": NOW // 10**6 + 1000}
    put(metric, b"b", time=NOW, value=2)  # with the time that it had
    assert push() == {}
    put(metric, b"c", time=NOW)  # so that the neighbours of `c` are kept anew
    assert push() == {"c": NOW // 10**6}
    metric.delete((b"a",))
    assert push() == {}


@every_version
@pytest.mark.parametrize("emit_metric_timestamp", [False, True])
def test_exemplars_stand_with_counters_and_buckets(version: str, emit_metric_timestamp: bool) -> None:
    """Each with its sample, labels in order and none without a value; one without a time has that of the sample."""
    marks = {
        0: Exemplar((("trace_id", "abc"), ("a", "é"), ("none", "")), 2.0, NOW),
        2: Exemplar((("trace_id", "def"),), 7.5, 0),
    }
    value = HistogramValue((1, 2, 3), 7.5, 6)
    (shape,) = take_view(make_histogram()).metrics
    series = (
        SeriesSnapshot((b"never",), value, 0, 0, START),
        SeriesSnapshot((b"now",), value, NOW, 0, START),
    )
    snapshot = Snapshot((replace(shape, label_names=("k",), series=series, exemplars={(b"now",): marks}),))
    pusher = Pusher(version, emit_prog_label=False, emit_metric_timestamp=emit_metric_timestamp)
    read = pusher.push(snapshot)
    found = {
        (dict(labels)["k"], dict(labels).get("le")): one.exemplars for labels, one in read.items() if one.exemplars
    }
    assert found == {
        ("now", "1"): [((("a", "é"), ("trace_id", "abc")), 2.0, NOW // 10**6)],
        ("now", "+Inf"): [((("trace_id", "def"),), 7.5, NOW // 10**6 if emit_metric_timestamp else pusher.time)],
    }
    assert len(read) == (5 if emit_metric_timestamp else 10)


def make_histogram() -> Metric:
    """Return a histogram with a series."""
    metric = make_metric("h", kind=Kind.HISTOGRAM)
    metric.new((), NOW)
    return metric


def make_native(native: NativeBuckets, count: int = 6, series: int = 1) -> Snapshot:
    """Return a histogram whose series have these buckets too."""
    (shape,) = take_view(make_histogram()).metrics
    value = HistogramValue((1, 2, 3), 7.5, count, native)
    names = ("k",)
    made = tuple(SeriesSnapshot((b"%d" % number,), value, NOW, 0, START) for number in range(series))
    return Snapshot((replace(shape, label_names=names, series=made),))


def read_side(spans: Any, deltas: Any) -> dict[int, int]:  # noqa: ANN401 - messages
    """Return a count for each index, as a receiver reads it."""
    counts: dict[int, int] = {}
    rest = iter(deltas)
    index = count = 0
    for span in spans:
        index += span.offset
        for _ in range(span.length):
            count += next(rest)
            counts[index] = count
            index += 1
    assert not list(rest)
    return counts


COUNTS = st.dictionaries(st.integers(-500, 500), st.integers(1, 2**40), max_size=8)


@pytest.mark.slow
@every_version
@given(st.integers(-4, 8), st.integers(0, 2**40), COUNTS, COUNTS)
def test_native_buckets_are_found_again(
    version: str, schema: int, zero_count: int, positive: Mapping[int, int], negative: Mapping[int, int]
) -> None:
    """In a request of its own, beside the samples that a scrape of a text gives."""
    native = NativeBuckets(schema, 2.0**-128, zero_count, positive, negative)
    pusher = Pusher(version)
    series = pusher.push(make_native(native))
    ((labels, read),) = [(labels, one) for labels, one in series.items() if one.histograms]
    assert labels == (("__name__", "h"), ("k", "0"), ("prog", "a.mtail"))
    assert len(series) == 6
    (found,) = read.histograms
    assert (found.count_int, found.sum, found.timestamp, found.schema) == (6, 7.5, pusher.time, schema)
    assert (found.zero_threshold, found.zero_count_int) == (2.0**-128, zero_count)
    assert read_side(found.positive_spans, found.positive_deltas) == positive
    assert read_side(found.negative_spans, found.negative_deltas) == negative
    assert read.metadata == (3, "defined at a.mtail:1:9", "")
    assert getattr(found, "start_timestamp", START // 10**6) == START // 10**6


@every_version
def test_native_histogram_that_is_gone_has_a_marker(version: str) -> None:
    """Which is a sum that says so."""
    metric = make_metric("h", "k", kind=Kind.HISTOGRAM, native=True)
    for key in (b"0", b"1"):
        metric.new((key,), NOW)
    pusher = Pusher(version)
    there = pusher.push(take_view(metric))
    metric.delete((b"1",))
    series = pusher.push(take_view(metric))
    assert list_ended(series) == {labels for labels in there if ("k", "1") in labels}
    assert [is_stale(one) for one in series.values() if one.histograms] == [False, True]


@every_version
@pytest.mark.parametrize(("count", "value_bytes"), [(3 * MAX_REQUEST_SAMPLES, 3), (600, 10_000)])
def test_requests_are_not_too_large(version: str, count: int, value_bytes: int) -> None:
    """Neither in samples nor in bytes: they hold one block more at most."""
    metric = make_metric("m", "k")
    metric.cap_label_values(0)
    for number in range(count):
        put(metric, b"%d" % number + b"x" * value_bytes)
    requests = [one for one in Writer(MESSAGES[version], PrometheusOptions()).write(take_view(metric), TIME) if one]
    assert len(requests) > 1
    assert max(one.samples for one in requests) <= MAX_REQUEST_SAMPLES + 512
    assert max(len(one.body) for one in requests) <= MAX_REQUEST_BYTES + 512 * (value_bytes + 100)


@pytest.mark.slow
@every_version
def test_requests_of_native_histograms_are_not_too_large(version: str) -> None:
    """And there is nothing else in them."""
    metric = make_metric("h", "k", kind=Kind.HISTOGRAM, native=True)
    for number in range(MAX_REQUEST_SAMPLES + 600):
        metric.new((b"%d" % number,), NOW)
    requests = [one for one in Writer(MESSAGES[version], PrometheusOptions()).write(take_view(metric), TIME) if one]
    natives = [one for one in requests if one.histograms]
    assert [one.samples for one in natives] == [0, 0]
    assert sum(one.histograms for one in natives) == MAX_REQUEST_SAMPLES + 600
    assert max(one.histograms for one in natives) <= MAX_REQUEST_SAMPLES + 512


def test_equal_values_of_neighbours_are_kept_once() -> None:
    """Most labels have few values; each would be a text of its own."""
    values = [f"web{number}" for number in (1, 1)]
    assert values[0] is not values[1]
    one, other = Message2.make_labels(["host"], [values])
    assert one == other == ("host", "web1")
    assert one[1] is other[1]


@every_version
@pytest.mark.parametrize("take", [Store.view, Store.snapshot])
def test_kept_series_cost_few_steps(version: str, take: Callable[[Store], Snapshot]) -> None:
    """Others have their turn while many series are written; what is kept is that of views, which stay the same."""
    store = Store(max_series=0)
    (metric,) = store.register([make_metric("m", "k")])
    for number in range(5000):
        put(metric, b"%d" % number)
    writer: Writer[Any] = Writer(MESSAGES[version], PrometheusOptions())
    for _ in range(2):
        steps = list(writer.write(take(store), TIME))
        assert steps.count(None) >= 8
        assert sum(one.samples for one in steps if one) == 5000
