"""Clients from configurations: a dict, TOML, or the INI files of metlog-py. All of them become the dict.

The keys of the dict::

    logger, severity           what messages have that say nothing else
    disabled_timers            names of timers that do nothing; `*` for all
    report_seconds             losses are told on standard error so often at most; -1 for never
    timer_digits               digits of a fraction of a millisecond that timers have
    sender                     {"class": a dotted name or a name of SENDERS, "args": […], and its keywords},
                               or {"address": one that `open_sender` knows}
    filters                    [(dotted name of a provider, {its keywords}), …], in their order
    plugins                    {any name: (dotted name of a provider, {its settings, and "override"})}
    global                     what all clients share: `disabled_decorators`, `default`
    sender_*, global_*         the same as those within `sender` and `global`
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import BinaryIO, TextIO, TypedDict, cast

from pipeline.metlog.client import MAX_TIMER_DIGITS, Filter, MetlogClient, Plugin
from pipeline.metlog.config_files import read_ini, read_toml
from pipeline.metlog.envelope import DEFAULT_SEVERITY, SEVERITY
from pipeline.metlog.exceptions import ConfigError
from pipeline.metlog.harmless import Mender, write_json
from pipeline.metlog.losses import REPORT_SECONDS, SenderLike
from pipeline.metlog.path import resolve_name
from pipeline.metlog.registry import CLIENT_HOLDER, DISABLED
from pipeline.metlog.senders import SENDERS, NoSendSender, SenderError, open_sender

Config = dict[str, object]

PREFIXES = ("sender", "global")


def client_from_dict_config(
    config: Mapping[str, object], client: MetlogClient | None = None, clear_global: bool = False
) -> MetlogClient:
    """Return a client that is configured, the given one if there is one. Raises `ConfigError`.

    The configuration stays as it is, and its text is kept as `_config`. With `clear_global` the settings that all
    clients share are forgotten first.
    """
    if not isinstance(config, Mapping):
        raise ConfigError(f"A configuration is a table of settings, not {config!r}.")
    whole = nest_prefixes(copy_tables(config))
    shared = read_table(whole, "global")
    read_names(shared, DISABLED)
    sender = make_sender(read_table(whole, "sender"))
    filters = make_filters(whole.get("filters"))
    plugins = make_plugins(read_table(whole, "plugins"))
    settings = read_settings(whole)
    client = client or MetlogClient(None)
    client.replace_methods(plugins)
    client.setup(sender, filters=filters, **settings)
    if clear_global:
        CLIENT_HOLDER.global_config.clear()
    CLIENT_HOLDER.global_config.update(shared)
    client._config = write_json(Mender().mend(whole))  # noqa: SLF001 - metlog-py's name for what people look at
    return client


def copy_tables(table: Mapping[str, object]) -> Config:
    """Return a copy of a table, of those in it, and of its lists. What else is in it, such as a stream, is the same."""
    return {key: copy_value(value) for key, value in table.items()}


def copy_value(value: object) -> object:
    """Return a copy of a table or list, and anything else as it is."""
    match value:
        case Mapping():
            return copy_tables(value)
        case list() | tuple():
            return type(value)(map(copy_value, value))
    return value


class Settings(TypedDict):
    """What a configuration says of a client itself, as `setup` takes it."""

    logger: str
    severity: int
    disabled_timers: list[str]
    report_seconds: float | None
    timer_digits: int


def read_settings(config: Config) -> Settings:
    """Return what a configuration says of the client itself."""
    report_seconds = read_number(config, "report_seconds", REPORT_SECONDS)
    return {
        "logger": str(config.get("logger") or ""),
        "severity": read_whole(config, "severity", DEFAULT_SEVERITY, SEVERITY.DEBUG),
        "disabled_timers": read_names(config, "disabled_timers"),
        "report_seconds": None if report_seconds < 0 else report_seconds,
        "timer_digits": read_whole(config, "timer_digits", 0, MAX_TIMER_DIGITS),
    }


def nest_prefixes(config_dict: Config, prefixes: Iterable[str] = PREFIXES, separator: str = "_") -> Config:
    """Put what begins with a prefix into the table of that name, and return the configuration itself."""
    for prefix in prefixes:
        whole = prefix + separator
        nested = {key.removeprefix(whole): config_dict.pop(key) for key in list(config_dict) if key.startswith(whole)}
        if nested:
            config_dict[prefix] = {**read_table(config_dict, prefix), **nested}
    return config_dict


def make_sender(config: Config) -> SenderLike:
    """Return the sender of a configuration; without one, the one that sends nothing."""
    name = config.pop("class", None)
    args = config.pop("args", ())
    if name is None and config.keys() == {"address"}:
        return open_address(str(config["address"]))
    if name is None:
        if config or args:
            raise ConfigError("The settings of a sender need its `class`, or are an `address` alone.")
        return NoSendSender()
    found = SENDERS.get(str(name)) or resolve_name(str(name), "senders")
    sender = call(found, str(name), args if isinstance(args, list | tuple) else (args,), config)
    if not callable(getattr(sender, "send_message", None)):
        raise ConfigError(f"{name!r} makes no sender: what it makes has no method send_message.")
    return cast(SenderLike, sender)


def open_address(address: str) -> SenderLike:
    """Return the sender to an address."""
    try:
        return open_sender(address)
    except SenderError as error:
        raise ConfigError(str(error)) from error


def make_filters(specs: object) -> list[Filter]:
    """Return the filters of a configuration."""
    filters: list[Filter] = []
    for name, config in read_specs(specs or []):
        made = call(resolve_name(name, "filters"), name, (), config)
        if not callable(made):
            raise ConfigError(f"{name!r} makes no filter: what it makes cannot be called.")
        filters.append(cast(Filter, made))
    return filters


def make_plugins(specs: Config) -> list[tuple[Plugin, bool | str]]:
    """Return the plugins of a configuration, and which of them may take the place of something else."""
    plugins = []
    for name, config in read_specs(list(specs.values())):
        override = config.pop("override", False)
        made = call(resolve_name(name), name, (config,), {})
        if not callable(made):
            raise ConfigError(f"{name!r} makes no plugin: what it makes cannot be called.")
        plugins.append((cast(Plugin, made), override if isinstance(override, str) else bool(override)))
    return plugins


def call(maker: object, name: str, args: Iterable[object], keywords: Config) -> object:
    """Return what a class or a provider makes; says which one if its arguments do not fit."""
    if not callable(maker):
        raise ConfigError(f"{name!r} cannot be called, so it makes nothing.")
    try:
        return maker(*args, **keywords)
    except (TypeError, ValueError, SenderError, OSError) as error:
        raise ConfigError(f"{name!r} does not take its settings: {str(error).removesuffix('.')}.") from error


def read_specs(specs: object) -> list[tuple[str, Config]]:
    """Return pairs of a dotted name and its settings."""
    pairs = []
    for spec in specs if isinstance(specs, list | tuple) else [specs]:
        match spec:
            case [str() as name, Mapping() as config]:
                pairs.append((name, dict(config)))
            case {"provider": str() as name, **config}:
                pairs.append((name, config))
            case _:
                raise ConfigError(f"A filter or plugin is a provider and its settings, not {spec!r}.")
    return pairs


def read_table(config: Config, key: str) -> Config:
    """Return a copy of a table of a configuration, empty if it is not there."""
    table = config.get(key) or {}
    if not isinstance(table, Mapping):
        raise ConfigError(f"`{key}` is a table of settings, not {table!r}.")
    return dict(table)


def read_names(config: Config, key: str) -> list[str]:
    """Return a list of names of a configuration; one alone may be given as text."""
    names = config.get(key) or []
    if isinstance(names, str):
        return [names]
    if not isinstance(names, list | tuple | set | frozenset):
        raise ConfigError(f"`{key}` is a list of names, not {names!r}.")
    return [str(name) for name in names]


def read_number(config: Config, key: str, default: float) -> float:
    """Return a number of a configuration."""
    value = config.get(key)
    if value is None:
        return default
    try:
        number = float(cast(str, value))
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        raise ConfigError(f"`{key}` is a number, not {value!r}.")
    return number


def read_whole(config: Config, key: str, default: int, most: int) -> int:
    """Return a whole number of a configuration, from 0."""
    number = read_number(config, key, default)
    if number not in range(most + 1):
        raise ConfigError(f"`{key}` is a whole number from 0 to {most}, not {config[key]!r}.")
    return int(number)


def dict_from_stream_config(stream: TextIO, section: str) -> Config:
    """Return the configuration in a section of an INI file, and in those that belong to it."""
    return nest_prefixes(read_ini(stream, section))


def client_from_stream_config(
    stream: TextIO, section: str, client: MetlogClient | None = None, clear_global: bool = False
) -> MetlogClient:
    """Return a client from a section of an INI file."""
    return client_from_dict_config(dict_from_stream_config(stream, section), client, clear_global)


def client_from_text_config(
    text: str, section: str, client: MetlogClient | None = None, clear_global: bool = False
) -> MetlogClient:
    """Return a client from a section of INI text, which may be indented as a whole."""
    return client_from_dict_config(nest_prefixes(read_ini(dedent(text), section)), client, clear_global)


def client_from_toml(
    source: str | Path | BinaryIO,
    section: str = "metlog",
    client: MetlogClient | None = None,
    clear_global: bool = False,
) -> MetlogClient:
    """Return a client from a table of TOML: text, a file by its `Path`, or a file opened for bytes."""
    return client_from_dict_config(read_toml(source, section), client, clear_global)
