"""Exemplars and the starts of series in OpenMetrics, as the strict reader of Prometheus' client library finds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric as ReadFamily
from prometheus_client.openmetrics import parser
from prometheus_client.samples import Sample

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.metrics import Datum, Exemplar, HistogramDatum, Kind, Metric, SeriesExemplars, Snapshot, Store, ValueType

NOW = 1_700_000_000_123_456_789
START = 1_600_000_000_987_654_321
LATER = START + 10**9

OPENMETRICS = [variant for variant in prometheus.TEXTS if variant.is_openmetrics]
PLAIN = [variant for variant in prometheus.TEXTS if not variant.is_openmetrics]

TRACE = Exemplar((("trace_id", "4bf92f35"), ("span_id", "a}\\\n%s")), 0.5, NOW)

Exemplars = Mapping[tuple[bytes, ...], SeriesExemplars]


def make_metric(name: str, kind: Kind, starts: Mapping[bytes, int], *, program: str = "") -> Metric:
    """Return a metric with a series for each label value, by when it began."""
    metric = Metric(
        name,
        kind=kind,
        value_type=ValueType.BUCKETS if kind is Kind.HISTOGRAM else ValueType.FLOAT,
        program=program,
        label_names=("k",),
        source="a.mtail:1:9",
        buckets=(0, 1, 2.5) if kind is Kind.HISTOGRAM else (),
    )
    for label, start in starts.items():
        series = metric.new((label,), NOW)
        series.time, series.start = NOW, start
        if isinstance(series, HistogramDatum):
            series.counts[:] = [1, 2, 3]
            series.count, series.total = 6, 7.5
        else:
            series.value = 3.5
    return metric


def make_snapshot(*metrics: Metric, exemplars: Mapping[str, Exemplars] | None = None) -> Snapshot:
    """Return what a store with these metrics shows, and the exemplars of each name."""
    store = Store()
    for metric in metrics:
        store.register([metric])
    found = exemplars or {}
    return Snapshot(tuple(replace(each, exemplars=found.get(each.name, {})) for each in store.view().metrics))


def render(
    snapshot: Snapshot,
    variant: prometheus.Variant = OPENMETRICS[0],
    *,
    with_starts: bool = True,
    with_times: bool = False,
) -> str:
    """Return a page."""
    options = PrometheusOptions(
        emit_prog_label=False, emit_created_timestamps=with_starts, emit_metric_timestamp=with_times
    )
    return prometheus.render(snapshot, options, variant=variant).decode()


def read_samples(page: str) -> list[Sample]:
    """Return the samples of a page."""
    families: list[ReadFamily] = list(parser.text_string_to_metric_families(page))  # type: ignore[no-untyped-call]
    return [sample for family in families for sample in family.samples]


def read_starts(page: str) -> dict[tuple[str, str], float]:
    """Return the starts that a page tells, by name and label value."""
    return {
        (sample.name, sample.labels["k"]): sample.value
        for sample in read_samples(page)
        if sample.name.endswith("_created")
    }


@pytest.mark.parametrize("variant", OPENMETRICS)
@pytest.mark.parametrize("with_times", [False, True])
def test_start_stands_behind_the_samples_of_its_series(variant: prometheus.Variant, *, with_times: bool) -> None:
    """Of counters and histograms, in seconds; one that is not known is left out."""
    metrics = [
        make_metric("c_total", Kind.COUNTER, {b"a %s": START, b"b": 0, b'" %s %s': LATER}),
        make_metric("h_total", Kind.HISTOGRAM, {b"a": START, b"b": 0, b"c": LATER}),
        make_metric("g", Kind.GAUGE, {b"a": START}),
        make_metric("t", Kind.TIMER, {b"a": START}),
    ]
    page = render(make_snapshot(*metrics), variant, with_times=with_times)
    assert read_starts(page) == {
        ("c_created", "a %s"): 1_600_000_000.987,
        ("c_created", '" %s %s'): 1_600_000_001.987,
        ("h_total_created", "a"): 1_600_000_000.987,
        ("h_total_created", "c"): 1_600_000_001.987,
    }
    names = [sample.name.removeprefix("h_total_") for sample in read_samples(page) if sample.name.startswith("h_")]
    series = ["bucket", "bucket", "bucket", "sum", "count"]
    assert names == [*series, "created", *series, *series, "created"]
    times = {sample.timestamp and float(sample.timestamp) for sample in read_samples(page)}
    assert times == {1_700_000_000.123 if with_times else None}


def test_counter_of_unknown_type_has_no_start() -> None:
    """A reader would not know what it is of."""
    metrics = [make_metric("c", Kind.COUNTER, {b"a": START}), make_metric("d_created", Kind.GAUGE, {b"a": START})]
    metrics.append(make_metric("d_total", Kind.COUNTER, {b"a": START}))
    page = render(make_snapshot(*metrics))
    assert [sample.name for sample in read_samples(page)] == ["c", "d_created", "d_total"]


@pytest.mark.parametrize("variant", PLAIN)
def test_other_texts_have_neither(variant: prometheus.Variant) -> None:
    """To them a start would be one more series, and an exemplar no part of a line."""
    metrics = [make_metric("c_total", Kind.COUNTER, {b"a": START}), make_metric("h", Kind.HISTOGRAM, {b"a": START})]
    exemplars: dict[str, Exemplars] = {"c_total": {(b"a",): {0: TRACE}}, "h": {(b"a",): {1: TRACE}}}
    page = render(make_snapshot(*metrics, exemplars=exemplars), variant)
    assert page == render(make_snapshot(*metrics), variant, with_starts=False)
    assert "_created" not in page


def test_starts_are_told_only_if_asked_for() -> None:
    """They are one series more for each."""
    assert "_created" not in render(
        make_snapshot(make_metric("c_total", Kind.COUNTER, {b"a": START})), with_starts=False
    )


@pytest.mark.parametrize("with_starts", [False, True])
@pytest.mark.parametrize("with_times", [False, True])
def test_exemplars_stand_behind_counters_and_buckets(*, with_starts: bool, with_times: bool) -> None:
    """Behind the series and the bucket that they are of."""
    counts = {name: make_metric(name, Kind.COUNTER, {b"a": START, b"b": START}) for name in ("c_total", "d")}
    metrics = [*counts.values(), make_metric("h", Kind.HISTOGRAM, {b"a": 0, b"b": START})]
    timeless = replace(TRACE, time=0, value=1e300)
    exemplars: dict[str, Exemplars] = {
        "c_total": {(b"b",): {0: TRACE}},
        "d": {(b"a",): {0: TRACE}},
        "h": {(b"a",): {2: timeless}, (b"b",): {0: TRACE, 1: timeless}, (b"gone",): {0: TRACE}},
    }
    snapshot = make_snapshot(*metrics, exemplars=exemplars)
    samples = read_samples(render(snapshot, with_starts=with_starts, with_times=with_times))
    found = {
        (sample.name, sample.labels["k"], sample.labels.get("le")): (
            sample.exemplar.labels,
            sample.exemplar.value,
            sample.exemplar.timestamp and float(sample.exemplar.timestamp),
        )
        for sample in samples
        if sample.exemplar
    }
    labels, known = dict(TRACE.labels), 1_700_000_000.123
    assert found == {
        ("c_total", "b", None): (labels, 0.5, known),
        ("h_bucket", "a", "+Inf"): (labels, 1e300, None),
        ("h_bucket", "b", "1"): (labels, 0.5, known),
        ("h_bucket", "b", "2.5"): (labels, 1e300, None),
    }
    plain = read_samples(render(make_snapshot(*metrics), with_starts=with_starts, with_times=with_times))
    assert [sample._replace(exemplar=None) for sample in samples] == plain


def test_exemplars_are_those_of_the_metric_of_a_series() -> None:
    """Where several programs have a name, and one of two equal series is left out."""
    metrics = [make_metric("c_total", Kind.COUNTER, {b"\xfe": 0}, program="a.mtail")]
    metrics.append(make_metric("c_total", Kind.COUNTER, {b"\xff": 0, b"b": 0}, program="b.mtail"))
    first, second = make_snapshot(*metrics).metrics
    other = replace(TRACE, labels=(("trace_id", "other"),))
    exemplars: list[Exemplars] = [{(b"\xfe",): {0: TRACE}}, {(b"\xff",): {0: other}, (b"b",): {0: other}}]
    snapshot = Snapshot((replace(first, exemplars=exemplars[0]), replace(second, exemplars=exemplars[1])))
    found = {sample.labels["k"]: sample.exemplar for sample in read_samples(render(snapshot))}
    assert {label: exemplar.labels for label, exemplar in found.items() if exemplar} == {
        "\ufffd": dict(TRACE.labels),
        "b": {"trace_id": "other"},
    }


VALUES = st.text(max_size=60) | st.text('\0"\\\n%', max_size=3)
VALUE = r'"((?:[^"\\\n\0]|\\["\\n])*)"'
EXEMPLAR = re.compile(
    rf'c_total{{k="a"}} 3\.5 # {{trace_id={VALUE},span_id={VALUE}}} (\S+)(?: (-?[0-9]+\.[0-9]{{3}}))?'
)


@settings(max_examples=60)
@given(VALUES, VALUES, st.floats(), st.integers(-(2**63), 2**63 - 1))
def test_any_exemplar_can_be_read(first: str, second: str, value: float, time: int) -> None:
    """Its texts come from a stranger's line; they never end it."""
    exemplar = Exemplar((("trace_id", first), ("span_id", second)), value, time)
    metric = make_metric("c_total", Kind.COUNTER, {b"a": 0})
    page = render(make_snapshot(metric, exemplars={"c_total": {(b"a",): {0: exemplar}}}))
    *_, line, end = page.removesuffix("\n").split("\n")
    assert end == "# EOF"
    # Not by the client library's reader, which takes an escaped quote in an exemplar for the end of the value.
    parts = EXEMPLAR.fullmatch(line)
    assert parts, line
    trace, span, number, moment = parts.groups()
    texts = [re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), text) for text in (trace, span)]
    # Prometheus refuses a page with a NUL here.
    assert texts == [text.replace("\0", "\ufffd") for text in (first, second)]
    assert repr(float(number)) == repr(value or 0.0)
    assert moment is None if not time else float(moment) == pytest.approx(time / 1e9, abs=1e-3)


def test_kept_page_is_the_page_of_the_moment() -> None:
    """Exemplars come and go from one page to the next, and so do series; starts stay."""
    metric = make_metric("c_total", Kind.COUNTER, {b"%03d" % number: START + number * 10**9 for number in range(600)})
    options = PrometheusOptions(emit_created_timestamps=True)
    page = prometheus.Page(options)
    for round_ in range(5):
        metric.delete((b"%03d" % (round_ * 100),))
        for series in list(metric.data.values())[round_::7]:
            assert isinstance(series, Datum)
            series.value = round_
        exemplars: dict[str, Exemplars] = {"c_total": {(b"%03d" % (round_ * 7 + 1),): {0: TRACE}}} if round_ % 2 else {}
        snapshot = make_snapshot(metric, exemplars=exemplars)
        for _ in page.refresh(snapshot):
            pass
        pieces = list(page.write(OPENMETRICS[0]))
        assert pieces.count(b"") == len(pieces) // 2 - 1, "others have a turn after each block"
        written = b"".join(pieces)
        assert written == prometheus.render(snapshot, options, variant=OPENMETRICS[0])
        assert written.count(b" # {") == round_ % 2
        assert len(read_starts(written.decode())) == 600 - round_ - 1
