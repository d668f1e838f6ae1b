"""The daemon's own metrics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.metrics import HistogramValue, Kind, Lifetimes, Metric, Store, ValueType
from pipeline.own_metrics import OF_PROCESS, OF_PROGRAMS, OF_RECORDS, OF_SOURCES, OWN_METRICS, PREFIX
from pipeline.telemetry import PushCounts, RecordCounts, SourceCounts, StateCounts, Telemetry

NOW = 1_700_000_000 * 10**9


def read_series(telemetry: Telemetry, name: str) -> dict[tuple[bytes, ...], object]:
    (metric,) = (m for m in telemetry.store.snapshot().metrics if m.name == name or m.name == PREFIX + name)
    return {series.labels: series.value for series in metric.series}


def test_counts_of_sources_and_programs_are_written() -> None:
    """One series for each source or program, from zero on, so that a rate sees the first failure."""
    telemetry = Telemetry(Store())
    counts = SourceCounts(b"/log", lines_truncated=2)
    telemetry.add_source(counts)
    telemetry.program("a.mtail").loads += 1
    telemetry.collect(NOW)
    assert read_series(telemetry, "lines_truncated_total") == {(b"/log",): 2}
    assert read_series(telemetry, "log_errors_total") == {(b"/log",): 0}
    assert read_series(telemetry, "log_lines_total") == {(b"/log",): 0}
    assert read_series(telemetry, "prog_loads_total") == {(b"a.mtail",): 1}
    assert read_series(telemetry, "prog_runtime_errors_total") == {(b"a.mtail",): 0}
    assert read_series(telemetry, "build_info") == {(__version__.encode(),): 1}


def test_every_field_has_its_metric() -> None:
    """A count that nobody can see is no count; one is only logged, at the end, and one is for the watchdog."""
    telemetry = Telemetry(Store())
    records = RecordCounts()
    telemetry.add_source(SourceCounts(b"/log", records=records))
    source, program = telemetry.sources[0], telemetry.program("a.mtail")
    fields = [name for name in OF_PROGRAMS if name != "lines_unmatched"]
    for value, name in enumerate(OF_SOURCES, start=1):
        setattr(source, name, value)
    for value, name in enumerate(OF_RECORDS, start=1):
        setattr(records, name, value)
    for value, name in enumerate(fields, start=1):
        setattr(program, name, value)
    program.lines_in_vain = 30
    assert set(SourceCounts.__slots__) == {"origin", "bytes_left", "arrivals", "records", *OF_SOURCES}
    assert set(RecordCounts.__slots__) == set(OF_RECORDS)
    assert set(type(program).__slots__) == {"name", "running", "times", "lines_in_vain", *fields}
    telemetry.collect(NOW)
    for value, name in enumerate(OF_SOURCES, start=1):
        assert read_series(telemetry, OF_SOURCES[name].name) == {(b"/log",): value}
    for value, name in enumerate(OF_RECORDS, start=1):
        assert read_series(telemetry, OF_RECORDS[name].name) == {(b"/log",): value}
    for value, name in enumerate(fields, start=1):
        assert read_series(telemetry, OF_PROGRAMS[name].name) == {(b"a.mtail",): value}
    assert read_series(telemetry, "prog_lines_unmatched_total") == {(b"a.mtail",): 30 + program.lines_skipped}


def test_lines_are_counted_in_all_and_per_origin() -> None:
    """An origin need not be a source: `replay` has none."""
    telemetry = Telemetry(Store())
    telemetry.count_batch(b"/log", 2)
    telemetry.count_batch(b"-", 1)
    telemetry.count_batch(b"/log", 3)
    telemetry.collect(NOW)
    assert read_series(telemetry, "lines_total") == {(): 6}
    assert read_series(telemetry, "log_lines_total") == {(b"/log",): 5, (b"-",): 1}
    assert read_series(telemetry, "log_batches_total") == {(b"/log",): 2, (b"-",): 1}
    assert telemetry.log_lines == {b"/log": 5, b"-": 1}


def test_sources_that_are_read_are_counted() -> None:
    """One that was forgotten is none of them, and its series are gone."""
    telemetry = Telemetry(Store())
    sources = [SourceCounts(b"/log"), SourceCounts(b"/other")]
    for source in sources:
        telemetry.add_source(source)
    telemetry.add_source(sources[0])  # a source that is opened again is the same
    telemetry.collect(NOW)
    assert read_series(telemetry, "log_sources") == {(): 2}
    telemetry.count_batch(b"/log", 7)
    telemetry.count_batch(b"/other", 2)
    telemetry.remove_source(sources[0])
    telemetry.collect(NOW)
    assert telemetry.lines == 9
    assert read_series(telemetry, "log_sources") == {(): 1}
    assert read_series(telemetry, "log_batches_total") == {(b"/other",): 1}


def test_durations_are_written_as_histograms() -> None:
    """A duration at a bound is below it."""
    telemetry = Telemetry(Store())
    for duration in (0, 1000, 1001, 5 * 10**9):
        telemetry.batches.observe(duration)
    telemetry.program("a.mtail").times.lines.observe(8_192_000)
    telemetry.collect(NOW)
    (batches,) = read_series(telemetry, "batch_duration_seconds").values()
    (lines,) = read_series(telemetry, "prog_line_duration_seconds").values()
    assert batches == HistogramValue((2, 1, *[0] * 10, 1), 5.000002001, 4)
    assert lines == HistogramValue((*[0] * 13, 1, 0), 0.008192, 1)


def test_pushes_are_counted_for_each_destination() -> None:
    """From zero on; when one went well the last time is there when one has."""
    telemetry = Telemetry(Store())
    telemetry.pushes = [PushCounts("graphite", 3, 1, 20, last_success=NOW), PushCounts("other")]
    telemetry.pushes[0].durations.observe(1_000_000)
    telemetry.collect(NOW)
    assert read_series(telemetry, "push_total") == {(b"graphite",): 3, (b"other",): 0}
    assert read_series(telemetry, "push_failures_total") == {(b"graphite",): 1, (b"other",): 0}
    assert read_series(telemetry, "push_series_total") == {(b"graphite",): 20, (b"other",): 0}
    assert read_series(telemetry, "push_last_success_timestamp_seconds") == {(b"graphite",): NOW / 10**9}
    durations = read_series(telemetry, "push_duration_seconds")
    assert durations[b"graphite",] == HistogramValue((1, *[0] * 8), 0.001, 1)
    assert durations[b"other",] == HistogramValue((0,) * 9, 0.0, 0)


def test_process_is_measured() -> None:
    """Under the names that dashboards know, without our prefix."""
    telemetry = Telemetry(Store())
    telemetry.collect(NOW)
    for own in OF_PROCESS.values():
        assert own.full_name.startswith("process_")
        (value,) = read_series(telemetry, own.full_name).values()
        assert isinstance(value, int | float)
        assert value > 0


def test_what_the_kernel_does_not_tell_is_left_out(tmp_path: Path) -> None:
    """Where there is no /proc, what comes from elsewhere is shown."""
    telemetry = Telemetry(Store(), proc=tmp_path)
    telemetry.collect(NOW)
    shown = [own.name for own in OF_PROCESS.values() if read_series(telemetry, own.name)]
    assert shown == ["process_cpu_seconds_total", "process_max_fds"]


def test_series_is_stamped_when_its_value_changed() -> None:
    """So a push sends what is new."""
    telemetry = Telemetry(Store())
    telemetry.collect(NOW)
    telemetry.count_batch(b"/log", 1)
    telemetry.collect(NOW + 1)
    telemetry.collect(NOW + 2)
    stamps = {metric.name: [series.time for series in metric.series] for metric in telemetry.store.snapshot().metrics}
    assert stamps["syslog_pipeline_lines_total"] == [NOW + 1]
    assert stamps["syslog_pipeline_build_info"] == [NOW]


def test_exemplars_that_are_too_long_are_counted() -> None:
    """For metrics whose program gives some, from zero on."""
    telemetry = Telemetry(Store())
    (counter,) = telemetry.store.register(
        [Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", has_exemplars=True)]
    )
    telemetry.store.register([make_limited("plain")])
    for count in (0, 1):
        telemetry.collect(NOW)
        assert read_series(telemetry, "exemplars_too_long_total") == {(b"a.mtail", b"c"): count}
        counter.keep_exemplar(counter.data[()], 0, (("trace_id",), (b"x" * 1000,), 1, NOW))


def make_limited(name: str, limit: int = 0, value_type: ValueType = ValueType.INT, *labels: str) -> Metric:
    return Metric(
        name,
        kind=Kind.TEXT if value_type is ValueType.STRING else Kind.GAUGE,
        value_type=value_type,
        program="a.mtail",
        label_names=labels,
        limit=limit,
    )


def test_what_expires_is_counted_where_anything_can() -> None:
    """From zero on, whether the program says so or the operator."""
    store = Store(lifetimes=Lifetimes((("lasting", 5),)))
    telemetry = Telemetry(store)
    metrics = [make_limited(name, 0, ValueType.INT, "k") for name in ("lasting", "marked", "plain")]
    metrics[1].expires = True
    store.register(metrics)
    for metric in metrics:
        metric.new((b"1",), NOW)
    metrics[1].expire_after((b"1",), 7)
    for later, lasting, marked in ((0, 0, 0), (6, 1, 0), (8, 1, 1), (100, 1, 1)):
        store.sweep(NOW + later)
        telemetry.collect(NOW + later)
        expected = {(b"a.mtail", b"lasting"): lasting, (b"a.mtail", b"marked"): marked}
        assert read_series(telemetry, "series_expired_total") == expected


def test_metrics_of_one_name_are_counted_together() -> None:
    """A program may declare two that are not one metric; what becomes of either is lost to the same reader."""
    telemetry = Telemetry(Store())
    metrics = [make_limited("same", 1, ValueType.INT, label) for label in ("k", "j")]
    for metric, series in zip(telemetry.store.register(metrics), (3, 6), strict=True):
        for number in range(series):
            metric.new((b"%d" % number,), NOW)
    telemetry.collect(NOW)
    assert read_series(telemetry, "series_evicted_total") == {(b"a.mtail", b"same"): 2 + 5}


def test_own_series_begin_before_what_they_count() -> None:
    """At the start, or when they were not there yet: Prometheus takes a start that comes later for one from zero."""
    telemetry = Telemetry(Store(), NOW - 9)
    telemetry.server.connections_evicted = 7
    telemetry.batches.observe(1)
    telemetry.add_source(SourceCounts(b"/log", opens=5))
    telemetry.collect(NOW)
    telemetry.add_source(SourceCounts(b"/later", opens=3))
    telemetry.collect(NOW + 5)
    telemetry.collect(NOW + 7)
    starts = {
        (metric.name.removeprefix(PREFIX), *series.labels): series.start
        for metric in telemetry.store.snapshot().metrics
        for series in metric.series
    }
    assert starts["log_opens_total", b"/log"] == starts["http_connections_evicted_total",] == NOW - 9
    assert starts["batch_duration_seconds",] == NOW - 9
    assert starts["log_opens_total", b"/later"] == NOW


def test_what_limits_do_is_counted_per_metric_from_zero_on() -> None:
    """So that a rate sees the first time; of the limits that a metric cannot meet, nothing is said."""
    store = Store(max_series=1, max_label_value_bytes=4)
    telemetry = Telemetry(store)
    limited, capped, text, _ = store.register(
        [
            make_limited("limited", 1, ValueType.INT, "k"),
            make_limited("capped", 0, ValueType.INT, "k"),
            make_limited("text", 0, ValueType.STRING),
            make_limited("plain"),
        ]
    )
    names = ("series_evicted_total", "series_overflows_total", "label_values_too_long_total", "texts_cut_total")

    def read_limits() -> list[dict[bytes, object]]:
        telemetry.collect(NOW)
        return [{labels[1]: value for labels, value in read_series(telemetry, name).items()} for name in names]

    assert read_limits() == [{b"limited": 0}, {b"capped": 0}, {b"limited": 0, b"capped": 0}, {b"text": 0}]
    for metric in (limited, capped):
        metric.new((b"1",), NOW)
        metric.new((b"2",), NOW)
    limited.new((b"x" * 5,), NOW)
    text.cut_text(b"x" * 5)
    telemetry.program("a.mtail").running = True
    assert read_limits() == [{b"limited": 1}, {b"capped": 1}, {b"limited": 1, b"capped": 0}, {b"text": 1}]
    assert read_series(telemetry, "series") == {(): 2}
    assert read_series(telemetry, "programs_running") == {(): 1}
    store.take_out("a.mtail")
    assert read_limits() == [{}] * 4


@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.GAUGE, Kind.TEXT])
@pytest.mark.parametrize("name", ["syslog_pipeline_lines_total", "process_open_fds"])
def test_program_may_have_a_metric_of_our_name(name: str, kind: Kind) -> None:
    """Ours is not shown as long as there is theirs, of whatever kind; it goes on counting meanwhile."""
    telemetry = Telemetry(Store())
    value_type = ValueType.STRING if kind is Kind.TEXT else ValueType.INT
    theirs = Metric(name, kind=kind, value_type=value_type, program="a.mtail")
    telemetry.store.register([theirs])
    telemetry.collect(NOW)
    shown = [metric for metric in telemetry.store.snapshot().metrics if metric.name == name]
    assert [metric.program for metric in shown] == ["a.mtail"]
    telemetry.store.take_out("a.mtail")
    assert read_series(telemetry, name)


def test_our_metric_stays_beside_a_hidden_one_of_its_name() -> None:
    """A program that shows nothing under the name takes nothing away."""
    telemetry = Telemetry(Store())
    name = "process_open_fds"
    theirs = Metric(name, kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", hidden=True)
    telemetry.store.register([theirs])
    assert [metric.program for metric in telemetry.store.view().metrics if metric.name == name] == ["", "a.mtail"]


def test_writes_of_the_state_are_shown() -> None:
    """The time of the last one as soon as there is one."""
    telemetry = Telemetry(Store())
    telemetry.state = StateCounts(write_failures=2)
    telemetry.collect(NOW)
    assert read_series(telemetry, "state_write_failures_total") == {(): 2}
    assert read_series(telemetry, "state_last_write_timestamp_seconds") == {}
    telemetry.state.last_write = NOW
    telemetry.collect(NOW)
    assert read_series(telemetry, "state_last_write_timestamp_seconds") == {(): NOW / 10**9}


def test_names_follow_the_conventions() -> None:
    """Counters end in `_total`, nothing else does; each has a help text of one sentence."""
    assert len({own.full_name for own in OWN_METRICS}) == len(OWN_METRICS)
    for own in OWN_METRICS:
        assert own.name.endswith("_total") == (own.kind is Kind.COUNTER)
        assert re.fullmatch(r"[A-Z].*\.", own.help)
