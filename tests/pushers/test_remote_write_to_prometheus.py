"""Pushes by remote write to the real Prometheus: what it has afterwards is what a scrape would have found."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Datum, Exemplar, HistogramDatum, Kind, Metric, Snapshot, Store
from tests.e2e.monitoring import Monitor, serve_prometheus
from tests.ports import find_port
from tests.pushers.awkward import NOW, Sample, list_expected, make_awkward_store, show
from tests.pushers.by_hand import make_counter_store
from tests.pushers.remote_write_push import SECOND, make_metric, pushing

PATH = "/api/v1/write"
RECEIVER = "remote-write-receiver"
"""The feature of Prometheus that takes remote writes."""


def find_datum(store: Store) -> Datum:
    """Return the first series of a counter."""
    datum = find_metric(store).data[b"0",]
    assert isinstance(datum, Datum)
    return datum


def find_metric(store: Store) -> Metric:
    """Return the only metric of a store."""
    (metric,) = store
    return metric


def write_config(folder: Path) -> Path:
    """Return a configuration in which nothing is scraped."""
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1h}\n")
    return config


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """The Prometheus of all tests; what they write has another instance in each."""
    config = write_config(tmp_path_factory.mktemp("prometheus"))
    with serve_prometheus(config, RECEIVER, "native-histograms", "exemplar-storage") as monitor:
        yield monitor


def find_url(monitor: Monitor) -> str:
    """Return where a Prometheus takes remote writes."""
    return f"{str(monitor.client.base_url).rstrip('/')}{PATH}"


def read_samples(monitor: Monitor, selector: str) -> dict[Sample, float]:
    """Return what there is now, by name and the labels that are the metric's own."""
    found = {}
    for row in monitor.query(selector):
        labels = {name: text for name, text in row["metric"].items() if name not in ("__name__", "job", "instance")}
        found[row["metric"]["__name__"], tuple(sorted(labels.items()))] = float(row["value"][1])
    return found


def read_history(monitor: Monitor, selector: str) -> list[tuple[int, float]]:
    """Return the times, in ms, and the values of the only series that a selector finds in the last minutes."""
    (row,) = monitor.query(f"{selector}[10m]")
    return [(round(float(when) * 1000), float(text)) for when, text in row["values"]]


@pytest.mark.slow
async def test_every_value_arrives(prometheus: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    """As a scrape would have it. This Prometheus knows version 1.0 only, which is found out before anything is sent."""
    caplog.set_level(logging.INFO)
    async with pushing(find_url(prometheus), store=make_awkward_store(), host="values", now=time.time_ns()) as push:
        await push()
        assert read_samples(prometheus, '{instance="values"}').keys() == list_expected().keys()
        assert show(read_samples(prometheus, '{instance="values",job="syslog-pipeline"}')) == show(list_expected())
        assert push.task.counts.series == len(list_expected())
    assert f"The receiver of remote write at {push.url} takes version 1.0." in caplog.messages
    assert push.pusher.problems == ()


@pytest.mark.slow
async def test_quantile_of_a_histogram_can_be_asked_for(prometheus: Monitor) -> None:
    """Of its buckets, and of its native ones: the greatest of three sizes is 200."""
    metric = make_metric("sizes", "kind", kind=Kind.HISTOGRAM, buckets=(0, 10, 100, 1000), native=True)
    store = Store()
    store.register([metric])
    series = metric.new((b"a",), NOW)
    assert isinstance(series, HistogramDatum)
    assert series.native is not None
    for size in (5, 7, 200):
        series.native.observe(size)
    series.counts, series.total, series.count = [2, 0, 1, 0], 212.0, 3
    async with pushing(find_url(prometheus), store=store, host="sizes", now=time.time_ns() - 5 * SECOND) as push:
        await push()
        assert prometheus.read('histogram_quantile(1, sizes_bucket{instance="sizes"})') == {"sizes": 1000.0}
        assert prometheus.read('sizes_sum{instance="sizes"}') == {"sizes": 212.0}
        assert prometheus.read('histogram_count(sizes{instance="sizes"})') == {"sizes": 3.0}
        assert prometheus.read('histogram_sum(sizes{instance="sizes"})') == {"sizes": 212.0}
        ((_, quantile),) = prometheus.read('histogram_quantile(1, sizes{instance="sizes"})').items()
        assert 200 <= quantile < 200 * 2 ** (1 / 8)
        metric.delete((b"a",))
        await push()
        assert prometheus.query('{instance="sizes"}') == []


@pytest.mark.slow
async def test_native_histograms_that_are_switched_off_hold_nothing_up(tmp_path: Path) -> None:
    """Prometheus answers as if it were out of order. They wait, which is told, and all else goes on."""
    metric = make_metric("sizes", kind=Kind.HISTOGRAM, buckets=(0, 10), native=True)
    store = make_counter_store(1)
    store.register([metric])
    with serve_prometheus(write_config(tmp_path), RECEIVER) as monitor:
        async with pushing(find_url(monitor), store=store, now=time.time_ns() - 5 * SECOND) as push:
            for number in (1, 2):
                await push()
                assert monitor.read("count_over_time(hits_total[1h])") == {"web1": number}
                assert monitor.read("sizes_count") == {"web1": 0.0}
                assert push.task.last_series == 5
                assert push.pusher.problems == (
                    f"The receiver of remote write at {push.url} does not take native histograms, which wait: "
                    "it answered 500: native histograms are disabled.",
                )
            assert push.task.counts.spooled_bytes > 0
            await push.task.finish()
            assert (
                push.task.failure == "native histograms were not taken: it answered 500: native histograms are disabled"
            )


@pytest.mark.slow
async def test_series_that_is_gone_is_gone_at_once(prometheus: Monitor) -> None:
    """The others are not; and it can come again."""
    async with pushing(find_url(prometheus), host="gone", now=time.time_ns() - 5 * SECOND) as push:
        await push()
        assert prometheus.read('count({instance="gone"})') == {"": 3.0}
        metric = find_metric(push.store)
        metric.delete((b"1",))
        await push()
        assert {row["metric"]["id"] for row in prometheus.query('{instance="gone"}')} == {"0", "2"}
        assert push.pusher.writer.past == {}  # what was kept of the series is let go
        metric.new((b"1",), NOW)
        await push()
        assert prometheus.read('count({instance="gone"})') == {"": 3.0}


@pytest.mark.slow
async def test_samples_of_an_outage_are_there_afterwards(tmp_path: Path) -> None:
    """Each with its time and its value, those of pauses too, before there was any answer and between two runs."""
    config, port = write_config(tmp_path), find_port()
    expected: list[tuple[int, float]] = []
    store = make_counter_store(1)
    datum = find_datum(store)
    begin = time.time_ns() // SECOND * SECOND - 20 * SECOND
    async with pushing(f"http://127.0.0.1:{port}{PATH}", store=store, now=begin) as push:

        def count() -> None:
            datum.value = len(expected) + 1
            expected.append((push.now // 10**6, datum.value))

        for _ in range(2):
            count()
            await push("connection refused")
            count()
            await push.keep()
            count()
            await push("connection refused")
            with serve_prometheus(config, RECEIVER, port=port) as monitor:
                count()
                await push()
                assert read_history(monitor, "hits_total") == expected
        assert (push.task.counts.spooled_bytes, push.task.counts.spool_dropped) == (0, 0)
        assert len(expected) == 8


@pytest.mark.slow
async def test_clock_that_goes_back_is_refused_and_told(prometheus: Monitor) -> None:
    """The samples are dropped, and counted; when the clock is right again, all is well."""
    async with pushing(find_url(prometheus), host="clock", now=time.time_ns() - 30 * SECOND) as push:
        await push()
        push.now -= 20 * SECOND
        await push("it answered 400: out of order sample")
        assert (push.task.counts.rejected, push.task.counts.spooled_bytes) == (3, 0)
        push.now += 30 * SECOND
        await push()
        assert len(read_history(prometheus, 'hits_total{instance="clock",id="1"}')) == 2


@pytest.mark.slow
async def test_exemplars_arrive(prometheus: Monitor) -> None:
    """With what leads to the trace."""
    metric = make_metric("traced_total")
    store = Store()
    store.register([metric])
    metric.new((), NOW)
    now = time.time_ns() // 10**6 * 10**6
    mark = Exemplar((("trace_id", "abc\u00e9"),), 2.0, now)
    async with pushing(find_url(prometheus), store=store, host="traced", now=now) as push:
        (shape,) = store.view().metrics
        await push.pusher.connect()
        await push.pusher.write(Snapshot((replace(shape, exemplars={(): {0: mark}}),)))
        end = now / SECOND
        found = prometheus.ask(
            "/api/v1/query_exemplars", query='{instance="traced"}', start=str(end - 60), end=str(end + 60)
        )
    assert [(one["labels"], one["value"]) for row in found for one in row["exemplars"]] == [
        ({"trace_id": "abc\u00e9"}, "2")
    ]


@pytest.mark.slow
async def test_times_of_the_series_are_those_of_their_last_change(prometheus: Monitor) -> None:
    """With --emit_metric_timestamp. What has not changed is not sent again."""
    now = time.time_ns() // 10**6 * 10**6 - 10 * SECOND
    store = make_counter_store(1)
    datum = find_datum(store)
    options = PrometheusOptions(emit_metric_timestamp=True)
    async with pushing(find_url(prometheus), store=store, host="stamped", options=options, now=now) as push:
        datum.time = now
        await push()
        await push()
        datum.time, datum.value = now + SECOND, 7
        await push()
        assert push.task.counts.series == 2
    assert read_history(prometheus, 'hits_total{instance="stamped"}') == [
        (now // 10**6, 0.0),
        (now // 10**6 + 1000, 7.0),
    ]
