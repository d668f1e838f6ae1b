"""The table of the metrics that the daemon keeps about itself: names, help, labels and kinds.

What mtail counts too has mtail's name after our prefix (behaviour.md section 7). What is true of any process has the
name that Prometheus's client libraries give it, without a prefix.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.metrics import Kind, Metric, ValueType

PREFIX = "syslog_pipeline_"
NANOSECONDS = 1_000_000_000

DURATION_BOUNDS = tuple(1000 << exponent for exponent in range(14))
"""Nanoseconds that one line may take, from 1 µs to 8 ms: programs take 0.2 to 20 µs for a usual line."""

BATCH_BOUNDS = tuple(1000 * 4**exponent for exponent in range(12))
"""Nanoseconds that all programs may take for one batch, from 1 µs to 4 s: it holds tens of lines, or thousands."""

PUSH_BOUNDS = tuple(1_000_000 * 4**exponent for exponent in range(8))
"""Nanoseconds that a push may take, from 1 ms to 16 s: its deadlines are 10 s each by default."""


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


LINES = OwnMetric("lines_total", "Lines given to the programs, or to the router of metlog.")
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
    "expirations": OwnMetric(
        "series_expired_total",
        "Series that went because nothing was written to them for as long as `del … after` or --expire says.",
        ("prog", "metric"),
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
    "exemplars_too_long": OwnMetric(
        "exemplars_too_long_total",
        "Exemplars that were not kept, because their labels have more than 128 characters.",
        ("prog", "metric"),
    ),
    "exemplars_evicted": OwnMetric(
        "exemplars_evicted_total",
        "Series whose exemplars made room, because 10,000 others of their metric have some.",
        ("prog", "metric"),
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

OF_RECORDS = {
    "joined": OwnMetric("records_joined_total", "Records that were made of several lines.", ("logfile",)),
    "lines_joined": OwnMetric(
        "record_lines_joined_total", "Lines that went on with the record before them.", ("logfile",)
    ),
    "cut": OwnMetric(
        "records_cut_total",
        "Records that were cut, because they have more than --max_record_lines or --max_record_bytes.",
        ("logfile",),
    ),
    "timed_out": OwnMetric(
        "records_timed_out_total",
        "Records that were taken to have ended, because nothing more came within --record_timeout.",
        ("logfile",),
    ),
    "evicted": OwnMetric(
        "records_evicted_total",
        "Records that were taken to have ended, because more than --max_open_records had begun.",
        ("logfile",),
    ),
    "begun": OwnMetric("records_open", "Records that wait for their next line.", ("logfile",), Kind.GAUGE),
}
"""Per field of `RecordCounts`, of sources whose lines are joined."""

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

OF_PUSHES = {
    "pushes": OwnMetric("push_total", "Pushes to a destination that came to an end.", ("destination",)),
    "failures": OwnMetric("push_failures_total", "Pushes that did not reach their destination.", ("destination",)),
    "series": OwnMetric("push_series_total", "Series written to a destination.", ("destination",)),
    "rejected": OwnMetric("push_rejected_total", "Series that a destination has got and refused.", ("destination",)),
    "spooled_bytes": OwnMetric(
        "push_spool_bytes", "What waits for a destination that cannot be reached.", ("destination",), Kind.GAUGE
    ),
    "spool_dropped": OwnMetric(
        "push_spool_dropped_total",
        "Series that were to wait for a destination, and that --push_spool_bytes had no room for.",
        ("destination",),
    ),
}
"""Per field of `PushCounts`."""

PUSH_DURATION = OwnMetric(
    "push_duration_seconds",
    "Time that a push took, whether it went well or not.",
    ("destination",),
    Kind.HISTOGRAM,
    ValueType.BUCKETS,
    tuple(bound / NANOSECONDS for bound in PUSH_BOUNDS),
)
PUSH_TIME = OwnMetric(
    "push_last_success_timestamp_seconds",
    "When a push to a destination went well the last time.",
    ("destination",),
    Kind.GAUGE,
    ValueType.FLOAT,
)

OF_MESSAGES = {
    "received": OwnMetric("metlog_lines_total", "Lines of the sources of envelopes."),
    "unrouted": OwnMetric("metlog_unrouted_total", "Messages that no route took."),
}
"""Per field of `MessageCounts`."""

METLOG_INVALID = OwnMetric(
    "metlog_invalid_total",
    "Lines that are no envelope, by what is wrong with them: json, object, type, timestamp or field.",
    ("reason",),
)
METLOG_ROUTED = OwnMetric(
    "metlog_routed_total", "Messages that a route took, by its place in the table, from 1.", ("route",)
)
METLOG_REFUSALS = OwnMetric(
    "metlog_refusals_total", "Messages that an endpoint cannot express, by reason.", ("endpoint", "reason")
)
OF_ENDPOINTS = {
    "taken": OwnMetric("metlog_taken_total", "Messages that came to an endpoint.", ("endpoint",)),
    "delivered": OwnMetric("metlog_delivered_total", "Messages that an endpoint has passed on.", ("endpoint",)),
    "refused": OwnMetric(
        "metlog_refused_total",
        "Messages that can never be passed on: an endpoint cannot express them, or their destination refuses them.",
        ("endpoint",),
    ),
    "dropped": OwnMetric(
        "metlog_dropped_total",
        "Messages that found no room in the queue or the spool of an endpoint, the oldest first, or were left at the "
        "end; or that were to be dropped.",
        ("endpoint",),
    ),
    "queued": OwnMetric("metlog_queued", "Messages that wait for their destination.", ("endpoint",), Kind.GAUGE),
    "queued_bytes": OwnMetric("metlog_queued_bytes", "Bytes of messages that wait.", ("endpoint",), Kind.GAUGE),
    "set_aside": OwnMetric(
        "metlog_spool_files_set_aside_total",
        "Files of a spool that could not be read, or not all of them.",
        ("endpoint",),
    ),
    "failures": OwnMetric(
        "metlog_failures_total", "Attempts to pass on messages that failed and are made again.", ("endpoint",)
    ),
}
"""Per field of `EndpointCounts`."""

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
    *OF_RECORDS.values(),
    *OF_PROGRAMS.values(),
    *OF_PROCESS.values(),
    *OF_SERVER.values(),
    *OF_PUSHES.values(),
    PUSH_DURATION,
    PUSH_TIME,
    *OF_MESSAGES.values(),
    METLOG_INVALID,
    METLOG_ROUTED,
    METLOG_REFUSALS,
    *OF_ENDPOINTS.values(),
    RUN_SECONDS,
    LINE_DURATION,
    RELOADS,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    STATE_WRITE_FAILURES,
    STATE_TIME,
)


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
