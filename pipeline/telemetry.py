"""The metrics that the daemon keeps about itself, in the same store as those of the programs.

What is busy counts in plain numbers (`SourceCounts`, `ProgramCounts`), once for each batch.
`collect` writes them into the store and is called before a snapshot is taken. What mtail counts
too has mtail's name after our prefix (behaviour.md section 7). What is true of any process has the
name that Prometheus's client libraries give it, without a prefix.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import __version__
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Store, ValueType
from pipeline.process import PROC, read_usage

PREFIX = "syslog_pipeline_"
NANOSECONDS = 1_000_000_000

DURATION_BOUNDS = tuple(1000 << exponent for exponent in range(14))
"""Nanoseconds that one line may take, from 1 µs to 8 ms: programs take 0.2 to 20 µs for a usual line."""

BATCH_BOUNDS = tuple(1000 * 4**exponent for exponent in range(12))
"""Nanoseconds that all programs may take for one batch, from 1 µs to 4 s: it holds tens of lines, or thousands."""


@dataclass(slots=True)
class SourceCounts:
    """What one source counts about itself. `origin` is its name, as `getfilename()` returns it."""

    origin: bytes
    bytes_read: int = 0
    lines_truncated: int = 0
    lines_partial: int = 0
    errors: int = 0
    opens: int = 0
    closes: int = 0
    file_truncates: int = 0
    lag_bytes: int = 0
    connections: int = 0
    connections_refused: int = 0
    datagrams_dropped: int = 0
    bytes_left: int = 0
    """What was still unread when there was no time to go on, at the end."""
    arrivals: int = 0
    """Connections that were let in, and bursts of datagrams: progress, also where they hold no byte."""


@dataclass(slots=True)
class ServerCounts:
    """What the HTTP server counts about itself."""

    connections_evicted: int = 0


@dataclass(slots=True)
class OriginCounts:
    """What came from one origin."""

    lines: int = 0
    batches: int = 0


@dataclass(slots=True)
class Durations:
    """How often something took how long, in nanoseconds."""

    bounds: tuple[int, ...]
    total: int = 0
    by_bound: list[int] = field(default_factory=list)
    """How many took up to each bound, and how many longer than the last; not cumulative."""

    def __post_init__(self) -> None:
        self.by_bound = self.by_bound or [0] * (len(self.bounds) + 1)

    def observe(self, duration: int) -> None:
        """Count one of them."""
        self.by_bound[bisect_left(self.bounds, duration)] += 1
        self.total += duration


@dataclass(slots=True)
class RunTimes:
    """How long a program took for its lines, as samples tell, in nanoseconds."""

    run_ns: int = 0
    """For all lines together."""
    lines: Durations = field(default_factory=lambda: Durations(DURATION_BOUNDS))
    """For each sampled line."""


@dataclass(slots=True)
class ProgramCounts:
    """What is counted about one program, for as long as the daemon runs, whatever versions of it come and go."""

    name: str
    running: bool = False
    lines: int = 0
    lines_in_vain: int = 0
    """Lines that it was run on and did not match."""
    loads: int = 0
    load_errors: int = 0
    unloads: int = 0
    runtime_errors: int = 0
    lines_skipped: int = 0
    sieved: bool = False
    sieve_faults: int = 0
    times: RunTimes = field(default_factory=RunTimes)

    @property
    def lines_unmatched(self) -> int:
        """Lines that it did not match: the sieve keeps back no others."""
        return self.lines_in_vain + self.lines_skipped


@dataclass(slots=True)
class ReloadCounts:
    """How the programs were loaded: at the start, and again when that was asked for. Times are in ns since 1970."""

    succeeded: int = 0
    failed: int = 0
    """Of the reloads; one with a program that could not be loaded has failed."""
    last_successful: bool = False
    last_success: int = 0
    """Of these the start is one."""

    def note(self, *, successful: bool, now: int) -> None:
        """Note how it went this time."""
        self.last_successful = successful
        if successful:
            self.last_success = now


@dataclass(slots=True)
class StateCounts:
    """How the writing of the state file goes. Times are in ns since 1970."""

    write_failures: int = 0
    last_write: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class OwnMetric:
    """One row of the tables below; `help` is the metric's help text. There is one of each, which `collect` looks up."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.COUNTER
    value_type: ValueType = ValueType.INT
    buckets: tuple[float, ...] = ()
    prefix: str = PREFIX

    @property
    def full_name(self) -> str:
        """The name as it is exported."""
        return self.prefix + self.name


LINES = OwnMetric("lines_total", "Lines given to the programs.")
LOG_LINES = OwnMetric("log_lines_total", "Lines per source.", ("logfile",))
LOG_BATCHES = OwnMetric("log_batches_total", "Batches of lines per source.", ("logfile",))
LOG_SOURCES = OwnMetric("log_sources", "Sources that are read now.", (), Kind.GAUGE)
BATCH_DURATION = OwnMetric(
    "batch_duration_seconds",
    "Time that all programs together took for one batch, of those of 4 KiB or more.",
    (),
    Kind.HISTOGRAM,
    ValueType.BUCKETS,
    tuple(bound / NANOSECONDS for bound in BATCH_BOUNDS),
)
BUILD_INFO = OwnMetric("build_info", "The version that runs; always 1.", ("version",), Kind.GAUGE)
PROGRAMS_RUNNING = OwnMetric("programs_running", "Programs that get lines now.", (), Kind.GAUGE)
SERIES = OwnMetric("series", "Series of all metrics of all programs.", (), Kind.GAUGE)

OF_LIMITS = {
    "evictions": OwnMetric(
        "series_evicted_total", "Series that made room at the `limit` of their metric.", ("prog", "metric")
    ),
    "overflows": OwnMetric(
        "series_overflows_total",
        "New series that were not kept, because their metric has --max_series_per_metric already.",
        ("prog", "metric"),
    ),
    "values_too_long": OwnMetric(
        "label_values_too_long_total",
        "New series that were not kept, because a label value is longer than --max_label_value_bytes.",
        ("prog", "metric"),
    ),
    "texts_cut": OwnMetric(
        "texts_cut_total", "Texts of metrics that were cut to --max_label_value_bytes.", ("prog", "metric")
    ),
}
"""Per field of `Metric`."""

OF_SOURCES = {
    "bytes_read": OwnMetric("log_bytes_total", "Bytes read from a source.", ("logfile",)),
    "lines_truncated": OwnMetric(
        "lines_truncated_total", "Lines longer than --max_line_bytes, which were cut.", ("logfile",)
    ),
    "lines_partial": OwnMetric(
        "lines_partial_total",
        "Lines delivered without a line feed, because none came within --partial_line_timeout or before the end.",
        ("logfile",),
    ),
    "errors": OwnMetric("log_errors_total", "Failures of a source to open or read.", ("logfile",)),
    "opens": OwnMetric("log_opens_total", "Files opened.", ("logfile",)),
    "closes": OwnMetric("log_closes_total", "Files closed.", ("logfile",)),
    "file_truncates": OwnMetric("file_truncates_total", "Files found shorter than what was read.", ("logfile",)),
    "lag_bytes": OwnMetric(
        "log_lag_bytes", "Bytes that a file holds and that are not read yet.", ("logfile",), Kind.GAUGE
    ),
    "connections": OwnMetric("connections", "Connections open now.", ("logfile",), Kind.GAUGE),
    "connections_refused": OwnMetric(
        "connections_refused_total", "Connections closed at once, because there were too many.", ("logfile",)
    ),
    "datagrams_dropped": OwnMetric(
        "datagrams_dropped_total", "Datagrams that the kernel dropped, because too many waited.", ("logfile",)
    ),
}
"""Per field of `SourceCounts`."""

OF_PROGRAMS = {
    "lines": OwnMetric("prog_lines_total", "Lines passed to a program, or to the sieve before it.", ("prog",)),
    "lines_unmatched": OwnMetric(
        "prog_lines_unmatched_total",
        "Lines on which a program came to no block that changes a metric, those included that the sieve kept from it.",
        ("prog",),
    ),
    "lines_skipped": OwnMetric(
        "prog_lines_skipped_total",
        "Lines that the sieve kept from a program, because they could not matter to it.",
        ("prog",),
    ),
    "sieved": OwnMetric(
        "prog_sieved",
        "Whether the sieve stands before a program at present (1), or would not pay or cannot be (0).",
        ("prog",),
        Kind.GAUGE,
    ),
    "sieve_faults": OwnMetric(
        "prog_sieve_faults_total",
        "Lines on which --sieve=check found that the sieve had kept something from a program.",
        ("prog",),
    ),
    "loads": OwnMetric("prog_loads_total", "Times a program was loaded.", ("prog",)),
    "load_errors": OwnMetric("prog_load_errors_total", "Times a program could not be loaded.", ("prog",)),
    "unloads": OwnMetric("prog_unloads_total", "Times a program was unloaded.", ("prog",)),
    "runtime_errors": OwnMetric("prog_runtime_errors_total", "Lines on which a program failed.", ("prog",)),
}
"""Per field of `ProgramCounts`."""

OF_SERVER = {
    "connections_evicted": OwnMetric(
        "http_connections_evicted_total", "Idle connections of HTTP clients closed to make room for new ones."
    ),
}
"""Per field of `ServerCounts`."""

OF_PROCESS = {
    "cpu_seconds": OwnMetric(
        "process_cpu_seconds_total",
        "Processor time spent, in user and system mode.",
        value_type=ValueType.FLOAT,
        prefix="",
    ),
    "open_fds": OwnMetric("process_open_fds", "File descriptors open now.", (), Kind.GAUGE, prefix=""),
    "max_fds": OwnMetric("process_max_fds", "File descriptors that may be open.", (), Kind.GAUGE, prefix=""),
    "resident_bytes": OwnMetric("process_resident_memory_bytes", "Memory that is resident.", (), Kind.GAUGE, prefix=""),
    "virtual_bytes": OwnMetric("process_virtual_memory_bytes", "Memory that is mapped.", (), Kind.GAUGE, prefix=""),
    "start_seconds": OwnMetric(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970.",
        (),
        Kind.GAUGE,
        ValueType.FLOAT,
        prefix="",
    ),
}
"""Per field of `ProcessUsage`."""

RUN_SECONDS = OwnMetric(
    "prog_run_seconds_total",
    "Time a program took for its lines, estimated from samples.",
    ("prog",),
    value_type=ValueType.FLOAT,
)
LINE_DURATION = OwnMetric(
    "prog_line_duration_seconds",
    "Time a program took for one line; of sampled lines.",
    ("prog",),
    Kind.HISTOGRAM,
    ValueType.BUCKETS,
    tuple(bound / NANOSECONDS for bound in DURATION_BOUNDS),
)

RELOADS = OwnMetric(
    "reloads_total", "Reloads of the programs; one with a program that could not be loaded has failed.", ("outcome",)
)
RELOAD_SUCCESSFUL = OwnMetric(
    "config_last_reload_successful", "Whether all programs could be loaded the last time (1).", (), Kind.GAUGE
)
RELOAD_TIME = OwnMetric(
    "config_last_reload_success_timestamp_seconds",
    "When all programs could be loaded the last time.",
    (),
    Kind.GAUGE,
    ValueType.FLOAT,
)
STATE_WRITE_FAILURES = OwnMetric("state_write_failures_total", "Times the state file could not be written.")
STATE_TIME = OwnMetric(
    "state_last_write_timestamp_seconds", "Of when the state file is.", (), Kind.GAUGE, ValueType.FLOAT
)

OWN_METRICS = (
    LINES,
    LOG_LINES,
    LOG_BATCHES,
    LOG_SOURCES,
    BATCH_DURATION,
    BUILD_INFO,
    PROGRAMS_RUNNING,
    SERIES,
    *OF_LIMITS.values(),
    *OF_SOURCES.values(),
    *OF_PROGRAMS.values(),
    *OF_PROCESS.values(),
    *OF_SERVER.values(),
    RUN_SECONDS,
    LINE_DURATION,
    RELOADS,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    STATE_WRITE_FAILURES,
    STATE_TIME,
)


@dataclass(slots=True)
class Telemetry:
    """What is counted, and the way of the counts into `store`.

    A source is known once its counts are appended to `sources`, a program once `program` was
    asked for it; from then on its series exist, so that a rate sees its first count.
    """

    store: Store
    past_lines: int = 0
    """Lines from sources that are read no more."""
    origins: dict[bytes, OriginCounts] = field(default_factory=dict)
    batches: Durations = field(default_factory=lambda: Durations(BATCH_BOUNDS))
    proc: Path = PROC
    sources: list[SourceCounts] = field(default_factory=list)
    programs: dict[str, ProgramCounts] = field(default_factory=dict)
    server: ServerCounts = field(default_factory=ServerCounts)
    reloads: ReloadCounts = field(default_factory=ReloadCounts)
    state: StateCounts | None = None
    """None where no state is kept."""
    metrics: dict[OwnMetric, Metric] = field(init=False)

    def __post_init__(self) -> None:
        made = self.store.register([make_metric(own) for own in OWN_METRICS])
        self.metrics = dict(zip(OWN_METRICS, made, strict=True))

    def program(self, name: str) -> ProgramCounts:
        """Return the counts of the program `name`, which go on from version to version."""
        return self.programs.setdefault(name, ProgramCounts(name))

    def add_source(self, counts: SourceCounts) -> None:
        """Know a source from now on."""
        if all(known is not counts for known in self.sources):
            self.sources.append(counts)

    def remove_source(self, counts: SourceCounts) -> None:
        """Forget a source that will not be read again, with its series."""
        self.sources = [known for known in self.sources if known is not counts]
        self.past_lines += self.origins.pop(counts.origin, OriginCounts()).lines
        for own in (LOG_LINES, LOG_BATCHES, *OF_SOURCES.values()):
            self.metrics[own].delete((counts.origin,))

    def count_batch(self, origin: bytes, lines: int) -> None:
        """Count a batch of `lines` that came from `origin`."""
        try:
            counts = self.origins[origin]
        except KeyError:
            counts = self.origins[origin] = OriginCounts()
        counts.lines += lines
        counts.batches += 1

    @property
    def lines(self) -> int:
        """How many lines came from all origins."""
        return self.past_lines + sum(counts.lines for counts in self.origins.values())

    @property
    def log_lines(self) -> dict[bytes, int]:
        """How many lines came from each origin."""
        return {origin: counts.lines for origin, counts in self.origins.items()}

    def collect(self, now: int) -> None:
        """Write all counts into the store; a series is stamped with `now` when its value changed."""
        self.write(LINES, self.lines, now)
        self.write(BUILD_INFO, 1, now, __version__.encode())
        self.write(PROGRAMS_RUNNING, sum(program.running for program in self.programs.values()), now)
        self.write(LOG_SOURCES, len(self.sources), now)
        for source in self.sources:
            self.origins.setdefault(source.origin, OriginCounts())
            for name, own in OF_SOURCES.items():
                self.write(own, getattr(source, name), now, source.origin)
        for origin, counts in self.origins.items():
            self.write(LOG_LINES, counts.lines, now, origin)
            self.write(LOG_BATCHES, counts.batches, now, origin)
        self.write_durations(BATCH_DURATION, self.batches, now)
        for program in self.programs.values():
            label = os.fsencode(program.name)
            for name, own in OF_PROGRAMS.items():
                self.write(own, int(getattr(program, name)), now, label)
            self.write(RUN_SECONDS, program.times.run_ns / NANOSECONDS, now, label)
            self.write_durations(LINE_DURATION, program.times.lines, now, label)
        self.collect_process(now)
        self.collect_limits(now)
        self.collect_life(now)

    def collect_life(self, now: int) -> None:
        """Write how reloads, the state file and the server do."""
        for name, own in OF_SERVER.items():
            self.write(own, getattr(self.server, name), now)
        self.write(RELOADS, self.reloads.succeeded, now, b"success")
        self.write(RELOADS, self.reloads.failed, now, b"failure")
        self.write(RELOAD_SUCCESSFUL, int(self.reloads.last_successful), now)
        self.write(RELOAD_TIME, self.reloads.last_success / NANOSECONDS, now)
        if self.state is not None:
            self.write(STATE_WRITE_FAILURES, self.state.write_failures, now)
            if self.state.last_write:
                self.write(STATE_TIME, self.state.last_write / NANOSECONDS, now)

    def collect_process(self, now: int) -> None:
        """Write what the process uses, as far as the kernel tells."""
        usage = read_usage(self.proc)
        for name, own in OF_PROCESS.items():
            if (value := getattr(usage, name)) is not None:
                self.write(own, value, now)

    def collect_limits(self, now: int) -> None:
        """Write how many series the programs' metrics have, and for each metric how often a limit that it has told."""
        series = 0
        gone = {own: set(self.metrics[own].data) for own in OF_LIMITS.values()}
        for metric in [metric for metric in self.store if metric.program]:
            series += len(metric.data)
            key = (os.fsencode(metric.program), os.fsencode(metric.name))
            for name in metric.list_limits():
                self.write(OF_LIMITS[name], getattr(metric, name), now, *key)
                gone[OF_LIMITS[name]].discard(key)
        for own, keys in gone.items():
            for labels in keys:
                self.metrics[own].delete(labels)
        self.write(SERIES, series, now)

    def write_durations(self, own: OwnMetric, durations: Durations, now: int, *labels: bytes) -> None:
        """Set one series of a histogram."""
        metric = self.metrics[own]
        series = metric.data.get(labels) or metric.new(labels, now)
        assert isinstance(series, HistogramDatum)
        count = sum(durations.by_bound)
        if series.count != count:
            series.counts[:] = durations.by_bound
            series.count, series.total, series.time = count, durations.total / NANOSECONDS, now

    def write(self, own: OwnMetric, value: float, now: int, *labels: bytes) -> None:
        """Set one series."""
        metric = self.metrics[own]
        series = metric.data.get(labels) or metric.new(labels, now)
        assert isinstance(series, Datum)
        if series.value != value:
            series.value = value
            series.time = now


def make_metric(own: OwnMetric) -> Metric:
    """Return the metric for one row of the tables. It has no limits: no stranger names its series."""
    metric = Metric(
        own.full_name,
        kind=own.kind,
        value_type=own.value_type,
        buckets=own.buckets,
        label_names=own.labels,
        source="syslog-pipeline",
        help_text=own.help,
    )
    metric.cap_series(0)
    metric.cap_label_values(0)
    return metric
