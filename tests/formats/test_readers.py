"""What real readers find on a page of all kinds and odd values, in each form: the values of the store."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest
from prometheus_client import Metric as ReadFamily
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Snapshot, Store, ValueType
from tests.formats.metric_messages import read_messages

NOW = 1_700_000_000_123_000_000
SECONDS = NOW // 10**6 / 1e3

INTS = (0, -7, 999_999, 1_000_000, 2**53 + 1, 2**63 - 1, -(2**63))
FLOATS = (0.1, 1e300, -1e300, 5e-324, -0.0, math.inf, -math.inf, math.nan, 123456789.0)
LABELS = (
    b"",
    b'"',
    b"\\",
    b"\\n",
    b"\n",
    b"a b\t{},=#",
    b"%s %d",
    "\u00fc\u20ac\U0001f600".encode(),
    b"\xff\xc3",
    b"\0\r\x1b",
)

NOUNS = {Kind.COUNTER: "hits", Kind.GAUGE: "level", Kind.TIMER: "wait"}
ENDINGS = {Kind.COUNTER: "_total"}

Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""Values by name and labels."""

Read = Callable[[bytes], Iterator[tuple[str, dict[str, str], float, float | None]]]


def make_metrics(*, is_strict: bool = False) -> list[Metric]:
    """Return metrics of every kind. Names and help texts are those that promtool has nothing against.

    What never falls has nothing below zero and no NaN where a reader is strict: OpenMetrics does not allow it, and
    lines may bring it about all the same.
    """
    totals = [value for value in FLOATS if value >= 0 or not is_strict]
    metrics = [make_histogram(totals), make_metric("left_out", Kind.TEXT, ValueType.STRING)]
    rows: list[tuple[Kind, ValueType, Sequence[float | bytes]]] = [
        (Kind.COUNTER, ValueType.INT, [value for value in INTS if value >= 0 or not is_strict]),
        (Kind.COUNTER, ValueType.FLOAT, totals),
        (Kind.GAUGE, ValueType.INT, INTS),
        (Kind.GAUGE, ValueType.FLOAT, FLOATS),
        (Kind.GAUGE, ValueType.STRING, [b"text"] * len(LABELS)),
        (Kind.TIMER, ValueType.FLOAT, FLOATS),
    ]
    for kind, value_type, values in rows:
        metrics.append(
            make_metric(
                f"odd_{NOUNS[kind]}_{value_type.name.lower()}{ENDINGS.get(kind, '')}", kind, value_type, "k", "place"
            )
        )
        for place, value in enumerate(values):
            series = metrics[-1].new((LABELS[place % len(LABELS)], b"%d" % place), NOW)
            assert isinstance(series, Datum)
            series.value = value
    for metric in metrics:
        for one in metric.data.values():
            one.time = NOW
    return metrics


def view_metrics(metrics: Iterable[Metric]) -> Snapshot:
    """Return what a store shows that holds them."""
    store = Store()
    for metric in metrics:
        store.register([metric])
    return store.view()


def make_metric(name: str, kind: Kind, value_type: ValueType, *label_names: str) -> Metric:
    """Return a metric without series."""
    return Metric(
        name,
        kind=kind,
        value_type=value_type,
        program="odd.mtail",
        label_names=label_names,
        source="odd.mtail:1:9",
        help_text='A "help" text \\ with\ntwo lines, 100 % \u20ac.',
        buckets=(0, 0.1, 1, 1e6, 1e300) if kind is Kind.HISTOGRAM else (),
    )


def make_histogram(totals: Sequence[float]) -> Metric:
    """Return a histogram that has seen much."""
    metric = make_metric("odd_spread", Kind.HISTOGRAM, ValueType.BUCKETS, "k")
    for place, label in enumerate(LABELS):
        series = metric.new((label,), NOW)
        assert isinstance(series, HistogramDatum)
        series.counts[:] = [place, 0, 2**40, 1, 3]
        series.count, series.total = sum(series.counts), totals[place % len(totals)]
    return metric


def list_expected(metrics: Iterable[Metric]) -> Found:
    """Return what the metrics hold, as samples."""
    found: Found = {}
    for metric in metrics:
        if metric.kind is Kind.TEXT:
            continue
        for labels, series in metric.data.items():
            pairs = [*zip(metric.label_names, map(as_text, labels), strict=True), ("prog", "odd.mtail")]
            if isinstance(series, HistogramDatum):
                bounds = (*metric.bounds, math.inf)
                for place, bound in enumerate(bounds):
                    own = (*pairs, ("le", repr(bound)))
                    found[f"{metric.name}_bucket", tuple(sorted(own))] = sum(series.counts[: place + 1])
                found[f"{metric.name}_sum", tuple(sorted(pairs))] = series.total
                found[f"{metric.name}_count", tuple(sorted(pairs))] = series.count
            else:
                value = series.value
                found[metric.name, tuple(sorted(pairs))] = 0.0 if isinstance(value, bytes) else float(value)
    return found


def as_text(value: bytes) -> str:
    """Return a label value with a U+FFFD for each byte that is not UTF-8."""
    return "".join("\ufffd" if "\udc80" <= one <= "\udcff" else one for one in value.decode(errors="surrogateescape"))


def read_text(page: bytes) -> Iterator[tuple[str, dict[str, str], float, float | None]]:
    """Yield the samples that the client library finds."""
    yield from list_samples(parser.text_string_to_metric_families(page.decode()))


def read_openmetrics(page: bytes) -> Iterator[tuple[str, dict[str, str], float, float | None]]:
    """Yield the samples that its strict reader finds."""
    yield from list_samples(openmetrics_parser.text_string_to_metric_families(page.decode()))  # type: ignore[no-untyped-call]


def list_samples(families: Iterable[ReadFamily]) -> Iterator[tuple[str, dict[str, str], float, float | None]]:
    """Yield name, labels, value and time of each sample."""
    for family in families:
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value, float(sample.timestamp) if sample.timestamp else None


def read_protobuf(page: bytes) -> Iterator[tuple[str, dict[str, str], float, float | None]]:
    """Yield the samples that messages stand for."""
    for family in read_messages(page):
        for metric in family.metric:
            labels = {pair.name: pair.value for pair in metric.label}
            time = metric.timestamp_ms / 1e3 if metric.HasField("timestamp_ms") else None
            if not metric.HasField("histogram"):
                yield family.name, labels, metric.counter.value or metric.gauge.value, time
                continue
            for bucket in metric.histogram.bucket:
                yield f"{family.name}_bucket", labels | {"le": repr(bucket.upper_bound)}, bucket.cumulative_count, time
            yield f"{family.name}_sum", labels, metric.histogram.sample_sum, time
            yield f"{family.name}_count", labels, metric.histogram.sample_count, time


READERS: dict[str, tuple[prometheus.Variant, Read]] = {
    "0.0.4": (prometheus.TEXTS[0], read_text),
    "1.0.0": (prometheus.TEXTS[2], read_text),
    "OpenMetrics 1.0.0": (prometheus.TEXTS[1], read_openmetrics),
    "OpenMetrics 0.0.1": (prometheus.TEXTS[3], read_openmetrics),
    "protobuf": (prometheus.PROTOBUF, read_protobuf),
}


@pytest.mark.parametrize("with_times", [False, True])
@pytest.mark.parametrize("name", READERS)
def test_reader_finds_what_the_store_holds(name: str, *, with_times: bool) -> None:
    """Each sample, its labels, and its value as the nearest double."""
    variant, read = READERS[name]
    metrics = make_metrics(is_strict=variant.is_openmetrics)
    page = prometheus.render(
        view_metrics(metrics), PrometheusOptions(emit_metric_timestamp=with_times), variant=variant
    )
    found: Found = {}
    for sample, labels, value, time in read(page):
        if "le" in labels:
            labels["le"] = repr(float(labels["le"]))
        key = sample, tuple(sorted(labels.items()))
        assert key not in found
        assert time == (SECONDS if with_times else None)
        found[key] = value
    expected = list_expected(metrics)
    assert len(expected) > len(INTS) + 2 * len(FLOATS) + 8 * len(LABELS)
    assert {key: repr(value + 0.0) for key, value in found.items()} == {
        key: repr(value + 0.0) for key, value in expected.items()
    }


@pytest.mark.parametrize("with_times", [False, True])
@pytest.mark.parametrize("name", ["0.0.4", "1.0.0"])
def test_promtool_is_content(name: str, *, with_times: bool) -> None:
    """The real one reads the page to its end, and finds nothing to criticise."""
    options = PrometheusOptions(emit_metric_timestamp=with_times)
    page = prometheus.render(view_metrics(make_metrics()), options, variant=READERS[name][0])
    check = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")
    broken = subprocess.run(["promtool", "check", "metrics"], input=page + b"a{", capture_output=True, check=False)
    assert broken.returncode == 1
