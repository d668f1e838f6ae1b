"""The metrics that the daemon keeps about itself, in the same store as those of the programs.

What is busy counts in plain numbers (`SourceCounts`, `ProgramCounts`), once for each batch.
`collect` writes them into the store and is called before a snapshot is taken. What mtail counts
too has mtail's name after our prefix (behaviour.md section 7).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from pipeline import __version__
from pipeline.metrics import Datum, Kind, Metric, Store, ValueType

PREFIX = "syslog_pipeline_"


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
class ProgramCounts:
    """What is counted about one program, for as long as the daemon runs, whatever versions of it come and go."""

    name: str
    running: bool = False
    lines: int = 0
    loads: int = 0
    load_errors: int = 0
    unloads: int = 0
    runtime_errors: int = 0


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """One row of the table below; `help` is the metric's help text."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.COUNTER


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
    "lines": OwnMetric("prog_lines_total", "Lines passed to a program.", ("prog",)),
    "loads": OwnMetric("prog_loads_total", "Times a program was loaded.", ("prog",)),
    "load_errors": OwnMetric("prog_load_errors_total", "Times a program could not be loaded.", ("prog",)),
    "unloads": OwnMetric("prog_unloads_total", "Times a program was unloaded.", ("prog",)),
    "runtime_errors": OwnMetric("prog_runtime_errors_total", "Lines on which a program failed.", ("prog",)),
}
"""Per field of `ProgramCounts`."""

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
                self.write(own, getattr(program, name), now, os.fsencode(program.name))
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

    def write(self, own: OwnMetric, value: int, now: int, *labels: bytes) -> None:
        """Set one series."""
        metric = self.metrics[own]
        series = metric.data.get(labels) or metric.new(labels, now)
        assert isinstance(series, Datum), "no metric of ours is a histogram"
        if series.value != value:
            series.value = value
            series.time = now


def make_metric(own: OwnMetric) -> Metric:
    """Return the metric for one row of the table."""
    return Metric(
        PREFIX + own.name,
        kind=own.kind,
        value_type=ValueType.INT,
        label_names=own.labels,
        source="syslog-pipeline",
        help_text=own.help,
    )
