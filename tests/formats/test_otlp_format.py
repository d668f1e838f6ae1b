"""What is pushed over OTLP: whatever the published classes read in it is what the store has."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1 import metrics_pb2

from pipeline import __version__
from pipeline.formats import PrometheusOptions
from pipeline.formats.otlp import (
    MAX_POINTS,
    Verdict,
    Writer,
    make_resource,
    read_message,
    read_verdict,
    split_request,
)
from pipeline.formats.otlp.writer import MAX_REQUEST_BYTES
from pipeline.metrics import Datum, Exemplar, HistogramDatum, Kind, Metric, MetricSnapshot, Snapshot, Store, ValueType
from pipeline.metrics.native import NativeCounts
from tests.otlp_reading import list_metrics, list_points, read_attributes, read_request, read_samples
from tests.pushers.awkward import REALS, list_expected, make_awkward_store

NOW = 1_700_000_000 * 10**9 + 123_456_789
START = NOW - 60 * 10**9
TYPES = {Kind.TEXT: ValueType.STRING, Kind.HISTOGRAM: ValueType.BUCKETS}


@dataclass
class Written:
    """What became of a snapshot."""

    requests: list[bytes]
    points: list[int]
    problems: list[str]
    metrics: list[metrics_pb2.Metric] = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = list_metrics(map(read_request, self.requests))


def write(
    *metrics: Metric, options: PrometheusOptions | None = None, max_points: int = MAX_POINTS, view: bool = False
) -> Written:
    """Return what becomes of these metrics."""
    store = Store()
    store.register(metrics)
    return write_snapshot(store.view() if view else store.snapshot(), options, max_points)


def write_snapshot(
    snapshot: Snapshot, options: PrometheusOptions | None = None, max_points: int = MAX_POINTS
) -> Written:
    """Return what becomes of a snapshot."""
    writer = Writer(make_resource([("service.name", "test")]), options or PrometheusOptions(), NOW, max_points)
    made = [request for request in writer.write(snapshot) if request is not None]
    return Written([one.body for one in made], [one.points for one in made], writer.problems)


def make_metric(name: str = "m", *labels: str, kind: Kind = Kind.COUNTER, **rest: object) -> Metric:
    """Return a metric of a program."""
    defaults = {"program": "a.mtail", "source": "a.mtail:1:1", "value_type": TYPES.get(kind, ValueType.INT)}
    return Metric(name, kind=kind, label_names=labels, **{**defaults, **rest})  # type: ignore[arg-type]


def put(metric: Metric, *labels: bytes, value: float = 1, time: int = NOW - 5, start: int = START) -> Datum:
    """Give a metric a series."""
    datum = metric.data[labels] = Datum(labels, value, time, 0, start)
    return datum


def put_histogram(metric: Metric, *labels: bytes, counts: list[int], total: float, is_native: bool = False) -> None:
    """Give a histogram a series, by powers with an observation of 1, 2, 4 … for each count."""
    datum = metric.data[labels] = HistogramDatum(labels, len(counts), NOW - 5, 0, START)
    datum.counts, datum.total, datum.count = counts, total, sum(counts)
    if is_native:
        datum.native = NativeCounts()
        for power, count in enumerate(counts):
            for _ in range(count):
                datum.native.observe(2.0**power)


def with_exemplars(metric: Metric, *exemplars: Exemplar) -> Snapshot:
    """Return a snapshot in which the first series of `metric` has these."""
    store = Store()
    store.register([metric])
    (shown,) = store.snapshot().metrics
    values = {name: getattr(shown, name) for name in MetricSnapshot.__slots__}
    values["exemplars"] = {next(iter(metric.data)): dict(enumerate(exemplars))}
    return Snapshot((MetricSnapshot(**values),))


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


# Requests


def test_request_says_who_it_is_from() -> None:
    """The resource as given, the scope is ours. Nothing at all makes no request."""
    metric = make_metric()
    put(metric)
    (body,) = write(metric).requests
    (resource,) = read_request(body).resource_metrics
    assert read_attributes(resource.resource.attributes) == {"service.name": "test"}
    (scope,) = resource.scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("syslog-pipeline", __version__)
    assert write(make_metric("a", "k"), make_metric("t", kind=Kind.TEXT), make_metric("h", hidden=True)).requests == []


@pytest.mark.parametrize("max_points", [1, 7, 256, 1000, MAX_POINTS])
def test_request_has_no_more_points_than_it_may(max_points: int) -> None:
    """A metric goes on in the next one, which says again what it is. None is lost or written twice."""
    metrics = [make_metric("a", "k", help_text="All"), make_metric("b", "k", help_text="All", kind=Kind.GAUGE)]
    for metric in metrics:
        for number in range(300):
            put(metric, b"%d" % number, value=number)
    written = write(*metrics, max_points=max_points)
    assert sum(written.points) == 600
    assert max(written.points) <= max_points
    assert len(written.points) == -(-600 // max_points)
    for body, points in zip(written.requests, written.points, strict=True):
        assert sum(len(list_points(metric)) for metric in list_metrics([read_request(body)])) == points
    assert {metric.description for metric in written.metrics} == {"All"}
    assert sorted(read_samples(written.metrics).values()) == sorted([*range(300), *range(300)])


def test_long_label_values_make_more_requests() -> None:
    """A stranger's label values may have 2 KB each."""
    metric = make_metric("m", "k")
    for number in range(2000):
        put(metric, b"%d" % number + b"x" * 2000)
    written = write(metric)
    assert sum(written.points) == 2000
    assert max(map(len, written.requests)) < 1.5 * MAX_REQUEST_BYTES


@pytest.mark.parametrize("is_native", [False, True])
def test_wide_histograms_make_more_requests(is_native: bool) -> None:
    """Each with an exemplar in every bucket."""
    metric = make_metric("h", "k", kind=Kind.HISTOGRAM, buckets=range(1, 31), has_exemplars=True)
    note = (("trace_id", "more"), (b"0af7651916cd43dd8448eb211c80319c", b"x" * 80), 1.0, NOW)
    for number in range(500):
        key = b"%d" % number
        put_histogram(metric, key, counts=[1] * 31, total=1.0, is_native=is_native)
        for place in range(31):
            metric.keep_exemplar(metric.data[key,], place, note)
    written = write(metric)
    assert sum(written.points) == 500
    assert max(map(len, written.requests)) < 1.5 * MAX_REQUEST_BYTES
    assert len(written.requests) > 1
    assert all(len(point.exemplars) == 31 for one in written.metrics for point in list_points(one))


def test_steps_are_short() -> None:
    """Lines and scrapes have their turn between them."""
    metric = make_metric("m", "k")
    for number in range(5000):
        put(metric, b"%d" % number)
    store = Store()
    store.register([metric])
    writer = Writer(make_resource([]), PrometheusOptions(), NOW)
    assert sum(request is None for request in writer.write(store.view())) == 5000 // 256 + 1


@pytest.mark.parametrize("what", ["labels", "labels that are not text", "powers", "exemplars"])
def test_steps_are_short_whatever_is_in_them(what: str) -> None:
    """A stranger's line makes long label values. What has many parts has few data points in a step."""
    kind = Kind.COUNTER if what.startswith("labels") else Kind.HISTOGRAM
    metric = make_metric("m", "k", kind=kind, buckets=range(1, 31), has_exemplars=True)
    for number in range(200):
        key = b"%d" % number
        match what:
            case "labels":
                put(metric, key + b"x" * 2000)
            case "labels that are not text":
                put(metric, key + b"\xff" * 2000)
            case _:
                put_histogram(metric, key, counts=[1] * 31, total=1.0, is_native=what == "powers")
        if what == "exemplars":
            metric.keep_exemplar(
                metric.data[key,], 0, (("trace_id",), (b"0af7651916cd43dd8448eb211c80319c",), 1.0, NOW)
            )
    store = Store()
    store.register([metric])
    writer = Writer(make_resource([]), PrometheusOptions(), NOW)
    points = [writer.points for request in writer.write(store.view()) if request is None]
    assert 0 < max(after - before for before, after in pairwise(points)) <= 24


# Parts of requests


@given(st.integers(2, 12), st.integers(0, 12), st.integers(0, 12))
def test_halves_of_a_request_hold_what_it_held(counters: int, gauges: int, histograms: int) -> None:
    """Each data point is in one of them, with its metric as it was."""
    metrics = [
        make_metric("a", "k", help_text="All", unit="bytes"),
        make_metric("b", "k", kind=Kind.GAUGE),
        make_metric("c", "k", kind=Kind.HISTOGRAM, buckets=(1, 2)),
        make_metric("d", "k", kind=Kind.HISTOGRAM, buckets=(1, 2)),
    ]
    for metric, series in zip(metrics, (counters, gauges, histograms, histograms), strict=True):
        for number in range(series):
            if metric.kind is Kind.HISTOGRAM:
                put_histogram(metric, b"%d" % number, counts=[1, 1, number], total=1.0, is_native=metric.name == "d")
            else:
                put(metric, b"%d" % number, value=number)
    (body,) = write(*metrics).requests
    points = counters + gauges + 2 * histograms
    halves = split_request(body)
    assert [half.points for half in halves] == [points // 2, points - points // 2]
    assert [list_whole(half.body) for half in halves] == [
        list_whole(body)[: points // 2],
        list_whole(body)[points // 2 :],
    ]


def list_whole(body: bytes) -> list[tuple[bytes, str, str, str, str | None, bytes]]:
    """Return each data point of a request, with all that stands around it."""
    return [
        (
            resource.resource.SerializeToString() + scope.scope.SerializeToString(),
            metric.name,
            metric.description,
            metric.unit,
            metric.WhichOneof("data"),
            point.SerializeToString(deterministic=True),
        )
        for resource in read_request(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in list_points(metric)
    ]


# Answers


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", "", Verdict(0, "")),
        (b"\x0a\x07\x08\x03\x12\x03old", "application/x-protobuf", Verdict(3, "old")),
        (b"{}", "application/json; charset=utf-8", Verdict(0, "")),
        (b"", "application/json", Verdict(0, "")),
        (b'{"partialSuccess": {"rejectedDataPoints": "3", "x": 1}}', "application/json", Verdict(3, "")),
        (b"<html>welcome</html>", "text/html", None),
        (b"\x0a\x07\x08\x03\x12\x03\xff\xfe\xfd", "application/x-protobuf", None),
        (b"[" * 60_000, "application/json", None),
        (b'{"partialSuccess": {"errorMessage": "\\ud800"}}', "application/json", None),
        (b"\xff", "application/json", None),
    ],
    ids=[
        *("nothing", "rejected", "JSON", "nothing of JSON", "rejected in JSON"),
        *("a page", "no UTF-8", "deep JSON", "no text in JSON", "no JSON"),
    ],
)
def test_verdict_on_a_request_that_was_taken(body: bytes, content_type: str, expected: Verdict | None) -> None:
    """None is none of OTLP."""
    assert read_verdict(body, content_type) == expected


@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/x-protobuf"]))
def test_no_answer_is_an_accident(body: bytes, content_type: str) -> None:
    """Whatever it is."""
    verdict = read_verdict(body, content_type)
    assert verdict is None or verdict.message.encode().decode() == verdict.message
    read_message(body)


def test_message_of_a_refusal() -> None:
    """A google.rpc.Status, with a code, a message and details."""
    assert read_message(b"\x08\x03\x12\x08bad data\x1a\x02\x0a\x00") == "bad data"
    assert read_message(b"bad data") == ""
