"""The metrics that the daemon keeps about itself, in the same store as those of the programs.

What is busy counts in plain numbers (`SourceCounts`, `ProgramCounts`), once for each batch.
`collect` writes them into the store and is called before a snapshot is taken. `own_metrics` says what they are called.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import __version__
from pipeline.message_counts import MessageCounts
from pipeline.metrics import Datum, HistogramDatum, Metric, Store
from pipeline.own_metrics import (
    BATCH_BOUNDS,
    BATCH_DURATION,
    BUILD_INFO,
    DURATION_BOUNDS,
    LINE_DURATION,
    LINES,
    LOG_BATCHES,
    LOG_LINES,
    LOG_SOURCES,
    METLOG_INVALID,
    METLOG_REFUSALS,
    METLOG_ROUTED,
    NANOSECONDS,
    OF_ENDPOINTS,
    OF_LIMITS,
    OF_MESSAGES,
    OF_PROCESS,
    OF_PROGRAMS,
    OF_PUSHES,
    OF_RECORDS,
    OF_SERVER,
    OF_SOURCES,
    OWN_METRICS,
    PROGRAMS_RUNNING,
    PUSH_BOUNDS,
    PUSH_DURATION,
    PUSH_TIME,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    RELOADS,
    RUN_SECONDS,
    SERIES,
    STATE_TIME,
    STATE_WRITE_FAILURES,
    OwnMetric,
    make_metric,
)
from pipeline.process import PROC, read_usage


@dataclass(slots=True)
class RecordCounts:
    """What is counted where lines are joined to records."""

    joined: int = 0
    """Records of several lines that have ended."""
    lines_joined: int = 0
    """Their lines behind the first."""
    cut: int = 0
    timed_out: int = 0
    """Records that were taken to have ended because nothing more came."""
    evicted: int = 0
    """Records that were taken to have ended because too many had begun."""
    begun: int = 0
    """Records that may go on, now."""


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
    records: RecordCounts | None = None
    """None where no lines are joined."""


@dataclass(slots=True)
class ServerCounts:
    """What the HTTP server counts about itself."""

    connections_evicted: int = 0


@dataclass(slots=True)
class PushCounts:
    """What is counted about one destination. Times are in ns since 1970; 0 is never."""

    destination: str
    pushes: int = 0
    failures: int = 0
    series: int = 0
    """Series written, in all pushes that went well."""
    rejected: int = 0
    """Series that a destination has got and did not want."""
    spooled_bytes: int = 0
    """What waits for it."""
    spool_dropped: int = 0
    """Series that would have waited too, if there had been room."""
    last_success: int = 0
    durations: Durations = field(default_factory=lambda: Durations(PUSH_BOUNDS))


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
    last_time: int = 0
    """When it was tried last, and why it could not be; "" where some programs could be loaded."""
    last_failure: str = ""

    def note(self, *, successful: bool, now: int, failure: str = "") -> None:
        """Note how it went this time."""
        self.last_successful = successful
        self.last_time = now
        self.last_failure = failure
        if successful:
            self.last_success = now


@dataclass(slots=True)
class StateCounts:
    """How the writing of the state file goes. Times are in ns since 1970."""

    write_failures: int = 0
    last_write: int = 0


@dataclass(slots=True)
class Telemetry:
    """What is counted, and the way of the counts into `store`.

    A source is known once its counts are appended to `sources`, a program once `program` was
    asked for it; from then on its series exist, so that a rate sees its first count.
    """

    store: Store
    since: int = 0
    """When the counting began, in ns since 1970, or later the last `collect`: new series have counted since then."""
    past_lines: int = 0
    """Lines from sources that are read no more."""
    origins: dict[bytes, OriginCounts] = field(default_factory=dict)
    batches: Durations = field(default_factory=lambda: Durations(BATCH_BOUNDS))
    proc: Path = PROC
    sources: list[SourceCounts] = field(default_factory=list)
    programs: dict[str, ProgramCounts] = field(default_factory=dict)
    server: ServerCounts = field(default_factory=ServerCounts)
    reloads: ReloadCounts = field(default_factory=ReloadCounts)
    pushes: list[PushCounts] = field(default_factory=list)
    state: StateCounts | None = None
    """None where no state is kept."""
    messages: MessageCounts | None = None
    """None where there is no router."""
    metrics: dict[OwnMetric, Metric] = field(init=False)

    def __post_init__(self) -> None:
        made = self.store.register([make_metric(own) for own in OWN_METRICS], (), self.since)
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
        for own in (LOG_LINES, LOG_BATCHES, *OF_SOURCES.values(), *OF_RECORDS.values()):
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
            if source.records is not None:
                for name, own in OF_RECORDS.items():
                    self.write(own, getattr(source.records, name), now, source.origin)
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
        self.collect_pushes(now)
        if self.messages is not None:
            self.collect_messages(self.messages, now)
        self.since = now

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

    def collect_pushes(self, now: int) -> None:
        """Write how the pushes go."""
        for counts in self.pushes:
            label = counts.destination.encode()
            for name, own in OF_PUSHES.items():
                self.write(own, getattr(counts, name), now, label)
            self.write_durations(PUSH_DURATION, counts.durations, now, label)
            if counts.last_success:
                self.write(PUSH_TIME, counts.last_success / NANOSECONDS, now, label)

    def collect_messages(self, messages: MessageCounts, now: int) -> None:
        """Write what became of messages."""
        for name, own in OF_MESSAGES.items():
            self.write(own, getattr(messages, name), now)
        for reason, count in messages.invalid.items():
            self.write(METLOG_INVALID, count, now, reason.encode())
        for number, count in enumerate(messages.routes, 1):
            self.write(METLOG_ROUTED, count, now, b"%d" % number)
        for counts in messages.endpoints:
            label = counts.name.encode()
            for name, own in OF_ENDPOINTS.items():
                self.write(own, getattr(counts, name), now, label)
            for reason, count in counts.refusals.items():
                self.write(METLOG_REFUSALS, count, now, label, reason.encode())

    def collect_process(self, now: int) -> None:
        """Write what the process uses, as far as the kernel tells."""
        usage = read_usage(self.proc)
        for name, own in OF_PROCESS.items():
            if (value := getattr(usage, name)) is not None:
                self.write(own, value, now)

    def collect_limits(self, now: int) -> None:
        """Write how many series the programs' metrics have, and for each metric how often a limit that it has told.

        A program may have several metrics of one name that are not one: what happened to them is added up.
        """
        series = 0
        told: dict[OwnMetric, Counter[tuple[bytes, ...]]] = {own: Counter() for own in OF_LIMITS.values()}
        for metric in [metric for metric in self.store if metric.program]:
            series += len(metric.data)
            key = (os.fsencode(metric.program), os.fsencode(metric.name))
            for name in metric.list_limits():
                told[OF_LIMITS[name]][key] += getattr(metric, name)
        for own, counts in told.items():
            for labels in self.metrics[own].data.keys() - counts.keys():
                self.metrics[own].delete(labels)
            for labels, count in counts.items():
                self.write(own, count, now, *labels)
        self.write(SERIES, series, now)

    def begin_series(self, metric: Metric, labels: tuple[bytes, ...], now: int) -> Datum | HistogramDatum:
        """Return a new series. It shows what has been counted before now, too, so that is not when it began."""
        series = metric.new(labels, now)
        series.start = self.since
        return series

    def write_durations(self, own: OwnMetric, durations: Durations, now: int, *labels: bytes) -> None:
        """Set one series of a histogram."""
        metric = self.metrics[own]
        series = metric.data.get(labels) or self.begin_series(metric, labels, now)
        assert isinstance(series, HistogramDatum)
        count = sum(durations.by_bound)
        if series.count != count:
            series.counts[:] = durations.by_bound
            series.count, series.total, series.time = count, durations.total / NANOSECONDS, now

    def write(self, own: OwnMetric, value: float, now: int, *labels: bytes) -> None:
        """Set one series."""
        metric = self.metrics[own]
        series = metric.data.get(labels) or self.begin_series(metric, labels, now)
        assert isinstance(series, Datum)
        if series.value != value:
            series.value = value
            series.time = now
