"""The flags of the commands: one table, from which click, the environment and the file of settings read.

A flag is named as in mtail, with underscores, and fills the field of a settings class. Those of `setup` stand in
`setup_flags.py`, those of `doctor` in `doctor_flags.py`, those of `emit` in `emit_flags.py`, those about pushes in
`push_flags.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from pipeline import settings
from pipeline.doctor_flags import DOCTOR_FLAGS
from pipeline.emit_flags import EMIT_FLAGS
from pipeline.flag import GENERAL, LIFE, LINES, METRICS, MODES, PROGRAMS, PUSHING, SERVING, Flag, flatten_values
from pipeline.flag_types import (
    ACCOUNT,
    BINDINGS,
    BOOLEAN,
    DURATION,
    INTEGER,
    LABELS,
    LIFETIMES,
    MODE,
    PATH,
    SOURCES,
    TEXT,
    one_of,
)
from pipeline.push_flags import PUSH_FLAGS
from pipeline.record_flags import RECORD_FLAGS
from pipeline.setup_flags import SETUP_FLAGS

FORMAT_NAMES = ("prometheus", "json")

TABLES = "pipeline.tables"
"""Under which click keeps those tables of the file of settings that are no flag's."""


def replace_zero(ctx: click.Context, option: click.Parameter, value: object) -> object:
    """Return the default for 0, which is how mtail reads 0 for some flags."""
    return value or option.get_default(ctx)


def read_sieve_mode(_ctx: click.Context, _option: click.Parameter, value: object) -> object:
    """Return the mode that a word names."""
    return settings.SieveMode(value)


def read_start(_ctx: click.Context, _option: click.Parameter, value: object) -> object:
    """Return where reading begins, of the word that names it."""
    return settings.ReadFrom(value)


def load_config(ctx: click.Context, option: click.Parameter, path: object) -> object:
    """Make the values in the file the defaults of the command."""
    if isinstance(path, Path):
        from pipeline.config_file import read_config

        flags = {flag.name: flag for flag in ALL_FLAGS}
        values = read_config(path, {name: flag.type for name, flag in flags.items()})
        ctx.default_map = {flags[name].setting or name: value for name, value in values.items() if name in flags}
        ctx.meta[TABLES] = {name: value for name, value in values.items() if name not in flags}
    return path


PROGS = Flag(
    name="progs",
    type=PATH,
    section=PROGRAMS,
    required=True,
    help="A program, or a folder of them (every *.mtail in it).",
)
LANGUAGE_FLAGS = (
    Flag(
        of=settings.LanguageSettings,
        name="max_regexp_length",
        type=INTEGER,
        section=PROGRAMS,
        callback=replace_zero,
        help="A program with a longer pattern is refused.",
    ),
    Flag(
        of=settings.LanguageSettings,
        name="max_recursion_depth",
        type=INTEGER,
        section=PROGRAMS,
        callback=replace_zero,
        help="A program that is nested deeper is refused.",
    ),
    Flag(
        of=settings.LanguageSettings,
        name="override_timezone",
        type=TEXT,
        section=PROGRAMS,
        help="The zone of times in a log that name none: an IANA name, UTC (also when empty) or Local.",
    ),
    Flag(
        of=settings.LanguageSettings,
        name="syslog_use_current_year",
        type=BOOLEAN,
        section=PROGRAMS,
        help="Give times without a year the current one.",
    ),
)
RUNTIME_FLAGS = (
    *LANGUAGE_FLAGS,
    Flag(
        of=settings.ProgramSettings,
        name="vm_logs_runtime_errors",
        type=BOOLEAN,
        section=PROGRAMS,
        help="Log failures of programs on a line, at a limited rate; they are counted in any case.",
    ),
    Flag(
        name="sieve",
        type=one_of(tuple(mode.value for mode in settings.SieveMode)),
        section=PROGRAMS,
        default=settings.SieveMode.AUTO.value,
        callback=read_sieve_mode,
        help="Keep lines that cannot matter from programs, where that pays (auto), never (off), or on paper only: "
        "run every line both ways, compare, and report what differs (check, slow).",
    ),
)
BIND = Flag(
    name="bind",
    type=BINDINGS,
    section=PROGRAMS,
    repeatable=True,
    callback=flatten_values,
    help="Show a program the lines of some sources only: PROGRAM=SOURCE, both of them names or patterns, such as "
    "sshd.mtail=unix://*. Comma-separated, repeatable.",
)
MAX_LINE_BYTES = Flag(
    of=settings.SourceSettings,
    name="max_line_bytes",
    type=INTEGER,
    section=LINES,
    help="What a line has beyond this is cut off, and counted.",
)
METRIC_FLAGS = (
    Flag(
        of=settings.StoreSettings,
        name="max_series_per_metric",
        type=INTEGER,
        section=METRICS,
        help="A metric that declares no limit keeps no more series than this; more are counted. 0: any number.",
    ),
    Flag(
        of=settings.StoreSettings,
        name="max_label_value_bytes",
        type=INTEGER,
        section=METRICS,
        help="A series with a longer label value is not kept, a longer text is cut; both are counted. 0: any length.",
    ),
    Flag(
        of=settings.FormatSettings,
        name="emit_prog_label",
        type=BOOLEAN,
        section=METRICS,
        help="Add the label prog, the program's name, in the Prometheus format and on /varz.",
    ),
    Flag(
        of=settings.FormatSettings,
        name="emit_metric_timestamp",
        type=BOOLEAN,
        section=METRICS,
        help="Add time stamps in the Prometheus format.",
    ),
    Flag(
        of=settings.FormatSettings,
        name="emit_created_timestamps",
        type=BOOLEAN,
        section=METRICS,
        help="Tell when each counter and histogram began, in OpenMetrics (as samples _created) and in protobuf.",
    ),
    Flag(
        of=settings.FormatSettings,
        name="constant_labels",
        type=LABELS,
        section=METRICS,
        repeatable=True,
        callback=flatten_values,
        help="Add labels to every series in the Prometheus format: NAME=VALUE. Comma-separated, repeatable.",
    ),
)
NATIVE_HISTOGRAMS = Flag(
    of=settings.ProgramSettings,
    name="native_histograms",
    type=BOOLEAN,
    section=METRICS,
    help="Count what histograms observe in buckets of powers too, for Prometheus' native histograms and OTLP.",
)
GC_INTERVAL = Flag(
    of=settings.StoreSettings,
    name="expired_metrics_gc_interval",
    type=DURATION,
    section=METRICS,
    help="The longest time between two sweeps; what expires earlier is swept on time. 0: never sweep.",
)
EXPIRE = Flag(
    of=settings.StoreSettings,
    name="expire",
    type=LIFETIMES,
    section=METRICS,
    repeatable=True,
    callback=flatten_values,
    help="Let series go that were not written for so long: METRIC=DURATION, a name or a pattern, such as "
    "session_*=24h; metrics without labels stay. The first that fits counts. Comma-separated, repeatable.",
)
VERBOSITY = Flag(
    name="v",
    type=INTEGER,
    section=GENERAL,
    default=0,
    setting="verbosity",
    help="From 1: log at level DEBUG too.",
)
RUN_FLAGS = (
    replace(PROGS, required=False),
    *RUNTIME_FLAGS,
    BIND,
    Flag(
        name="logs",
        type=SOURCES,
        section=LINES,
        repeatable=True,
        callback=flatten_values,
        help="Where lines come from: the path of a named pipe or a file, or a pattern of such (*, ?, [a-z]); "
        "unix://PATH, unixgram://PATH, tcp://HOST:PORT, udp://HOST:PORT; journal://; fd://NAME, which systemd passes; "
        "or - for standard input. Comma-separated, repeatable.",
    ),
    Flag(
        name="metlog_logs",
        type=SOURCES,
        section=LINES,
        repeatable=True,
        callback=flatten_values,
        help="Where envelopes of metlog come from, written as for --logs: a line is one, and the table [metlog] of the "
        "file of settings says what becomes of it. Comma-separated, repeatable.",
    ),
    MAX_LINE_BYTES,
    *RECORD_FLAGS,
    Flag(
        of=settings.SourceSettings,
        name="partial_line_timeout",
        type=DURATION,
        section=LINES,
        help="How long the beginning of a line in a named pipe waits for its end. 0: for ever.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="source_mode",
        type=MODE,
        section=LINES,
        help="The permissions of the pipes and unix sockets that are made for lines, in octal.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="source_owner",
        type=ACCOUNT,
        section=LINES,
        help="The owner of those, by name or number.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="source_group",
        type=ACCOUNT,
        section=LINES,
        help="The group of those, by name or number.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="receive_buffer_bytes",
        type=INTEGER,
        section=LINES,
        help="How much the kernel keeps of what waits at a UDP socket. 0: as the system has it.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="max_connections",
        type=INTEGER,
        section=LINES,
        help="A source closes what is connected beyond this at once, and counts it.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="idle_timeout",
        type=DURATION,
        section=LINES,
        help="A TCP connection that is silent for so long is closed. 0: never.",
    ),
    Flag(
        name="read_from",
        type=one_of(tuple(start.value for start in settings.ReadFrom)),
        section=LINES,
        default=settings.ReadFrom.END.value,
        callback=read_start,
        help="Where the reading of a file begins that is there at the start.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="read_positions",
        type=BOOLEAN,
        section=LINES,
        help="Go on after a restart where the reading of files and of the journal stopped. Needs --state_file.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="confirm",
        type=BOOLEAN,
        section=LINES,
        help="Answer on standard output for what comes on standard input, as rsyslog's omprog expects it.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="ignore_filename_regex_pattern",
        type=TEXT,
        section=LINES,
        help="Files whose names match are not read.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="poll_interval",
        type=DURATION,
        section=LINES,
        callback=replace_zero,
        help="How often a file is looked at for more.",
    ),
    Flag(
        of=settings.SourceSettings,
        name="poll_log_interval",
        type=DURATION,
        section=LINES,
        callback=replace_zero,
        help="How often patterns are looked at for new files.",
    ),
    *METRIC_FLAGS,
    NATIVE_HISTOGRAMS,
    EXPIRE,
    GC_INTERVAL,
    Flag(
        of=settings.ServerSettings,
        name="unix_socket",
        type=PATH,
        section=SERVING,
        help="Serve the metrics over HTTP on this unix socket.",
    ),
    Flag(
        of=settings.ServerSettings,
        name="unix_socket_mode",
        type=MODE,
        section=SERVING,
        help="The permissions of the socket, in octal.",
    ),
    Flag(
        of=settings.ServerSettings,
        name="unix_socket_group",
        type=ACCOUNT,
        section=SERVING,
        help="The group of the socket, by name or number.",
    ),
    *PUSH_FLAGS,
    Flag(
        of=settings.StateSettings,
        name="state_file",
        type=PATH,
        section=LIFE,
        help="Keep the values of the metrics in this file while the daemon is away.",
    ),
    Flag(
        of=settings.StateSettings,
        name="state_interval",
        type=DURATION,
        section=LIFE,
        help="How often that file is written while the daemon runs. 0: at its end only.",
    ),
    Flag(
        of=settings.LifeSettings,
        name="store_descriptors",
        type=BOOLEAN,
        section=LIFE,
        help="Have systemd keep pipes, sockets and connections over a restart; its unit needs FileDescriptorStoreMax=. "
        "By default, if systemd says that it keeps any.",
    ),
    Flag(
        of=settings.LifeSettings,
        name="shutdown_timeout",
        type=DURATION,
        section=LIFE,
        help="How long the end may take; what is not read by then is left.",
    ),
    Flag(
        name="one_shot",
        type=BOOLEAN,
        section=MODES,
        default=False,
        help="Read the logs to their end, print the metrics and exit, as `replay` does.",
    ),
    Flag(
        name="one_shot_format",
        type=one_of(FORMAT_NAMES),
        section=MODES,
        default="json",
        help="The format for --one_shot.",
    ),
    Flag(
        name="compile_only",
        type=BOOLEAN,
        section=MODES,
        default=False,
        help="Compile the programs and exit, as `check` does.",
    ),
    VERBOSITY,
)
FILE_RECORD_FLAGS = tuple(flag for flag in RECORD_FLAGS if flag.name != "record_timeout")
"""A file is read to its end at once, and nothing in it is waited for."""
REPLAY_LOGS = Flag(
    name="logs",
    type=SOURCES,
    section=LINES,
    repeatable=True,
    callback=flatten_values,
    help="A file to read from its start to its end, or - for standard input. Comma-separated, repeatable.",
)
REPLAY_FLAGS = (
    PROGS,
    *RUNTIME_FLAGS,
    BIND,
    REPLAY_LOGS,
    MAX_LINE_BYTES,
    *FILE_RECORD_FLAGS,
    Flag(
        name="format",
        type=one_of(FORMAT_NAMES),
        section=METRICS,
        default="prometheus",
        setting="format_name",
        help="The format to print.",
    ),
    *METRIC_FLAGS,
    VERBOSITY,
)
DAEMON_PUSH_FLAGS = ("metric_push_interval", "push_spool_bytes", "pushgateway_delete_on_exit")
"""What has no meaning where there is one push and no other."""
PUSH_ONCE_FLAGS = (
    PROGS,
    *RUNTIME_FLAGS,
    BIND,
    REPLAY_LOGS,
    MAX_LINE_BYTES,
    *FILE_RECORD_FLAGS,
    *METRIC_FLAGS,
    NATIVE_HISTOGRAMS,
    Flag(
        of=settings.PushOnceSettings,
        name="push_timeout",
        type=DURATION,
        section=PUSHING,
        help="How long destinations that fail are tried again.",
    ),
    *(flag for flag in PUSH_FLAGS if flag.name not in DAEMON_PUSH_FLAGS),
    VERBOSITY,
)
CHECK_FLAGS = LANGUAGE_FLAGS
EXPLAIN_FLAGS = (
    *LANGUAGE_FLAGS,
    Flag(
        name="profile",
        type=PATH,
        section=MODES,
        help="Run the program over this log, a file or - for standard input, and show what it costs.",
    ),
    *FILE_RECORD_FLAGS,
)
ALL_FLAGS = (
    *RUN_FLAGS,
    *REPLAY_FLAGS,
    *PUSH_ONCE_FLAGS,
    *CHECK_FLAGS,
    *EXPLAIN_FLAGS,
    *SETUP_FLAGS,
    *DOCTOR_FLAGS,
    *EMIT_FLAGS,
)

CONFIG = Flag(
    name="config",
    type=PATH,
    section=GENERAL,
    callback=load_config,
    help="A TOML file with settings, named as the flags are. A flag or a variable wins over it.",
)
