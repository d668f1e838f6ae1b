"""What is to be checked: as the settings of the daemon say it, as `setup` recorded it, and as flags say otherwise."""

from __future__ import annotations

import inspect
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.config_file import read_config
from pipeline.doctor.files import is_fifo, read_text
from pipeline.errors import SettingError
from pipeline.flag import ENVIRONMENT_PREFIX
from pipeline.flags import ALL_FLAGS
from pipeline.settings import (
    DoctorSettings,
    FormatSettings,
    LanguageSettings,
    LifeSettings,
    ServerSettings,
    SourceSettings,
    StateSettings,
    StoreSettings,
)

DEFAULT_CONFIG = Path("/etc/syslog-pipeline/settings.toml")
DEFAULT_PROGS = Path("/etc/syslog-pipeline/programs")
DEFAULT_LOGS = ("/run/syslog-pipeline/log.fifo",)
DEFAULT_SOCKET = Path("/run/syslog-pipeline/metrics.sock")
DEFAULT_LOG_SOCKET = Path("/dev/log")
ENVIRONMENT = Path("etc/default/syslog-pipeline")
"""The EnvironmentFile of our units, below the root."""

RECORD = Path("etc/syslog-pipeline/setup.json")
"""Where `setup` keeps what it chose, below the root; it need not be there."""

T = TypeVar("T")

STREAM, DATAGRAM = "unix://", "unixgram://"
OMPROG = "omprog"
CHILD_WAYS = (OMPROG, "program")
"""On these ways the syslog daemon starts ours; with rsyslog's, everything is said by flags in its rule."""

STDIN = ("-",)
SETTINGS_KINDS: tuple[Callable[..., object], ...] = (
    LanguageSettings,
    StoreSettings,
    FormatSettings,
    ServerSettings,
    StateSettings,
    LifeSettings,
)


@dataclass(frozen=True, slots=True)
class Instance:
    """One of our daemons. `number` is 0 for the only one."""

    number: int
    logs: tuple[str, ...]
    unix_socket: Path

    @property
    def unit(self) -> str:
        """The name of its unit."""
        return f"syslog-pipeline@{self.number}.service" if self.number else "syslog-pipeline.service"

    @property
    def pipes(self) -> list[Path]:
        """The named pipes among its sources: a path that could be one, and is none of a log file."""
        return [Path(log) for log in self.logs if is_pipe_path(log)]

    @property
    def sockets(self) -> list[Path]:
        """The unix sockets among its sources that have a file."""
        paths = [log.partition("://")[2] for log in self.logs if log.startswith((STREAM, DATAGRAM))]
        return [Path(path) for path in paths if not path.startswith("@")]

    @property
    def files(self) -> list[Path]:
        """The log files among its sources, without patterns."""
        plain = [log.removeprefix("file://") for log in self.logs if "://" not in log or log.startswith("file://")]
        return [Path(log) for log in plain if log != "-" and not is_pipe_path(log) and not set(log) & set("*?[")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All that the checks need to know beforehand. `config_trouble` is why the settings cannot be used."""

    settings: DoctorSettings
    config: Path
    config_is_read: bool
    config_trouble: str
    language: LanguageSettings
    progs: Path
    instances: tuple[Instance, ...]
    log_socket: Path
    is_child: bool
    """Whether the syslog daemon starts ours, as `setup` has noted; then there is no unit of ours."""


def is_pipe_path(log: str) -> bool:
    """Return whether an item of `--logs` should be a named pipe: one is there, or the name says so."""
    path = Path(log)
    if "://" in log or log == "-":
        return False
    return is_fifo(path) or path.suffix in (".fifo", ".pipe") or path.parent == DEFAULT_SOCKET.parent


def make_site(settings: DoctorSettings) -> Site:
    """Return what `settings` mean on this machine; what is wrong with the file of settings is told in the site."""
    config = settings.config or DEFAULT_CONFIG
    values: Mapping[str, object] = {}
    trouble = ""
    recorded = read_record(settings.root / RECORD)
    way = recorded.get("way")
    count = settings.instances if settings.instances is not None else read_count(recorded)
    is_given = way == OMPROG or all((settings.progs, settings.logs, settings.unix_socket))
    is_needed = settings.config is not None or not is_given
    if is_needed or os.path.lexists(config):
        try:
            environment = {} if way in CHILD_WAYS else read_environment(settings.root / ENVIRONMENT)
            if count:  # the units of instances say by flags where these are
                environment = {name: environment[name] for name in environment.keys() - {"logs", "unix_socket"}}
            values = read_settings(config, environment)
        except SettingError as error:
            trouble = str(error)
    logs = settings.logs or (STDIN if way in CHILD_WAYS else read_logs(values)) or DEFAULT_LOGS
    unix_socket = settings.unix_socket or read_path(values, "unix_socket") or DEFAULT_SOCKET
    return Site(
        settings=settings,
        config=config,
        config_is_read=is_needed or os.path.lexists(config),
        config_trouble=trouble,
        language=LanguageSettings() if trouble else fill_settings(LanguageSettings, values),
        progs=settings.progs or read_path(values, "progs") or DEFAULT_PROGS,
        instances=make_instances(count, logs, unix_socket),
        log_socket=settings.log_socket or DEFAULT_LOG_SOCKET,
        is_child=way in CHILD_WAYS,
    )


def read_settings(config: Path, environment: Mapping[str, object]) -> dict[str, object]:
    """Return the values of the file of settings and of the unit's `environment`, which wins, checked as `run` checks
    them; raises `SettingError`."""
    with suppress(OSError):
        if not stat.S_ISREG(config.stat().st_mode):
            raise SettingError(f"{config} is no file.")
    flags = {flag.name: flag for flag in ALL_FLAGS}
    read = read_config(config, {name: flag.type for name, flag in flags.items()})
    read.update(environment)
    settings = {name: flag.setting for name, flag in flags.items()}  # tables of their own have none
    values = {settings.get(name) or name: value for name, value in read.items()}
    for kind in SETTINGS_KINDS:
        fill_settings(kind, values)
    fill_settings(SourceSettings, {**values, "logs": read_logs(values), "read_from": None})
    return values


def read_environment(path: Path) -> dict[str, object]:
    """Return the values of flags that an EnvironmentFile sets, as systemd reads it (systemd.exec(5)), but for lines
    that go on; raises `SettingError`."""
    values: dict[str, object] = {}
    for row in read_text(path).splitlines():
        variable, _, value = row.partition("=")
        for flag in ALL_FLAGS:
            if variable.strip() == ENVIRONMENT_PREFIX + flag.name.upper():
                text = value.strip()
                text = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
                try:
                    values[flag.name] = (flag.type.parse(text),) if flag.repeatable else flag.type.parse(text)
                except ValueError as error:
                    raise SettingError(f"{path}: {variable.strip()} must be {flag.type.expectation}.") from error
    return values


def fill_settings(kind: Callable[..., T], values: Mapping[str, object]) -> T:
    """Return the settings of class `kind` that `values` give."""
    names = inspect.signature(kind).parameters
    return kind(**{name: values[name] for name in names if name in values})


def read_logs(values: Mapping[str, object]) -> tuple[str, ...]:
    """Return the sources that the file of settings names."""
    lists = values.get("logs", ())
    assert isinstance(lists, tuple)
    return tuple(log for logs in lists for log in logs)


def read_path(values: Mapping[str, object], name: str) -> Path | None:
    """Return a path that the file of settings names."""
    value = values.get(name)
    return Path(str(value)) if value else None


def read_record(path: Path) -> Mapping[str, object]:
    """Return what `setup` chose; nothing if it was not used, or that cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        choices = json.loads(path.read_bytes())["choices"]
        if isinstance(choices, dict):
            return choices
    return {}


def read_count(recorded: Mapping[str, object]) -> int:
    """Return how many instances `setup` made; 0 if it was one daemon."""
    count = recorded.get("instances", 0)
    return count if isinstance(count, int) and count > 1 else 0


def make_instances(count: int, logs: tuple[str, ...], unix_socket: Path) -> tuple[Instance, ...]:
    """Return the instances; of several, each has its number in the names of its pipes and sockets."""
    if not count:
        return (Instance(0, logs, unix_socket),)
    return tuple(
        Instance(number, tuple(add_number(log, number) for log in logs), Path(add_number(str(unix_socket), number)))
        for number in range(1, count + 1)
    )


def add_number(name: str, number: int) -> str:
    """Return `log@2.fifo` for `log.fifo`; what is no path of ours stays as it is."""
    if "://" in name and not name.startswith((STREAM, DATAGRAM)):
        return name
    folder, slash, last = name.rpartition("/")
    stem, dot, rest = last.partition(".")
    return f"{folder}{slash}{stem}@{number}{dot}{rest}" if slash and "@" not in last else name
