"""All that an operator may set: the unit is in the name, the default beside it.

A field is named like its flag, with the unit added where the flag has none. Each class
checks its own values and raises `SettingError`, whose text is one sentence for the operator.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import Enum
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.metlog_settings import MetlogSettings
from pipeline.push_settings import PushSettings
from pipeline.record_settings import RecordSettings
from pipeline.setting_checks import (
    is_https_url,
    require_at_least,
    require_labels,
    require_mode,
    require_not_negative,
)

LOCAL_ZONE_FILE = Path("/etc/localtime")
"""Where the machine's own zone is, as in localtime(5)."""

DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
SECONDS_PER_UNIT = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

MAX_DURATION_SECONDS = 290 * 365.25 * 86400
"""Go keeps a duration in 64 bits of nanoseconds, which is a little over 292 years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageSettings:
    """How the text of programs is read."""

    max_regexp_length: int = 1024
    max_recursion_depth: int = 100
    override_timezone: str = ""
    syslog_use_current_year: bool = True

    def __post_init__(self) -> None:
        require_at_least("max_regexp_length", self.max_regexp_length, 1)
        require_at_least("max_recursion_depth", self.max_recursion_depth, 1)
        find_zone(self.override_timezone)

    @property
    def zone(self) -> tzinfo:
        """The zone of times in a log that do not name their own."""
        return find_zone(self.override_timezone)


class SieveMode(Enum):
    """What stands between lines and programs. The value is what an operator writes."""

    AUTO = "auto"
    """A sieve, before each program for which it pays."""
    OFF = "off"
    """Nothing: every program runs on every line."""
    CHECK = "check"
    """Nothing, but what a sieve would have done is compared, line by line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSettings:
    """Which programs run: a file, or a folder of `*.mtail`; None where messages of metlog alone are counted."""

    progs: Path | None
    language: LanguageSettings
    vm_logs_runtime_errors: bool = True
    sieve: SieveMode = SieveMode.AUTO
    native_histograms: bool = False
    bind: tuple[tuple[str, str], ...] = ()
    """Pairs of a program's file name and a source it sees, either of which may be a pattern as in fnmatch(3)."""


class ReadFrom(Enum):
    """Where the reading of a file begins that is there when the daemon starts. The value is what an operator writes."""

    END = "end"
    """At its end: its lines may have been counted before. That is mtail's way."""
    START = "start"
    """At its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """Where lines come from."""

    logs: tuple[str, ...]
    # RFC 5425 asks a receiver for 8 KiB. Eight times that fits a stack trace, and
    # a writer that never sends a line feed cannot fill our memory.
    max_line_bytes: int = 64 * 1024
    partial_line_timeout_seconds: float = 10.0
    source_mode: int = 0o660
    source_owner: str = ""
    source_group: str = ""
    receive_buffer_bytes: int = 0
    # A machine has a few hundred programs that log; beyond this somebody leaks connections. Each
    # costs one descriptor and at most one line of memory.
    max_connections: int = 4096
    # A syslog daemon that has nothing to say for so long can be expected to connect again. Those of
    # this machine are not bound by it: their end is seen when they go.
    idle_timeout_seconds: float = 3600.0
    poll_interval_seconds: float = 0.25
    poll_log_interval_seconds: float = 0.25
    ignore_filename_regex_pattern: str = ""
    read_from: ReadFrom = ReadFrom.END
    read_positions: bool = False
    confirm: bool = False
    records: tuple[RecordSettings, ...] = ()
    """Which lines belong together. The first that names a source, or that names none, is for that source."""

    def __post_init__(self) -> None:
        require_at_least("max_line_bytes", self.max_line_bytes, 1)
        require_at_least("receive_buffer_bytes", self.receive_buffer_bytes, 0)
        require_at_least("max_connections", self.max_connections, 1)
        require_mode("source_mode", self.source_mode)
        require_not_negative("partial_line_timeout", self.partial_line_timeout_seconds)
        require_not_negative("idle_timeout", self.idle_timeout_seconds)
        require_not_negative("poll_interval", self.poll_interval_seconds)
        require_not_negative("poll_log_interval", self.poll_log_interval_seconds)
        try:
            re.compile(self.ignore_filename_regex_pattern)
        except re.error as error:
            pattern = self.ignore_filename_regex_pattern
            raise SettingError(
                f"--ignore_filename_regex_pattern {pattern!r} is no regular expression: {error}."
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """How much the store holds, and for how long."""

    max_series_per_metric: int = 100_000
    max_label_value_bytes: int = 2048
    expired_metrics_gc_interval_seconds: float = 3600.0
    expire: tuple[tuple[str, float], ...] = ()
    """Pairs of a metric's name, or a pattern as in fnmatch(3), and how many seconds a series stays unwritten."""

    def __post_init__(self) -> None:
        require_at_least("max_series_per_metric", self.max_series_per_metric, 0)
        require_at_least("max_label_value_bytes", self.max_label_value_bytes, 0)
        for name, seconds in self.expire:
            if seconds < SECONDS_PER_UNIT["ns"]:
                raise SettingError(f"--expire: the duration for {name} must be at least 1ns.")
        if self.expire and self.expired_metrics_gc_interval_seconds <= 0:
            raise SettingError("--expire does nothing with --expired_metrics_gc_interval=0, which is never to sweep.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatSettings:
    """What the Prometheus format says beside name, labels and value."""

    emit_prog_label: bool = True
    emit_metric_timestamp: bool = False
    constant_labels: tuple[tuple[str, str], ...] = ()
    emit_created_timestamps: bool = False

    def __post_init__(self) -> None:
        require_labels("constant_labels", self.constant_labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where metrics are served; without a socket they are not served at all."""

    unix_socket: Path | None = None
    unix_socket_mode: int = 0o660
    unix_socket_group: str = ""

    def __post_init__(self) -> None:
        require_mode("unix_socket_mode", self.unix_socket_mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSettings:
    """Where the values of the metrics, and how far files were read, are kept while the daemon is away."""

    state_file: Path | None = None
    # A crash loses what was counted since; so long is about how often Prometheus scrapes.
    state_interval_seconds: float = 60.0

    def __post_init__(self) -> None:
        require_not_negative("state_interval", self.state_interval_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeSettings:
    """How the daemon ends, and what it leaves to the next one."""

    # systemd waits 90 s for a service to stop before it kills it.
    shutdown_timeout_seconds: float = 10.0
    store_descriptors: bool | None = None
    """None leaves it to systemd, which tells whether it keeps any."""

    def __post_init__(self) -> None:
        require_not_negative("shutdown_timeout", self.shutdown_timeout_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """What `run` needs."""

    programs: ProgramSettings
    sources: SourceSettings
    store: StoreSettings
    formats: FormatSettings
    server: ServerSettings
    state: StateSettings = field(default_factory=StateSettings)
    life: LifeSettings = field(default_factory=LifeSettings)
    push: PushSettings = field(default_factory=PushSettings)
    metlog: MetlogSettings = field(default_factory=MetlogSettings)

    def __post_init__(self) -> None:
        if self.sources.read_positions and self.state.state_file is None:
            raise SettingError("--read_positions needs --state_file, which the positions are kept in.")
        self.check_state_file()

    def check_state_file(self) -> None:
        """Raise `SettingError` when the state file is something else as well, which it would take the place of.

        Links are followed, since another spelling is no other file.
        """
        if self.state.state_file is None:
            return
        place = os.path.realpath(self.state.state_file)
        logs = [(log, "--logs") for log in self.sources.logs] + [
            (log, "--metlog_logs") for log in self.metlog.metlog_logs
        ]
        others = {log.partition("://")[2] or log: f"{log} of {flag}" for log, flag in logs}
        if self.server.unix_socket is not None:
            others[str(self.server.unix_socket)] = "--unix_socket"
        for endpoint, settings in self.metlog.endpoints.items():
            others |= {str(path): f"metlog.endpoint.{endpoint}.{key}" for key, path in settings.list_paths()}
        for path, name in others.items():
            if os.path.realpath(path) == place:
                raise SettingError(f"--state_file and {name} are the same path.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """What `replay` needs; the logs are plain files, or `-` for standard input."""

    programs: ProgramSettings
    sources: SourceSettings
    store: StoreSettings
    formats: FormatSettings
    format_name: str

    def __post_init__(self) -> None:
        if self.sources.confirm:
            raise SettingError("--confirm is for the daemon and does not go with --one_shot.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOnceSettings:
    """What `push-once` needs; the logs are as for `replay`."""

    programs: ProgramSettings
    sources: SourceSettings
    store: StoreSettings
    formats: FormatSettings
    push: PushSettings
    # A Pushgateway that is restarted is back by then; a batch job that hangs for longer is worse than one that fails.
    push_timeout_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.push_timeout_seconds <= 0:
            raise SettingError("--push_timeout must be more than 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupSettings:
    """What `setup` is to do. A choice that is None or empty is as it was made last."""

    root: Path = Path("/")
    into: Path | None = None
    install: bool = False
    uninstall: bool = False
    yes: bool = False
    overwrite: bool = False
    syslog_daemon: str | None = None
    way: str | None = None
    instances: int | None = None
    nginx: str | None = None
    programs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.instances is not None:
            require_at_least("instances", self.instances, 1)
        if self.install and self.uninstall:
            raise SettingError("--install and --uninstall do not go together.")
        if self.install and self.into is not None:
            raise SettingError("--install writes into place and --into below a folder: give one of them.")

    @property
    def base(self) -> Path:
        """The folder below which files are written and taken away."""
        return self.into or self.root

    @property
    def is_writing(self) -> bool:
        """Whether anything is to be changed, rather than shown."""
        return self.install or self.uninstall or self.into is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorSettings:
    """What `doctor` is to look at. What is None or empty is as the daemon's settings or `setup` have it."""

    config: Path | None = None
    progs: Path | None = None
    logs: tuple[str, ...] = ()
    unix_socket: Path | None = None
    instances: int | None = None
    log_socket: Path | None = None
    syslog_config: Path | None = None
    nginx_config: Path | None = None
    url: str = ""
    ca: Path | None = None
    user: str = ""
    password_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    root: Path = Path("/")
    send: bool = True
    # A line takes milliseconds through a syslog daemon that has nothing else to do.
    timeout_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.instances is not None:
            require_at_least("instances", self.instances, 1)
        if self.timeout_seconds <= 0:
            raise SettingError("--timeout must be more than 0.")
        if bool(self.user) != bool(self.password_file):
            raise SettingError("--user and --password_file go together.")
        if bool(self.client_key) > bool(self.client_certificate):
            raise SettingError("--client_key needs --client_certificate.")
        if "@" in self.url:  # what is said of the address must not tell a password
            raise SettingError("--url must not name a user: that is said by --user and --password_file.")
        if self.url and not is_https_url(self.url):
            raise SettingError(f"--url must be https:// with a name and perhaps a port, not {self.url!r}.")


def parse_duration(text: str) -> float:
    """Return the seconds that a Go duration (`1h30m`, `250ms`, `-1s`, `0`) spells; `ValueError` if it is none."""
    sign = -1.0 if text.startswith("-") else 1.0
    rest = text.lstrip("+-") if text[1:2] not in ("+", "-") else ""
    if rest == "0":
        return 0.0
    parts = list(DURATION_PART.finditer(rest))
    seconds = sum(float(part[1]) * SECONDS_PER_UNIT[part[2]] for part in parts)
    if not parts or "".join(part[0] for part in parts) != rest or seconds > MAX_DURATION_SECONDS:
        raise ValueError(text)
    return sign * seconds


def find_zone(name: str) -> tzinfo:
    """Return the zone of an IANA name, of `UTC` (also when empty) or of `Local`."""
    if name in ("", "UTC"):
        return UTC
    if name == "Local":
        return find_local_zone()
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingError(
            f"--override_timezone {name!r} is unknown: use a name such as Europe/Berlin, UTC or Local."
        ) from error


def find_local_zone() -> tzinfo:
    """Return the machine's zone as Go finds it: `TZ` if set, else /etc/localtime, else UTC."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    name = os.environ.get("TZ", str(LOCAL_ZONE_FILE)).removeprefix(":")
    try:
        if name.startswith("/"):
            with Path(name).open("rb") as file:
                return ZoneInfo.from_file(file, key="Local")
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
