"""What an operator may set about each kind of endpoint of metlog's router: a class for each.

As in `metlog_settings`, a field is named like its key, and each class checks its own values. A secret is never among
them: what is set is the variable of the environment or the file that has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.setting_checks import (
    require_at_least,
    require_headers,
    require_mode,
    require_no_blank,
    require_socket_path,
    require_url,
    split_place,
)

FSYNC = ("always", "interval", "never")
FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "security", "console", "solaris-cron",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
"""By their numbers (RFC 5424 section 6.2.1), with rsyslog's names."""

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

MIN_SPOOL_BYTES = 1024 * 1024
"""Less has no room for some batches, each of which may have 256 KiB."""

# RFC 5612 keeps it for examples. Who has a number of their own, sets it.
EXAMPLE_ENTERPRISE = 32473


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """What every endpoint has: nothing yet but a kind."""

    def list_paths(self) -> Iterator[tuple[str, Path]]:
        """Yield each key that names what this endpoint alone may write, with the path."""
        yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings(EndpointSettings):
    """What endpoints have whose messages may have to wait."""

    queue_messages: int = 10_000
    queue_bytes: int = 16 * 1024 * 1024
    spool: Path | None = None
    """The folder in which messages wait, and outlive us."""
    spool_bytes: int = 64 * 1024 * 1024
    spool_fsync: str = "interval"
    deadline_seconds: float = 10.0
    """How long one attempt may take."""
    batch_messages: int = 500
    batch_bytes: int = 512 * 1024
    batch_delay_seconds: float = 0.0
    """How long the first message of a batch waits for others."""

    def __post_init__(self) -> None:
        for name in ("queue_messages", "queue_bytes", "batch_messages", "batch_bytes"):
            require_at_least(name, getattr(self, name), 1)
        require_at_least("spool_bytes", self.spool_bytes, MIN_SPOOL_BYTES)
        require_one_of("spool_fsync", self.spool_fsync, FSYNC)
        if self.deadline_seconds <= 0:
            raise SettingError("deadline must be more than 0.")
        if self.batch_delay_seconds < 0:
            raise SettingError("batch_delay must not be negative.")

    def list_paths(self) -> Iterator[tuple[str, Path]]:
        """Yield the spool."""
        if self.spool is not None:
            yield "spool", self.spool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEndpointSettings(QueueSettings):
    """A file that grows: a line for each message."""

    path: Path
    format: str = "json"
    fsync: str = "never"
    mode: int = 0o640
    group: str = ""

    def __post_init__(self) -> None:
        QueueSettings.__post_init__(self)
        require_one_of("format", self.format, ("json", "payload"))
        require_one_of("fsync", self.fsync, FSYNC)
        require_mode("mode", self.mode)

    def list_paths(self) -> Iterator[tuple[str, Path]]:
        """Yield the file and the spool."""
        yield "path", self.path
        yield from QueueSettings.list_paths(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpEndpointSettings(QueueSettings):
    """A server that takes messages as JSON, many with a request."""

    url: str
    format: str = "array"
    compression: str = "none"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token_variable: str = ""
    """What has a bearer token; the file is asked if there is no variable."""
    token_file: Path | None = None
    user: str = ""
    password_variable: str = ""
    password_file: Path | None = None
    ca: Path | None = None
    batch_delay_seconds: float = 1.0

    def __post_init__(self) -> None:
        QueueSettings.__post_init__(self)
        require_url("url", self.url)
        if "@" in self.url.partition("://")[2].partition("/")[0]:
            raise SettingError("url must have no password in it: use user, with password_variable or password_file.")
        require_one_of("format", self.format, ("array", "lines"))
        require_one_of("compression", self.compression, ("none", "gzip"))
        require_headers("headers", self.headers, ("authorization",))
        require_secret("token", self.token_variable, self.token_file)
        require_secret("password", self.password_variable, self.password_file)
        if ":" in self.user or not self.user.isprintable():
            # RFC 7617 section 2: what is behind a colon would be taken for the password.
            raise SettingError("user must be printable and have no colon.")
        has_password = bool(self.password_variable or self.password_file)
        if bool(self.user) != has_password:
            raise SettingError("user and a password (password_variable or password_file) are given together.")
        if has_password and (self.token_variable or self.token_file):
            raise SettingError("token and password do not go together: a request has one authorization.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentryEndpointSettings(QueueSettings):
    """Sentry, or what speaks its protocol. The DSN is a secret."""

    dsn_variable: str = ""
    """`SENTRY_DSN` if neither this nor the file is set."""
    dsn_file: Path | None = None
    environment: str = ""
    release: str = ""
    tags: tuple[str, ...] = ()
    """The fields that become tags, which Sentry searches by; the others are shown."""
    client_reports: bool = True
    ca: Path | None = None

    def __post_init__(self) -> None:
        QueueSettings.__post_init__(self)
        require_secret("dsn", self.dsn_variable, self.dsn_file)
        for name in ("environment", "release"):
            value = getattr(self, name)
            # Sentry refuses what has these (RFC 3986's path separators, and line feeds), and longer ones.
            if not value.isprintable() or re.search(r"[/\\]", value) or len(value) > 200 or value != value.strip():
                raise SettingError(f"{name} must be printable, without slashes, and have 200 characters at most.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogEndpointSettings(QueueSettings):
    """A syslog daemon on this machine, which is told in the format of RFC 5424."""

    socket: Path
    transport: str = "datagram"
    facility: str = "user"
    enterprise: int = EXAMPLE_ENTERPRISE

    def __post_init__(self) -> None:
        QueueSettings.__post_init__(self)
        require_socket_path("socket", self.socket)
        require_one_of("transport", self.transport, ("datagram", "stream", "lines"))
        require_one_of("facility", self.facility, FACILITIES)
        require_at_least("enterprise", self.enterprise, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsdEndpointSettings(QueueSettings):
    """A statsd, over UDP or on a unix stream socket."""

    address: str
    prefix: str = ""
    logger: bool = False
    """Whether the logger and a dot stand before the name."""

    def __post_init__(self) -> None:
        QueueSettings.__post_init__(self)
        split_place("address", self.address)
        require_no_blank("prefix", self.prefix)
        if re.search(r"[:|@#;]", self.prefix):
            raise SettingError("prefix must have none of the characters : | @ # ; that mean something to statsd.")


def require_one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise `SettingError` unless `value` is one of the words that are allowed."""
    if value not in allowed:
        raise SettingError(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")


def require_secret(name: str, variable: str, file: Path | None) -> None:
    """Raise `SettingError` unless a secret comes from one place at most."""
    if variable and file is not None:
        raise SettingError(f"{name}_variable and {name}_file do not go together.")
    if variable and not VARIABLE.fullmatch(variable):
        raise SettingError(f"{name}_variable must be the name of a variable of the environment.")
