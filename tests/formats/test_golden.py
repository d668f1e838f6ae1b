"""Whole pages, byte for byte. `--update-expected` rewrites the files in `golden/`."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline.formats import LineOptions, PrometheusOptions, graphite, json, prometheus, varz
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Snapshot, Store, ValueType

GOLDEN = Path(__file__).parent / "golden"
NOW = 1_700_000_000_123_456_789


def add_number(metric: Metric, value: int | float | bytes, *labels: bytes) -> None:
    series = metric.data.get(labels) or metric.new(labels, NOW)
    assert isinstance(series, Datum)
    series.value = value
    series.time = NOW


def add_buckets(metric: Metric, counts: list[int], total: float, *labels: bytes) -> None:
    series = metric.data.get(labels) or metric.new(labels, NOW)
    assert isinstance(series, HistogramDatum)
    series.counts[:] = counts
    series.count, series.total, series.time = sum(counts), total, NOW


def make_web() -> list[Metric]:
    """Return the metrics of a program: each kind, labels out of order, values of each form."""
    place = "web.mtail:%d:9-12"
    requests = Metric(
        "http-requests",
        kind=Kind.COUNTER,
        value_type=ValueType.INT,
        program="web.mtail",
        label_names=("method", "code"),
        source=place % 1,
        limit=100,
    )
    add_number(requests, 3, b"POST", b"200")
    add_number(requests, 1234567, b"GET", b"404")
    add_number(requests, 9007199254740993, b"GET", b"200")
    requests.expire_after((b"POST", b"200"), 3_600_000_000_000)
    errors = Metric("errors", kind=Kind.COUNTER, value_type=ValueType.INT, program="web.mtail", source=place % 2)
    load = Metric(
        "load",
        kind=Kind.GAUGE,
        value_type=ValueType.FLOAT,
        program="web.mtail",
        label_names=("of",),
        source=place % 3,
    )
    for name, value in {"a": 0.00001, "b": -0.0, "c": 1e21, "d": math.nan, "e": -math.inf, "f": 123456.75}.items():
        add_number(load, value, name.encode())
    wait = Metric("wait", kind=Kind.TIMER, value_type=ValueType.FLOAT, program="web.mtail", source=place % 4)
    add_number(wait, 12345678.5)
    message = Metric("message", kind=Kind.TEXT, value_type=ValueType.STRING, program="web.mtail", source=place % 5)
    add_number(message, b'<a href="x">\\ & caf\xc3\xa9 \xe2\x80\xa8\xff\x01\ttab</a>')
    word = Metric("word", kind=Kind.GAUGE, value_type=ValueType.STRING, program="web.mtail", source=place % 6)
    add_number(word, b"a word")
    secret = Metric(
        "secret", kind=Kind.GAUGE, value_type=ValueType.INT, program="web.mtail", source=place % 7, hidden=True
    )
    add_number(secret, 1)
    unseen = Metric("unseen", kind=Kind.GAUGE, value_type=ValueType.INT, program="web.mtail", source=place % 8)
    size = Metric(
        "size",
        kind=Kind.HISTOGRAM,
        value_type=ValueType.BUCKETS,
        program="web.mtail",
        label_names=("path",),
        source=place % 9,
        buckets=(0, 0.5, 10, 2_000_000),
    )
    add_buckets(size, [1, 0, 2, 3], 7000000.25, b'/"q"\\\n')
    add_buckets(size, [0, 4, 0, 0], 12.0, b"/")
    empty = Metric(
        "empty",
        kind=Kind.HISTOGRAM,
        value_type=ValueType.BUCKETS,
        program="web.mtail",
        source=place % 10,
        buckets=(1, 2),
    )
    return [requests, errors, load, wait, message, word, secret, unseen, size, empty]


def make_snapshot() -> Snapshot:
    """Return what two programs and the daemon keep."""
    store = Store()
    store.register(make_web())
    requests = Metric(
        "http-requests",
        kind=Kind.COUNTER,
        value_type=ValueType.FLOAT,
        program="proxy.mtail",
        label_names=("zone",),
        source="proxy.mtail:1:9",
    )
    add_number(requests, 0.5, b"b")
    add_number(requests, 2.0, b"a")
    store.register([requests])
    loads = Metric(
        "syslog_pipeline_prog_loads_total",
        kind=Kind.COUNTER,
        value_type=ValueType.INT,
        label_names=("prog",),
        help_text="Times a program was loaded.",
        source="syslog-pipeline",
    )
    add_number(loads, 2, b"web.mtail")
    store.register([loads])
    return store.snapshot()


OPENMETRICS = prometheus.TEXTS[1]

PAGES: dict[str, Callable[[Snapshot], bytes]] = {
    "metrics.txt": prometheus.render,
    "metrics-without-prog.txt": lambda snapshot: prometheus.render(snapshot, PrometheusOptions(emit_prog_label=False)),
    "metrics-with-times.txt": lambda snapshot: prometheus.render(
        snapshot, PrometheusOptions(emit_metric_timestamp=True)
    ),
    "metrics.openmetrics": partial(prometheus.render, variant=OPENMETRICS),
    "metrics-with-times.openmetrics": partial(
        prometheus.render, options=PrometheusOptions(emit_metric_timestamp=True), variant=OPENMETRICS
    ),
    "page.json": json.render,
    "varz.txt": lambda snapshot: varz.render(snapshot, LineOptions(instance="host.example")),
    "varz-without-prog.txt": lambda snapshot: varz.render(
        snapshot, LineOptions(instance="host.example", emit_prog_label=False)
    ),
    "graphite.txt": graphite.render,
    "graphite-with-prefix.txt": lambda snapshot: graphite.render(snapshot, LineOptions(graphite_prefix="logs.100%.")),
    "one-shot.json": lambda snapshot: json.render_one_shot(snapshot.select_programs()),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_as_expected(name: str, update_expected: bool) -> None:
    """Each format, with each option."""
    page = PAGES[name](make_snapshot())
    if update_expected:
        (GOLDEN / name).write_bytes(page)
    assert page == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("name", PAGES)
def test_rendering_changes_nothing(name: str) -> None:
    """The snapshot is the same after it, and the same page comes out again."""
    snapshot = make_snapshot()
    first = PAGES[name](snapshot)
    assert PAGES[name](snapshot) == first
    # NaN differs from itself, so that the texts are compared.
    assert [repr(metric.series) for metric in snapshot.metrics] == [
        repr(metric.series) for metric in make_snapshot().metrics
    ]
