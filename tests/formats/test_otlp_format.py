"""The data that are pushed over OTLP: whatever the published classes read in them is what the store has."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1 import metrics_pb2

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Exemplar, Kind, ValueType
from tests.formats.otlp_writing import (
    NOW,
    START,
    make_metric,
    put,
    put_histogram,
    with_exemplars,
    write,
    write_snapshot,
)
from tests.otlp_reading import list_points, read_attributes, read_samples
from tests.pushers.awkward import REALS, list_expected, make_awkward_store

# Kinds and values


def test_everything_awkward_is_read_as_it_is() -> None:
    """Of each kind, with labels of any bytes and numbers of any size; what is hidden or a text is left out."""
    written = write_snapshot(make_awkward_store().view().select_programs())
    samples = read_samples(written.metrics)
    expected = list_expected()
    assert {sample: repr(float(value)) for sample, value in samples.items()} == {
        sample: repr(value) for sample, value in expected.items()
    }
    assert math.copysign(1.0, REALS["zero"]) == -1.0  # so -0.0 was among them
    assert written.problems == []
    assert written.points == [22]


def test_counter_is_a_cumulative_sum_that_only_grows() -> None:
    """With its start; an Int is an Int to the last digit, a Float a double."""
    ints, reals = make_metric("i"), make_metric("r", value_type=ValueType.FLOAT)
    put(ints, value=2**63 - 1)
    put(reals, value=0.1)
    whole, real = write(ints, reals).metrics
    for metric in (whole, real):
        assert metric.WhichOneof("data") == "sum"
        assert metric.sum.aggregation_temporality == metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
        assert metric.sum.is_monotonic
        (point,) = metric.sum.data_points
        assert (point.start_time_unix_nano, point.time_unix_nano) == (START, NOW)
    (point,) = whole.sum.data_points
    assert (point.WhichOneof("value"), point.as_int) == ("as_int", 2**63 - 1)
    (point,) = real.sum.data_points
    assert (point.WhichOneof("value"), point.as_double) == ("as_double", 0.1)


@pytest.mark.parametrize("kind", [Kind.GAUGE, Kind.TIMER])
def test_gauge_has_no_start(kind: Kind) -> None:
    """A timer is one, too. A text that a gauge holds is 0, as on the page for Prometheus."""
    metric = make_metric("g", "k", kind=kind, value_type=ValueType.STRING)
    put(metric, b"a", value=b"words")  # type: ignore[arg-type]
    (written,) = write(metric).metrics
    (point,) = written.gauge.data_points
    assert (point.start_time_unix_nano, point.time_unix_nano, point.as_int) == (0, NOW, 0)
    assert point.WhichOneof("value") == "as_int"


def test_numbers_that_have_outgrown_64_bits_are_wrapped() -> None:
    """In a view they are as programs have left them."""
    ints = make_metric("i")
    mixed = make_metric("f", value_type=ValueType.FLOAT)
    put(ints, value=2**63)
    put(mixed, value=2**64 + 3)
    options = PrometheusOptions(emit_metric_timestamp=True)
    ints.data[()].time = 2**64 + 7
    real, whole = write(ints, mixed, options=options, view=True).metrics
    assert whole.sum.data_points[0].as_int == -(2**63)
    assert whole.sum.data_points[0].time_unix_nano == 7
    assert real.sum.data_points[0].as_double == 3.0


def test_histogram_has_explicit_bounds() -> None:
    """As many counts as bounds and one more. Its count is theirs: what is not a number is in no bucket."""
    metric = make_metric("h", kind=Kind.HISTOGRAM, buckets=(1, 2.5))
    put_histogram(metric, counts=[1, 0, 3], total=math.nan)
    metric.data[()].count = 5  # type: ignore[union-attr]
    (written,) = write(metric).metrics
    assert written.histogram.aggregation_temporality == metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = written.histogram.data_points
    assert (list(point.explicit_bounds), list(point.bucket_counts), point.count) == ([1, 2.5], [1, 0, 3], 4)
    assert math.isnan(point.sum)
    assert not point.HasField("min")
    assert not point.HasField("max")
    assert (point.start_time_unix_nano, point.time_unix_nano) == (START, NOW)


def test_histogram_that_is_kept_by_powers_is_exponential() -> None:
    """A bucket ends at 2^((offset + place + 1) / 2^scale), and holds its end."""
    metric = make_metric("h", kind=Kind.HISTOGRAM, buckets=(1, 2))
    put_histogram(metric, counts=[1, 0, 3], total=13.0, is_native=True)
    (written,) = write(metric).metrics
    data = written.exponential_histogram
    assert data.aggregation_temporality == metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = data.data_points
    assert (point.count, point.sum, point.zero_count) == (4, 13.0, 0)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (START, NOW)
    assert read_buckets(point) == {1.0: 1, 4.0: 3}
    assert list(point.negative.bucket_counts) == []


def test_series_without_powers_is_left_out_among_those_that_have_some() -> None:
    """It could not stand there."""
    metric = make_metric("h", "k", kind=Kind.HISTOGRAM, buckets=(1, 2))
    put_histogram(metric, b"a", counts=[1, 1, 1], total=1.0, is_native=True)
    put_histogram(metric, b"b", counts=[1, 1, 1], total=1.0)
    written = write(metric)
    assert [len(one.exponential_histogram.data_points) for one in written.metrics] == [1]
    assert written.points == [1]


@given(st.lists(st.floats(), max_size=30))
@example([math.inf, -math.inf, math.nan, -0.0, 5e-324, 1.7e308, -1.0])
@example([2.0**number for number in range(-20, 20)])
def test_exponential_buckets_hold_what_was_observed(observed: list[float]) -> None:
    """However far apart the values are: the gaps are written too, and never more than there is room for."""
    metric = make_metric("h", kind=Kind.HISTOGRAM, buckets=(1, 2))
    put_histogram(metric, counts=[0, 0, 0], total=0.0, is_native=True)
    native = metric.data[()].native  # type: ignore[union-attr]
    assert native is not None
    for value in observed:
        native.observe(value)
    (written,) = write(metric).metrics
    (point,) = written.exponential_histogram.data_points
    near = [value for value in observed if abs(value) <= point.zero_threshold]
    assert point.zero_count == len(near)
    assert point.count == sum(not math.isnan(value) for value in observed)
    for buckets, values in (
        (point.positive, [value for value in observed if value > point.zero_threshold]),
        (point.negative, [-value for value in observed if -value > point.zero_threshold]),
    ):
        assert len(buckets.bucket_counts) <= 160
        counts = {buckets.offset + place: count for place, count in enumerate(buckets.bucket_counts) if count}
        assert counts == Counter(find_index(value, point.scale) for value in values)


def find_index(value: float, scale: int) -> int:
    """Return the index with which base^index < value <= base^(index + 1). Infinity is behind the greatest number."""
    exact = Fraction(value) if value < math.inf else Fraction(2**1024 + 1)
    powered = exact**2 ** max(scale, 0)
    step = 2 ** max(-scale, 0)
    index = math.ceil((math.log2(value) if value < math.inf else 1024.0) * 2.0**scale) - 1
    while powered <= Fraction(2) ** (index * step):
        index -= 1
    while powered > Fraction(2) ** ((index + 1) * step):
        index += 1
    return index


def read_buckets(point: metrics_pb2.ExponentialHistogramDataPoint) -> dict[float, int]:
    """Return the counts of positive values by the upper bounds of their buckets."""
    base = 2.0 ** (2.0**-point.scale)
    counts = enumerate(point.positive.bucket_counts)
    return {round(base ** (point.positive.offset + place + 1), 9): count for place, count in counts if count}


# Times


@pytest.mark.parametrize(
    ("time", "start", "expected"),
    [
        (NOW - 5, START, (START, NOW - 5)),
        (NOW - 5, 0, (0, NOW - 5)),
        (START - 7, START, (START - 7, START - 7)),
        (0, START, (START, NOW)),
        (-1, -1, (0, NOW)),
    ],
    ids=["own", "unknown start", "before its start", "never", "before 1970"],
)
def test_time_of_the_series_if_that_is_wanted(time: int, start: int, expected: tuple[int, int]) -> None:
    """A start is never behind it, and a series that has none gets the moment of the push."""
    metric = make_metric()
    put(metric, time=time, start=start)
    (written,) = write(metric, options=PrometheusOptions(emit_metric_timestamp=True)).metrics
    (point,) = written.sum.data_points
    assert (point.start_time_unix_nano, point.time_unix_nano) == expected


# Labels


def test_attributes_are_labels_program_and_constant_labels() -> None:
    """A label of the metric counts more than a constant one, and the last one of a name more than those before it."""
    metric = make_metric("m", "b", "site", "b")
    put(metric, b"1", b"own", b"2")
    options = PrometheusOptions(constant_labels=(("site", "north"), ("rack", "7")))
    (written,) = write(metric, options=options).metrics
    (point,) = written.sum.data_points
    assert read_attributes(point.attributes) == {"b": "2", "site": "own", "rack": "7", "prog": "a.mtail"}
    (written,) = write(metric, options=PrometheusOptions(emit_prog_label=False)).metrics
    assert read_attributes(written.sum.data_points[0].attributes) == {"b": "2", "site": "own"}


@given(st.lists(st.binary(max_size=40), max_size=30, unique=True))
def test_label_values_of_any_bytes(values: list[bytes]) -> None:
    """One data point for each text; an invalid byte is U+FFFD, and a text that others have is told of, once."""
    metric = make_metric("m", "k")
    for number, value in enumerate(values):
        put(metric, value, value=number)
    written = write(metric)
    texts: dict[str, int] = {}
    for number, value in enumerate(values):
        text = value.decode(errors="surrogateescape")
        texts.setdefault("".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text), number)
    points = [point for one in written.metrics for point in one.sum.data_points]
    assert {read_attributes(point.attributes)["k"]: point.as_int for point in points} == texts
    assert len(points) == len(texts)
    assert len(written.problems) == (len(texts) < len(values))


def test_series_of_several_programs_are_one_metric() -> None:
    """With help text and unit of the one that has some. What none can tell apart is left out, and told."""
    first = make_metric("m", "k", source="a.mtail:1:1")
    second = make_metric("m", "k", program="b.mtail", source="b.mtail:2:2", help_text="Words", unit="bytes")
    for metric in (first, second):
        put(metric, b"x", value=1)
    written = write(first, second)
    (metric_,) = written.metrics
    assert (metric_.description, metric_.unit) == ("Words", "By")
    programs = [read_attributes(point.attributes)["prog"] for point in metric_.sum.data_points]
    assert (programs, written.problems) == (["a.mtail", "b.mtail"], [])
    written = write(first, second, options=PrometheusOptions(emit_prog_label=False))
    (metric_,) = written.metrics
    assert len(metric_.sum.data_points) == 1
    assert written.problems == [
        "Metric `m` at b.mtail:2:2 is in OTLP without some of its series: their name and attributes are those of other"
        " series."
    ]


def test_constant_label_may_be_the_label_of_another_metric() -> None:
    """Then the series of both have the same attributes."""
    labelled, plain = make_metric("m", "site", "k"), make_metric("m", "k", program="b.mtail", source="b.mtail:2:2")
    put(labelled, b"north", b"x")
    put(plain, b"x")
    put(plain, b"y")
    options = PrometheusOptions(emit_prog_label=False, constant_labels=(("site", "north"),))
    written = write(labelled, plain, options=options)
    assert written.points == [2]
    assert len(written.problems) == 1


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http.requests/a-b_total", "http.requests/a-b_total"),
        ("a:b c\n", "a_b_c_"),
        ("café", "caf_"),
        ("_hits", "metric_hits"),
        ("9lives", "metric_9lives"),
        ("m" * 255, "m" * 255),
    ],
    ids=["as it is", "others", "letters", "underscore", "digit", "long"],
)
def test_name_is_one_of_an_instrument(name: str, expected: str) -> None:
    """A letter, then letters, digits and `_ . - /`."""
    metric = make_metric(name)
    put(metric)
    (written,) = write(metric).metrics
    assert written.name == expected


def test_metrics_that_cannot_stand_there_are_told() -> None:
    """Each with its reason; the others are written."""
    metrics = [
        make_metric("a b"),
        make_metric("a:b", kind=Kind.GAUGE, source="a.mtail:2:2"),
        make_metric("l" * 256, source="a.mtail:3:3"),
        make_metric("n", "", source="a.mtail:4:4"),
        make_metric("p", "prog", source="a.mtail:5:5"),
        make_metric("", source="a.mtail:6:6"),
    ]
    for metric in metrics:
        put(metric, *[b"x"] * len(metric.label_names))
    written = write(*metrics)
    assert [metric.name for metric in written.metrics] == ["a_b"]
    assert written.problems == [
        "Metric `` at a.mtail:6:6 is left out of OTLP: it has no name.",
        "Metric `a:b` at a.mtail:2:2 is left out of OTLP: the name is taken by the sum at a.mtail:1:1.",
        f"Metric `{'l' * 256}` at a.mtail:3:3 is left out of OTLP: its name has more than 255 characters.",
        "Metric `n` at a.mtail:4:4 is left out of OTLP: a label has no name.",
        "Metric `p` at a.mtail:5:5 is left out of OTLP: the label `prog` is the name of the program.",
    ]
    assert write(metrics[-2], options=PrometheusOptions(emit_prog_label=False)).problems == []


def test_names_that_become_one_are_told() -> None:
    """The series of both are there."""
    first, second = make_metric("a b", "k"), make_metric("a:b", "k", source="a.mtail:2:2")
    put(first, b"x")
    put(second, b"y")
    written = write(first, second)
    assert [metric.name for metric in written.metrics] == ["a_b"]
    assert written.points == [2]
    assert written.problems == [
        "Metric `a:b` at a.mtail:2:2 is called `a_b` in OTLP, as is `a b` at a.mtail:1:1.",
    ]


def test_histograms_of_both_sorts_are_not_one_metric() -> None:
    """The first one counts."""
    explicit = make_metric("h", kind=Kind.HISTOGRAM, buckets=(1, 2))
    powers = make_metric("h", kind=Kind.HISTOGRAM, buckets=(1, 2), program="b.mtail", source="b.mtail:1:1")
    put_histogram(explicit, counts=[1, 1, 1], total=1.0)
    put_histogram(powers, counts=[1, 1, 1], total=1.0, is_native=True)
    written = write(explicit, powers)
    assert [metric.WhichOneof("data") for metric in written.metrics] == ["histogram"]
    assert written.problems == [
        "Metric `h` at b.mtail:1:1 is left out of OTLP: the name is taken by the histogram at a.mtail:1:1."
    ]


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("m", "seconds", "s"),
        ("m", "ratio", "1"),
        ("m", "requests", "{requests}"),
        ("m", "two words", ""),
        ("m", "}{", ""),
        ("sent_bytes_total", "", "By"),
        ("took_seconds", "", "s"),
        ("hits_total", "", ""),
        ("bytes_sent", "", ""),
    ],
)
def test_unit_is_that_of_ucum(name: str, unit: str, expected: str) -> None:
    """What the program says, or what the name ends in. A word that UCUM has not is an annotation."""
    metric = make_metric(name, unit=unit)
    put(metric)
    (written,) = write(metric).metrics
    assert written.unit == expected


def test_description_is_the_help_text_or_where_it_is_declared() -> None:
    """In characters that UTF-8 has, though the name of a file may have none."""
    helped, declared = make_metric("a", help_text="Of\nall"), make_metric("b", source="\udcff.mtail:1:1")
    put(helped)
    put(declared)
    assert [metric.description for metric in write(helped, declared).metrics] == [
        "Of\nall",
        "defined at \ufffd.mtail:1:1",
    ]


# Exemplars


def test_exemplar_leads_to_its_trace() -> None:
    """By the identifiers in their own place, if they are some; the other labels are attributes."""
    labels = (("trace_id", "0af7651916cd43dd8448eb211c80319c"), ("span_id", "b7ad6b7169203331"), ("user", "é"))
    metric = make_metric()
    put(metric)
    written = write_snapshot(with_exemplars(metric, Exemplar(labels, 1.0, NOW - 9)))
    (point,) = list_points(written.metrics[0])
    (exemplar,) = point.exemplars
    assert exemplar.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert exemplar.span_id.hex() == "b7ad6b7169203331"
    assert read_attributes(exemplar.filtered_attributes) == {"user": "é"}
    assert (exemplar.as_double, exemplar.time_unix_nano) == (1.0, NOW - 9)


@pytest.mark.parametrize("is_native", [False, True])
def test_exemplars_of_a_histogram(is_native: bool) -> None:
    """Those of all buckets. What is no identifier of a trace is an attribute; there is no time before 1970."""
    labels = (("trace_id", "0" * 32), ("span_id", "short"))
    metric = make_metric("h", kind=Kind.HISTOGRAM, buckets=(1, 2))
    put_histogram(metric, counts=[1, 1, 0], total=3.0, is_native=is_native)
    written = write_snapshot(with_exemplars(metric, Exemplar(labels, math.inf, -5), Exemplar((), 2.0, 5)))
    (point,) = list_points(written.metrics[0])
    assert [(one.as_double, one.time_unix_nano) for one in point.exemplars] == [(math.inf, 0), (2.0, 5)]
    assert read_attributes(point.exemplars[0].filtered_attributes) == dict(labels)
    assert (point.exemplars[0].trace_id, point.exemplars[0].span_id) == (b"", b"")
