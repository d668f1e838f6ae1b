"""What it takes to write 100,000 series in each format, beside Prometheus' own client library for Python.

In this process, without a daemon, a socket or compression: a format takes a view of the store and gives bytes.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import prometheus_client
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_latest_openmetrics

from pipeline.formats import LineOptions, PrometheusOptions, carbon, collectd, graphite, json, prometheus, statsd, varz
from pipeline.formats.otlp import Writer as OtlpWriter
from pipeline.formats.otlp import make_resource
from pipeline.formats.prometheus.remote_write import Message1, Message2, Request
from pipeline.formats.prometheus.remote_write import Writer as RemoteWriter
from pipeline.metrics import Datum, Kind, Metric, Snapshot, Store, ValueType
from tests.bench import series
from tests.bench.plan import Bench

GROUP = "render"
SERIES = 100_000
AGAIN = 3
"""How often each is rendered after the first time, in one run."""

NOW = 1_700_000_000 * 10**9
HOST = "loghost.example.com"
LIBRARY = "client_python"

Sizes = Iterator[int]
"""How many bytes each piece has."""

ABOUT = (
    f"{SERIES:,} series of one counter by two labels, all of which have changed since the last time. First is with "
    "nothing kept from before, again with what a format keeps: the text of the labels, or what was told before; ns are "
    f"CPU time per series. The ratios are the times of `generate_latest` of Prometheus' {LIBRARY}, for text 0.0.4, by "
    "those of the format. The Pushgateway and the textfile collector get the Prometheus text. gzip and Snappy are not "
    "in it."
)


@dataclass(frozen=True, slots=True)
class Data:
    """The same series, in our store and in that of the library."""

    counter: Metric
    store: Store
    registry: CollectorRegistry
    others: list[Counter]

    def change_all(self) -> None:
        for one in self.counter.data.values():
            assert isinstance(one, Datum)
            assert isinstance(one.value, int)
            one.value += 1
        for other in self.others:
            other.inc()


Render = Callable[[Data], Sizes]
"""Renders all series, and keeps for the next time what its format keeps."""


def render_prometheus(variant: prometheus.Variant) -> Render:
    page = prometheus.Page(PrometheusOptions())

    def render(data: Data) -> Sizes:
        for _ in page.refresh(data.store.view()):
            pass
        return map(len, page.write(variant))

    return render


def render_pieces(write: Callable[[Snapshot], Iterator[bytes]]) -> Render:
    return lambda data: map(len, write(data.store.view()))


def render_statsd() -> Render:
    told = statsd.Told(NOW)

    def render(data: Data) -> Sizes:
        for piece in statsd.Writer("", told).write(data.store.view()):
            piece.note()
            yield len(piece.data)

    return render


def render_collectd() -> Render:
    def render(data: Data) -> Sizes:
        for commands in collectd.Writer(HOST, "", 60).write(data.store.view()):
            yield sum(map(len, commands.lines))

    return render


def render_otlp() -> Render:
    resource = make_resource([("service.name", "syslog-pipeline")])

    def render(data: Data) -> Sizes:
        for request in OtlpWriter(resource, PrometheusOptions(), NOW).write(data.store.view()):
            yield len(request.body) if request else 0

    return render


def render_remote_write(write: Callable[[Snapshot, int], Iterator[Request | None]]) -> Render:
    moments = count(NOW // 10**6)

    def render(data: Data) -> Sizes:
        for request in write(data.store.view(), next(moments)):
            yield len(request.body) if request else 0

    return render


def render_library(generate: Callable[[CollectorRegistry], bytes]) -> Render:
    def render(data: Data) -> Sizes:
        yield len(generate(data.registry))

    return render


LINE_OPTIONS = LineOptions(instance=HOST)
BASE = f"{LIBRARY} text"

FORMATS: dict[str, Callable[[], Render]] = {
    BASE: lambda: render_library(generate_latest),
    f"{LIBRARY} OpenMetrics": lambda: render_library(generate_latest_openmetrics),
    "Prometheus text": lambda: render_prometheus(prometheus.TEXT),
    "OpenMetrics": lambda: render_prometheus(prometheus.TEXTS[1]),
    "protobuf": lambda: render_prometheus(prometheus.PROTOBUF),
    "/json": lambda: render_pieces(json.write),
    "/varz": lambda: render_pieces(lambda snapshot: varz.write(snapshot, LINE_OPTIONS, [])),
    "/graphite": lambda: render_pieces(lambda snapshot: graphite.write(snapshot, LINE_OPTIONS, [])),
    "push to Graphite": lambda: render_pieces(lambda snapshot: carbon.Writer("").write(snapshot)),
    "push to statsd": render_statsd,
    "push to collectd": render_collectd,
    "push over OTLP": render_otlp,
    "remote write 1.0": lambda: render_remote_write(RemoteWriter(Message1, PrometheusOptions()).write),
    "remote write 2.0": lambda: render_remote_write(RemoteWriter(Message2, PrometheusOptions()).write),
}
"""By the name of the row: what makes a renderer that has kept nothing yet."""

NAMES = tuple(FORMATS)


def run(bench: Bench) -> None:
    data = make_data(SERIES)
    headings = ("format", "first ns", "again ns", "bytes", "first ratio", "ratio")
    table = bench.report.open_table("Formats", ABOUT, headings)
    bases: tuple[float, float] | None = None
    for name, make in FORMATS.items():
        if name != BASE and not bench.wants(name):
            continue
        bench.report.progress(f"rendering {SERIES:,} series: {name}")
        first, again, size = measure(make, data, bench.plan.runs)
        bases = bases or (first, again)
        ratios = (f"{base / own:.2f}×" for base, own in zip(bases, (first, again), strict=True))
        bench.report.add_row(
            table,
            name,
            *(f"{seconds * 1e9 / SERIES:.0f}" for seconds in (first, again)),
            f"{size / SERIES:.0f}",
            *ratios,
        )


def make_data(number_of_series: int) -> Data:
    """Return the series that the lines of `series` make."""
    counter = Metric(
        series.METRIC,
        kind=Kind.COUNTER,
        value_type=ValueType.INT,
        program="series.mtail",
        label_names=("client", "page"),
        source="series.mtail:1:9-28",
    )
    store, registry = Store(), CollectorRegistry()
    store.register([counter])
    # The library would have a second series for each, which tells when it began.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    family = Counter(series.METRIC, "The same.", ["client", "page", "prog"], registry=registry)
    others = []
    for number in range(number_of_series):
        _, client, page = series.spell_line(number).split()
        counter.new((client, page), NOW)
        others.append(family.labels(client.decode(), page.decode(), "series.mtail"))
    return Data(counter, store, registry, others)


def measure(make: Callable[[], Render], data: Data, runs: int) -> tuple[float, float, int]:
    """Return the CPU seconds of the first and of a later rendering, as medians, and how many bytes come out."""
    firsts, agains, size = [], [], 0
    for _ in range(runs):
        render = make()
        firsts.append(time_rendering(render, data)[0])
        for _ in range(AGAIN):
            seconds, size = time_rendering(render, data)
            agains.append(seconds)
    return statistics.median(firsts), statistics.median(agains), size


def time_rendering(render: Render, data: Data) -> tuple[float, int]:
    data.change_all()
    gc.collect()
    begin = time.process_time()
    size = sum(render(data))
    return time.process_time() - begin, size
