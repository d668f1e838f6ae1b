"""The page in each of its texts: what differs between them, and what readers of each make of it."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric as ReadFamily
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Snapshot, Store, ValueType

NOW = 1_700_000_000_123_456_789

TEXTS = {f"{variant.media_type} {variant.version}": variant for variant in prometheus.TEXTS}
OPENMETRICS = TEXTS["application/openmetrics-text 1.0.0"]
OPENMETRICS_TEXTS = [variant for variant in prometheus.TEXTS if variant.is_openmetrics]
COUNTER, GAUGE, HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM


def make_metric(name: str, kind: Kind = GAUGE, *labels: bytes, help_text: str = "", unit: str = "") -> Metric:
    """Return a metric with one series: a label for each of `labels`."""
    metric = Metric(
        name,
        kind=kind,
        value_type=ValueType.BUCKETS if kind is HISTOGRAM else ValueType.FLOAT,
        program="a.mtail",
        label_names=tuple("abcdef"[: len(labels)]),
        source="a.mtail:1:9",
        help_text=help_text,
        unit=unit,
        buckets=(0, 1, 2.5, 1e10) if kind is HISTOGRAM else (),
    )
    series = metric.new(labels, NOW)
    series.time = NOW
    if isinstance(series, HistogramDatum):
        series.counts[:] = [1, 2, 0, 3]
        series.count, series.total = 6, 1e300
    return metric


def make_snapshot(*metrics: Metric) -> Snapshot:
    """Return what a store with these metrics holds."""
    store = Store()
    for metric in metrics:
        store.register([metric])
    return store.snapshot()


def render(variant: prometheus.Variant, *metrics: Metric, with_times: bool = False) -> tuple[str, list[str]]:
    """Return the page and the problems."""
    problems: list[str] = []
    options = PrometheusOptions(emit_prog_label=False, emit_metric_timestamp=with_times)
    return prometheus.render(make_snapshot(*metrics), options, problems, variant).decode(), problems


def parse_openmetrics(page: str) -> list[ReadFamily]:
    """Return the families of a page, read as strictly as the client library can."""
    return list(openmetrics_parser.text_string_to_metric_families(page))  # type: ignore[no-untyped-call]


def list_types(page: str) -> dict[str, str]:
    """Return the type of each family, as a strict reader of OpenMetrics finds it."""
    return {family.name: family.type for family in parse_openmetrics(page)}


def make_mix() -> list[Metric]:
    """Return metrics of every kind, and names of every form."""
    values = [2.0**63, 1e300, 0.1, math.inf, 12.0]
    mix = [make_metric(f"c{place}_total" if place % 2 else f"c{place}", COUNTER, b"x") for place in range(5)]
    mix += [make_metric(f"g{place}", GAUGE, b'"\\\n\xff \xc3\xa9', b"") for place in range(5)]
    for metric, value in zip(mix, values * 2, strict=True):
        (series,) = metric.data.values()
        assert isinstance(series, Datum)
        series.value = value
    return [*mix, make_metric("h_seconds", HISTOGRAM, b"y"), make_metric("h2", HISTOGRAM)]


@pytest.mark.parametrize("variant", TEXTS.values(), ids=TEXTS)
def test_samples_are_the_same_in_every_text(variant: prometheus.Variant) -> None:
    """Byte for byte: a series is the same one whichever text its scraper has agreed on."""
    pages = [render(text, *make_mix())[0] for text in (variant, prometheus.TEXT)]
    samples, expected = [[line for line in page.splitlines() if line[0] != "#"] for page in pages]
    assert samples == expected
    assert len(samples) == 22


@pytest.mark.parametrize("with_times", [False, True])
@pytest.mark.parametrize("variant", OPENMETRICS_TEXTS)
def test_strict_reader_finds_what_the_lax_one_finds(variant: prometheus.Variant, *, with_times: bool) -> None:
    """Names, labels, values and times, those of counters and buckets too."""
    page, _ = render(variant, *make_mix(), with_times=with_times)
    text, _ = render(prometheus.TEXT, *make_mix(), with_times=with_times)
    names = {re.split("[ {]", line)[0] for line in text.splitlines()}
    read = [
        (sample.name, sample.labels, sample.value, float(sample.timestamp) if sample.timestamp else None)
        for family in parse_openmetrics(page)
        for sample in family.samples
    ]
    expected = [
        # The lax reader puts `_total` behind the name of any counter.
        (
            sample.name if sample.name in names else sample.name.removesuffix("_total"),
            sample.labels,
            sample.value,
            sample.timestamp,
        )
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert read == expected
    assert {time for *_, time in read} == {1_700_000_000.123 if with_times else None}


@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=5, unique=True), st.text())
def test_any_label_value_and_help_can_be_read(values: list[tuple[bytes, bytes]], help_text: str) -> None:
    """As text 0.0.4 has them; they never end a line, nor the page."""
    metric = make_metric("m", GAUGE, b"a", b"b", help_text=help_text)
    for key in values:
        metric.data.get(key) or metric.new(key, NOW)
    page, _ = render(OPENMETRICS, metric)
    (family,) = parse_openmetrics(page)
    expected, _ = render(prometheus.TEXT, metric)
    assert page.splitlines()[-1] == "# EOF"
    assert page.split("\n")[2:-2] == expected.split("\n")[2:-1]
    # This reader passes over blanks at the beginning of a text.
    assert family.documentation == (help_text or "defined at a.mtail:1:9").lstrip(" ")
    decoded = {tuple(prometheus_text(value) for value in key) for key in metric.data}
    assert {(sample.labels["a"], sample.labels["b"]) for sample in family.samples} == decoded


def prometheus_text(value: bytes) -> str:
    """Return a label value as every text has it: a U+FFFD for each byte that is not UTF-8."""
    return "".join("\ufffd" if "\udc80" <= one <= "\udcff" else one for one in value.decode(errors="surrogateescape"))


def test_empty_page_ends_as_a_whole_one() -> None:
    """So that a scraper can tell it from one that was cut."""
    assert prometheus.render(Snapshot(()), variant=OPENMETRICS) == b"# EOF\n"


def test_time_before_1970_has_its_sign() -> None:
    """A log may hold any date."""
    metric = make_metric("m")
    for series in metric.data.values():
        series.time = -1_500_000_000
    page, _ = render(OPENMETRICS, metric, with_times=True)
    assert "\nm 0 -1.500\n" in page


@pytest.mark.parametrize(
    ("kinds", "types"),
    [
        ({"a_total": COUNTER}, {"a": "counter"}),
        ({"a": COUNTER}, {"a": "unknown"}),
        ({"_total": COUNTER}, {"_total": "unknown"}),
        ({"a_total": GAUGE}, {"a_total": "gauge"}),
        ({"a": GAUGE, "a_total": COUNTER}, {"a": "gauge", "a_total": "unknown"}),
        ({"a": COUNTER, "a_total": COUNTER}, {"a": "unknown", "a_total": "unknown"}),
        ({"a_created": GAUGE, "a_total": COUNTER}, {"a_created": "gauge", "a_total": "unknown"}),
        ({"a_total": COUNTER, "a_total_total": COUNTER}, {"a": "counter", "a_total_total": "unknown"}),
        ({"a_total": COUNTER, "a_created_total": COUNTER}, {"a_created": "counter", "a_total": "unknown"}),
        ({"a": HISTOGRAM, "a_count_total": COUNTER}, {"a": "histogram", "a_count_total": "unknown"}),
        ({"a": HISTOGRAM, "a_total": COUNTER}, {"a": "histogram", "a_total": "unknown"}),
        ({"a": HISTOGRAM, "a_created_total": COUNTER}, {"a": "histogram", "a_created_total": "unknown"}),
    ],
)
def test_family_of_a_counter_is_called_without_total(kinds: dict[str, Kind], types: dict[str, str]) -> None:
    """Unless its name does not end so, or another family has the name; then its type is not told."""
    page, problems = render(OPENMETRICS, *(make_metric(name, kind) for name, kind in kinds.items()))
    assert list_types(page) == types
    assert problems == []


def test_name_that_belongs_to_a_histogram_is_left_out_of_openmetrics_only() -> None:
    """A strict reader refuses a page that has it."""
    metrics = [make_metric("h", HISTOGRAM), make_metric("h_created"), make_metric("i")]
    page, problems = render(OPENMETRICS, *metrics)
    assert list_types(page) == {"h": "histogram", "i": "gauge"}
    assert problems == [
        "Metric `h_created` at a.mtail:1:9 is left out of OpenMetrics: OpenMetrics keeps that name for histogram `h`."
    ]
    text, problems = render(prometheus.TEXT, *metrics)
    assert "\nh_created 0\n" in text
    assert problems == []


@pytest.mark.parametrize(
    ("name", "kind", "given_unit", "unit"),
    [
        ("a_seconds", GAUGE, "", "seconds"),
        ("a_bytes_total", COUNTER, "", "bytes"),
        ("a_seconds", HISTOGRAM, "", "seconds"),
        ("a_beans", GAUGE, "beans", "beans"),
        ("a_beans", GAUGE, "", ""),
        ("a", GAUGE, "seconds", ""),
        ("seconds", GAUGE, "", ""),
    ],
)
def test_unit_is_told_if_the_name_ends_in_it(name: str, kind: Kind, given_unit: str, unit: str) -> None:
    """That of the program, or one of the base units."""
    page, _ = render(OPENMETRICS, make_metric(name, kind, unit=given_unit))
    (family,) = parse_openmetrics(page)
    assert family.unit == unit
    assert "# UNIT" not in render(prometheus.TEXT, make_metric(name, kind, unit=given_unit))[0]


def test_help_of_openmetrics_has_quotes_escaped() -> None:
    """Which that of the Prometheus text has not."""
    assert render(OPENMETRICS, make_metric("m", help_text='a "b" \\\nc'))[0].startswith('# HELP m a \\"b\\" \\\\\\nc\n')
