"""The page as messages: what classes made of the published description find in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.formats.prometheus.protobuf import STEP_BYTES
from pipeline.formats.prometheus.wire import spell_varint, spell_zigzag
from pipeline.metrics import (
    Datum,
    Exemplar,
    HistogramDatum,
    HistogramValue,
    Kind,
    Metric,
    NativeBuckets,
    SeriesSnapshot,
    Snapshot,
    Store,
    ValueType,
)
from tests.formats.metric_messages import read_messages

NOW = 1_700_000_000_123_456_789
START = 1_600_000_000_987_654_321
COUNTER, GAUGE, HISTOGRAM = 0, 1, 4

ODD_VALUES = [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 0.1, 1e300, 5e-324, -0.0, math.inf, -math.inf, math.nan]


def make_metric(
    name: str = "m",
    *label_names: str,
    kind: Kind = Kind.GAUGE,
    value_type: ValueType = ValueType.FLOAT,
    program: str = "",
    help_text: str = "",
    unit: str = "",
) -> Metric:
    """Return a metric without series."""
    return Metric(
        name,
        kind=kind,
        value_type=ValueType.BUCKETS if kind is Kind.HISTOGRAM else value_type,
        program=program,
        label_names=label_names,
        source="a.mtail:1:9",
        help_text=help_text,
        unit=unit,
        buckets=(0, 1, 2.5, 1e10) if kind is Kind.HISTOGRAM else (),
    )


def add_series(metric: Metric, *labels: bytes, value: float | bytes = 0, start: int = START) -> None:
    """Give a metric a series that holds a value."""
    series = metric.new(labels, NOW)
    assert isinstance(series, Datum)
    series.value, series.time, series.start = value, NOW, start


def take_view(*metrics: Metric) -> Snapshot:
    """Return what a store with these metrics shows."""
    store = Store()
    for metric in metrics:
        store.register([metric])
    return store.view()


def read_page(snapshot: Snapshot, **options: Any) -> list[Any]:  # noqa: ANN401 - of PrometheusOptions
    """Return the families on a page of messages."""
    page = prometheus.render(snapshot, PrometheusOptions(**options), variant=prometheus.PROTOBUF)
    return list(read_messages(page))


def read_metrics(metric: Metric, **options: Any) -> list[Any]:  # noqa: ANN401 - of PrometheusOptions
    """Return the series of a page that shows one metric."""
    (family,) = read_page(take_view(metric), **options)
    return list(family.metric)


def list_pairs(labels: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - messages
    """Return labels in their order."""
    return [(pair.name, pair.value) for pair in labels]


def read_time(message: Any) -> int:  # noqa: ANN401 - a message
    """Return a time as nanoseconds."""
    return int(message.seconds * 10**9 + message.nanos)


def are_same(one: float, other: float) -> bool:
    """Tell whether two doubles are the same, bit by bit but for what is not a number."""
    return (math.isnan(one) and math.isnan(other)) or (
        one == other and math.copysign(1, one) == math.copysign(1, other)
    )


def test_empty_page_has_no_message() -> None:
    """Nothing is nothing."""
    assert prometheus.render(Snapshot(()), variant=prometheus.PROTOBUF) == b""


def test_family_says_what_it_is() -> None:
    """Name, help text, type and unit; its series keep their name, with `_total` and without."""
    metrics = [
        make_metric("c_bytes_total", kind=Kind.COUNTER, help_text="100 %\n\\", unit="bytes"),
        make_metric("c", kind=Kind.COUNTER, unit="beans"),
        make_metric("g_seconds", help_text="\udcff \u20ac"),
        make_metric("t", kind=Kind.TIMER),
    ]
    for metric in metrics:
        add_series(metric)
    histogram = make_metric("h_ratio", kind=Kind.HISTOGRAM)
    histogram.new((), NOW)
    families = read_page(take_view(*metrics, histogram))
    assert [(family.name, family.help, family.type, family.unit) for family in families] == [
        ("c", "defined at a.mtail:1:9", COUNTER, ""),
        ("c_bytes_total", "100 %\n\\", COUNTER, "bytes"),
        ("g_seconds", "\ufffd \u20ac", GAUGE, "seconds"),
        ("h_ratio", "defined at a.mtail:1:9", HISTOGRAM, "ratio"),
        ("t", "defined at a.mtail:1:9", GAUGE, ""),
    ]
    # A reader tells types by the fields too.
    held = [[field.name for field, _ in family.metric[0].ListFields()] for family in families]
    assert held == [["counter"], ["counter"], ["gauge"], ["histogram"], ["gauge"]]


@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.GAUGE, Kind.TIMER])
@pytest.mark.parametrize("with_times", [False, True])
def test_each_value_is_the_one_in_the_store(kind: Kind, *, with_times: bool) -> None:
    """Whatever a line may bring about: a double keeps its sign and its infinity, an Int is the nearest double."""
    metric = make_metric("m", "k", kind=kind)
    for place, value in enumerate(ODD_VALUES):
        add_series(metric, b"%02d" % place, value=value)
    shown = read_metrics(metric, emit_metric_timestamp=with_times)
    values = [(one.counter if kind is Kind.COUNTER else one.gauge).value for one in shown]
    assert len(values) == len(ODD_VALUES)
    assert all(are_same(value, float(expected)) for value, expected in zip(values, ODD_VALUES, strict=True))
    assert [one.timestamp_ms for one in shown] == [NOW // 10**6 if with_times else 0] * len(ODD_VALUES)


@pytest.mark.parametrize("others", [[], [b"12", b""], [0.5]], ids=["alone", "texts", "floats"])
def test_int_that_has_outgrown_64_bits_is_wrapped(others: list[float | bytes]) -> None:
    """Among other values too; a text is 0, as in the texts."""
    metric = make_metric("m", "k")
    for place, value in enumerate([1, 2**63, 2**64 + 5, *others]):
        add_series(metric, b"%d" % place, value=value)
    values = [0 if isinstance(other, bytes) else other for other in others]
    assert [one.gauge.value for one in read_metrics(metric)] == [1, -(2.0**63), 5, *values]


def test_time_before_1970_has_its_sign() -> None:
    """A log may hold any date; the nanoseconds of a start count forward."""
    metric = make_metric("c_total", kind=Kind.COUNTER)
    add_series(metric, start=-1_500_000_000)
    for series in metric.data.values():
        series.time = -1_500_000_000
    (one,) = read_metrics(metric, emit_metric_timestamp=True, emit_created_timestamps=True)
    assert (one.timestamp_ms, one.counter.created_timestamp.seconds, one.counter.created_timestamp.nanos) == (
        -1500,
        -2,
        500_000_000,
    )


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.binary(max_size=200), st.binary(max_size=20)), max_size=8, unique=True),
    st.booleans(),
    st.booleans(),
)
def test_any_label_values_are_those_of_the_texts(
    values: list[tuple[bytes, bytes]], with_times: bool, started: bool
) -> None:
    """Percent signs, lengths that look like them, quotes, line feeds, what is not UTF-8: with names in their order."""
    metric = make_metric("m", "b", "a", kind=Kind.COUNTER, program="%b.mtail")
    for place, labels in enumerate(values):
        add_series(metric, *labels, value=place)
    snapshot = take_view(metric)
    options = {
        "emit_metric_timestamp": with_times,
        "emit_created_timestamps": started,
        "constant_labels": (("c", "%s"),),
    }
    shown = [one for family in read_page(snapshot, **options) for one in family.metric]
    written = [(list_pairs(one.label), one.counter.value) for one in shown]
    expected: dict[tuple[str, str], int] = {}
    for place, (b, a) in enumerate(values):
        expected.setdefault((as_text(a), as_text(b)), place)
    pairs = {(("a", a), ("b", b), ("c", "%s"), ("prog", "%b.mtail")): place for (a, b), place in expected.items()}
    assert {tuple(labels): value for labels, value in written} == pairs
    assert len(written) == len(pairs)
    assert {read_time(one.counter.created_timestamp) for one in shown} == (
        {START if started else 0} if values else set()
    )


def as_text(value: bytes) -> str:
    """Return a label value with a U+FFFD for each byte that is not UTF-8."""
    return "".join("\ufffd" if "\udc80" <= one <= "\udcff" else one for one in value.decode(errors="surrogateescape"))


def test_series_stand_in_the_order_of_the_texts() -> None:
    """Those of several programs in one family, of which one has more labels; of equal ones, the first."""
    metrics = [
        make_metric("m", "k", program="b.mtail"),
        make_metric("m", "k", "l", program="a.mtail"),
        make_metric("m", "k", program="c.mtail"),
    ]
    for labels in ([b"2"], [b"1"], [b"\xff"], [b"\xfe"]):
        add_series(metrics[0], *labels, value=1)
        add_series(metrics[2], *labels, value=3)
    add_series(metrics[1], b"1", b"x", value=2)
    (family,) = read_page(take_view(*metrics), emit_prog_label=False)
    assert [(list_pairs(one.label), one.gauge.value) for one in family.metric] == [
        ([("k", "1")], 1),
        ([("k", "2")], 1),
        ([("k", "\ufffd")], 1),
        ([("k", "1"), ("l", "x")], 2),
    ]


def make_histogram(native: NativeBuckets | None = None, exemplars: Mapping[int, Exemplar] | None = None) -> Snapshot:
    """Return what shows a histogram of six values."""
    metric = make_metric("h", "k", kind=Kind.HISTOGRAM)
    value = HistogramValue((1, 2, 0, 3), 1e300, 6, native)
    series = (SeriesSnapshot((b"x",), value, NOW, 0, START),)
    (shown,) = take_view(metric).metrics
    return Snapshot((replace(shown, series=series, exemplars={(b"x",): exemplars} if exemplars else {}),))


def read_histogram(snapshot: Snapshot, **options: Any) -> Any:  # noqa: ANN401 - a message
    """Return the only histogram on a page."""
    ((one,),) = [family.metric for family in read_page(snapshot, **options)]
    assert list_pairs(one.label) == [("k", "x")]
    return one.histogram


def test_histogram_has_cumulative_buckets() -> None:
    """With that of +Inf, as in the texts; and nothing that would make it a native one."""
    histogram = read_histogram(make_histogram())
    assert (histogram.sample_count, histogram.sample_sum) == (6, 1e300)
    assert [(bucket.upper_bound, bucket.cumulative_count) for bucket in histogram.bucket] == [
        (1, 1),
        (2.5, 3),
        (1e10, 3),
        (math.inf, 6),
    ]
    assert [field.name for field, _ in histogram.ListFields()] == ["sample_count", "sample_sum", "bucket"]


def test_histograms_of_one_family_have_their_own_bounds() -> None:
    """Two programs may give one name."""
    metrics = [
        Metric("h", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, program=program, source="", buckets=bounds)
        for program, bounds in (("a", (0, 1)), ("b", (0, 2, 3)))
    ]
    for metric in metrics:
        series = metric.new((), NOW)
        assert isinstance(series, HistogramDatum)
        series.counts[0] = series.count = 300
    (family,) = read_page(take_view(*metrics))
    assert [
        [(bucket.upper_bound, bucket.cumulative_count) for bucket in one.histogram.bucket] for one in family.metric
    ] == [
        [(1, 300), (math.inf, 300)],
        [(2, 300), (3, 300), (math.inf, 300)],
    ]


def test_native_buckets_stand_beside_the_others() -> None:
    """As spans of neighbours, and differences."""
    native = NativeBuckets(3, 2.0**-128, 2, {-5: 7, -4: 1, -3: 1, 0: 4, 200: 2**40}, {8192: 1, 8193: 3})
    histogram = read_histogram(make_histogram(native))
    assert [bucket.cumulative_count for bucket in histogram.bucket] == [1, 3, 3, 6]
    assert (histogram.schema, histogram.zero_threshold, histogram.zero_count) == (3, 2.0**-128, 2)
    assert read_side(histogram.positive_span, histogram.positive_delta) == native.positive
    assert read_side(histogram.negative_span, histogram.negative_delta) == native.negative
    assert [(span.offset, span.length) for span in histogram.positive_span] == [(-5, 3), (2, 1), (199, 1)]
    assert list(histogram.positive_delta) == [7, -6, 0, 3, 2**40 - 4]


def read_side(spans: Any, differences: Any) -> dict[int, int]:  # noqa: ANN401 - messages
    """Return the count of each bucket, read as Prometheus describes it."""
    counts, place, count, left = {}, 0, 0, iter(differences)
    for span in spans:
        place += span.offset
        for _ in range(span.length):
            count += next(left)
            counts[place] = count
            place += 1
    assert list(left) == []
    return counts


COUNTS = st.dictionaries(st.integers(-17200, 17200) | st.integers(-5, 5), st.integers(0, 2**50), max_size=20)


@settings(max_examples=40)
@given(COUNTS, COUNTS, st.integers(-4, 8), st.integers(0, 2**50))
def test_any_native_buckets_are_found_again(
    positive: dict[int, int], negative: dict[int, int], schema: int, zeros: int
) -> None:
    """Wherever they are; one without any is a native histogram all the same."""
    histogram = read_histogram(make_histogram(NativeBuckets(schema, 0.0, zeros, positive, negative)))
    assert read_side(histogram.positive_span, histogram.positive_delta) == positive
    assert read_side(histogram.negative_span, histogram.negative_delta) == negative
    assert (histogram.schema, histogram.zero_count) == (schema, zeros)
    assert histogram.positive_span or histogram.negative_span
    assert not (histogram.negative_span and not negative)


def test_start_is_told_if_it_is_known_and_asked_for() -> None:
    """Of counters and histograms, to the nanosecond; gauges have none."""
    metrics = [make_metric(kind.name, "k", kind=kind) for kind in (Kind.COUNTER, Kind.GAUGE)]
    for metric in metrics:
        add_series(metric, b"known", value=5)
        add_series(metric, b"unknown", start=0)
    for with_times in (False, True):
        counter, gauge = read_page(take_view(*metrics), emit_created_timestamps=True, emit_metric_timestamp=with_times)
        assert [read_time(one.counter.created_timestamp) for one in counter.metric] == [START, 0]
        assert [one.counter.HasField("created_timestamp") for one in counter.metric] == [True, False]
        assert [one.gauge.value for one in gauge.metric] == [5, 0]
    assert read_time(read_histogram(make_histogram(), emit_created_timestamps=True).created_timestamp) == START
    assert not read_histogram(make_histogram()).HasField("created_timestamp")
    assert not read_metrics(metrics[0])[0].counter.HasField("created_timestamp")


EXEMPLAR = Exemplar((("trace_id", 'a"\n%'), ("span_id", "b")), 0.5, NOW)


def read_exemplar(exemplar: Any) -> Exemplar:  # noqa: ANN401 - a message
    """Return what a message says."""
    return Exemplar(tuple(list_pairs(exemplar.label)), exemplar.value, read_time(exemplar.timestamp))


def test_exemplars_stand_with_counters_and_buckets() -> None:
    """Each with the series and the bucket that it is of; those without one are as ever."""
    metric = make_metric("c", "k", kind=Kind.COUNTER)
    for place, label in enumerate((b"1", b"2", b"3")):
        add_series(metric, label, value=place)
    (shown,) = take_view(metric).metrics
    snapshot = Snapshot((replace(shown, exemplars={(b"2",): {0: EXEMPLAR}}),))
    for options in ({}, {"emit_created_timestamps": True, "emit_metric_timestamp": True}):
        (family,) = read_page(snapshot, **options)
        assert [one.counter.value for one in family.metric] == [0, 1, 2]
        assert [one.counter.HasField("exemplar") for one in family.metric] == [False, True, False]
        assert read_exemplar(family.metric[1].counter.exemplar) == EXEMPLAR
    timeless = replace(EXEMPLAR, time=0)
    histogram = read_histogram(make_histogram(exemplars={1: EXEMPLAR, 3: timeless}))
    assert [bucket.HasField("exemplar") for bucket in histogram.bucket] == [False, True, False, True]
    assert read_exemplar(histogram.bucket[1].exemplar) == EXEMPLAR
    assert read_exemplar(histogram.bucket[3].exemplar) == timeless
    assert not histogram.bucket[3].exemplar.HasField("timestamp")


@pytest.mark.parametrize(("spell", "signed"), [(spell_varint, False), (spell_zigzag, True)])
@given(number=st.integers(-(2**63), 2**63 - 1) | st.sampled_from([127, 128, 2**63 - 1, -(2**63), -1]))
def test_numbers_are_those_of_the_wire_format(spell: Callable[[int], bytes], number: int, *, signed: bool) -> None:
    """Groups of seven bits, the lowest first, all but the last marked; at most ten."""
    groups = spell(number)
    assert [byte >> 7 for byte in groups] == [1] * (len(groups) - 1) + [0]
    value = sum((byte & 127) << 7 * place for place, byte in enumerate(groups))
    assert len(groups) == max(math.ceil(value.bit_length() / 7), 1)
    expected = number * 2 if number >= 0 else -number * 2 - 1
    assert value == (expected if signed else number % 2**64)


def test_kept_page_is_the_page_of_the_moment() -> None:
    """Values, exemplars and series may change from one page to the next, and back."""
    metric = make_metric("c", "k", kind=Kind.COUNTER)
    for number in range(600):
        add_series(metric, b"%03d" % number, value=number)
    store = Store()
    store.register([metric])
    page = prometheus.Page(PrometheusOptions(emit_created_timestamps=True))
    for change in range(4):
        for series in list(metric.data.values())[change::7]:
            assert isinstance(series, Datum)
            series.value = change + 0.5
        metric.delete((b"%03d" % (change * 100),))
        snapshot = store.view()
        if change == 2:
            (shown,) = snapshot.metrics
            snapshot = Snapshot((replace(shown, exemplars={(b"500",): {0: EXEMPLAR}}),))
        for _ in page.refresh(snapshot):
            pass
        pieces = list(page.write(prometheus.PROTOBUF))
        (family,) = read_messages(b"".join(pieces))
        written = {one.label[0].value.encode(): one.counter.value for one in family.metric}
        assert written == {labels[0]: series.value for labels, series in metric.data.items()}
        assert [one.label[0].value for one in family.metric if one.counter.HasField("exemplar")] == ["500"] * (
            change == 2
        )


def test_others_have_their_turn_while_a_large_family_is_made() -> None:
    """An empty piece stands for a step in which nothing could be sent."""
    metric = make_metric("c", "k", kind=Kind.COUNTER)
    for number in range(5000):
        add_series(metric, b"%030d" % number)
    page = prometheus.Page(PrometheusOptions())
    for _ in page.refresh(take_view(metric)):
        pass
    pieces = list(page.write(prometheus.PROTOBUF))
    size = sum(map(len, pieces))
    assert size // (STEP_BYTES * 2) <= pieces.count(b"") <= size // STEP_BYTES
    assert all(pieces[pieces.index(b"") + pieces.count(b"") :])
