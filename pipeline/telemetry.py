"""The metrics that the daemon keeps about itself, in the same store as those of the programs.

What is busy counts in plain numbers (`SourceCounts`, `ProgramCounts`), once for each batch.
`collect` writes them into the store and is called before a snapshot is taken. What mtail counts
too has mtail's name after our prefix (behaviour.md section 7).
"""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass, field

from pipeline import __version__
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Store, ValueType

PREFIX = "syslog_pipeline_"
NANOSECONDS = 1_000_000_000

DURATION_BOUNDS = tuple(1000 << exponent for exponent in range(14))
"""Nanoseconds that one line may take, from 1 µs to 8 ms: programs take 0.2 to 20 µs for a usual line."""


@dataclass(slots=True)
class SourceCounts:
    """What one source counts about itself. `origin` is its name, as `getfilename()` returns it."""

    origin: bytes
    lines_truncated: int = 0
    errors: int = 0
    opens: int = 0
    closes: int = 0
    file_truncates: int = 0
    connections_refused: int = 0


@dataclass(slots=True)
class RunTimes:
    """How long a program took for its lines, as samples tell, in nanoseconds."""

    run_ns: int = 0
    """For all lines together."""
    line_ns: int = 0
    """For the sampled lines together."""
    by_bound: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS) + 1))
    """How many sampled lines took up to each bound, and how many longer than the last; not cumulative."""

    def observe_line(self, duration: int) -> None:
        """Count what one sampled line took."""
        self.by_bound[bisect_left(DURATION_BOUNDS, duration)] += 1
        self.line_ns += duration


@dataclass(slots=True)
class ProgramCounts:
    """What is counted about one program, for as long as the daemon runs, whatever versions of it come and go."""

    name: str
    running: bool = False
    lines: int = 0
    loads: int = 0
    load_errors: int = 0
    unloads: int = 0
    runtime_errors: int = 0
    lines_skipped: int = 0
    sieved: bool = False
    sieve_faults: int = 0
    times: RunTimes = field(default_factory=RunTimes)


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """One row of the table below; `help` is the metric's help text."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.COUNTER
    value_type: ValueType = ValueType.INT
    buckets: tuple[float, ...] = ()


LINES = OwnMetric("lines_total", "Lines given to the programs.")
LOG_LINES = OwnMetric("log_lines_total", "Lines per source.", ("logfile",))
BUILD_INFO = OwnMetric("build_info", "The version that runs; always 1.", ("version",), Kind.GAUGE)
PROGRAMS_RUNNING = OwnMetric("programs_running", "Programs that get lines now.", (), Kind.GAUGE)
SERIES = OwnMetric("series", "Series of all metrics of all programs.", (), Kind.GAUGE)
SERIES_EVICTED = OwnMetric(
    "series_evicted_total", "Series that made room at the `limit` of their metric.", ("prog", "metric")
)
SERIES_OVERFLOWS = OwnMetric(
    "series_overflows_total",
    "New series that were not kept, because their metric has --max_series_per_metric already.",
    ("prog", "metric"),
)

OF_SOURCES = {
    "lines_truncated": OwnMetric(
        "lines_truncated_total", "Lines longer than --max_line_bytes, which were cut.", ("logfile",)
    ),
    "errors": OwnMetric("log_errors_total", "Failures of a source to open or read.", ("logfile",)),
    "opens": OwnMetric("log_opens_total", "Files opened.", ("logfile",)),
    "closes": OwnMetric("log_closes_total", "Files closed.", ("logfile",)),
    "file_truncates": OwnMetric("file_truncates_total", "Files found shorter than what was read.", ("logfile",)),
    "connections_refused": OwnMetric(
        "connections_refused_total", "Connections closed at once, because there were too many.", ("logfile",)
    ),
}
"""Per field of `SourceCounts`."""

OF_PROGRAMS = {
    "lines": OwnMetric("prog_lines_total", "Lines passed to a program, or to the sieve before it.", ("prog",)),
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

OWN_METRICS = (
    LINES,
    LOG_LINES,
    BUILD_INFO,
    PROGRAMS_RUNNING,
    SERIES,
    SERIES_EVICTED,
    SERIES_OVERFLOWS,
    *OF_SOURCES.values(),
    *OF_PROGRAMS.values(),
    RUN_SECONDS,
    LINE_DURATION,
)


@dataclass(slots=True)
class Telemetry:
    """What is counted, and the way of the counts into `store`.

    A source is known once its counts are appended to `sources`, a program once `program` was
    asked for it; from then on its series exist, so that a rate sees its first count.
    """

    store: Store
    lines: int = 0
    log_lines: dict[bytes, int] = field(default_factory=dict)
    sources: list[SourceCounts] = field(default_factory=list)
    programs: dict[str, ProgramCounts] = field(default_factory=dict)
    metrics: dict[OwnMetric, Metric] = field(init=False)

    def __post_init__(self) -> None:
        made = self.store.register([make_metric(own) for own in OWN_METRICS])
        self.metrics = dict(zip(OWN_METRICS, made, strict=True))

    def program(self, name: str) -> ProgramCounts:
        """Return the counts of the program `name`, which go on from version to version."""
        return self.programs.setdefault(name, ProgramCounts(name))

    def count_lines(self, origin: bytes, lines: int) -> None:
        """Count `lines` that came from `origin`."""
        self.lines += lines
        self.log_lines[origin] = self.log_lines.get(origin, 0) + lines

    def collect(self, now: int) -> None:
        """Write all counts into the store; a series is stamped with `now` when its value changed."""
        self.write(LINES, self.lines, now)
        self.write(BUILD_INFO, 1, now, __version__.encode())
        self.write(PROGRAMS_RUNNING, sum(program.running for program in self.programs.values()), now)
        for source in self.sources:
            self.log_lines.setdefault(source.origin, 0)
            for name, own in OF_SOURCES.items():
                self.write(own, getattr(source, name), now, source.origin)
        for origin, lines in self.log_lines.items():
            self.write(LOG_LINES, lines, now, origin)
        for program in self.programs.values():
            for name, own in OF_PROGRAMS.items():
                self.write(own, int(getattr(program, name)), now, os.fsencode(program.name))
            self.write(RUN_SECONDS, program.times.run_ns / NANOSECONDS, now, os.fsencode(program.name))
            self.write_durations(program, now)
        self.collect_limits(now)

    def collect_limits(self, now: int) -> None:
        """Write how many series the programs' metrics have, and how often a limit told."""
        series = 0
        for metric in [metric for metric in self.store if metric.program]:
            series += len(metric.data)
            key = (os.fsencode(metric.program), os.fsencode(metric.name))
            if metric.evictions:
                self.write(SERIES_EVICTED, metric.evictions, now, *key)
            if metric.overflows:
                self.write(SERIES_OVERFLOWS, metric.overflows, now, *key)
        self.write(SERIES, series, now)

    def write_durations(self, program: ProgramCounts, now: int) -> None:
        """Set the histogram of one program."""
        labels = (os.fsencode(program.name),)
        metric = self.metrics[LINE_DURATION]
        series = metric.data.get(labels) or metric.new(labels, now)
        assert isinstance(series, HistogramDatum)
        times = program.times
        count = sum(times.by_bound)
        if series.count != count:
            series.counts[:] = times.by_bound
            series.count, series.total, series.time = count, times.line_ns / NANOSECONDS, now

    def write(self, own: OwnMetric, value: float, now: int, *labels: bytes) -> None:
        """Set one series."""
        metric = self.metrics[own]
        series = metric.data.get(labels) or metric.new(labels, now)
        assert isinstance(series, Datum)
        if series.value != value:
            series.value = value
            series.time = now


def make_metric(own: OwnMetric) -> Metric:
    """Return the metric for one row of the table."""
    return Metric(
        PREFIX + own.name,
        kind=own.kind,
        value_type=own.value_type,
        buckets=own.buckets,
        label_names=own.labels,
        source="syslog-pipeline",
        help_text=own.help,
    )
