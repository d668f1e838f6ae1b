"""Files of configuration: INI as metlog-py reads it, and TOML."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO, TextIO

from pipeline.metlog.exceptions import ConfigError, EnvironmentNotFoundError

INTEGER = re.compile(r"-?[0-9]+")
VARIABLE = re.compile(r"\$\{(\w+)\}")
TRUE = frozenset({"true", "t", "on", "yes"})
FALSE = frozenset({"false", "f", "off", "no"})

TOML_KEYS = (
    "logger",
    "severity",
    "disabled_timers",
    "report_seconds",
    "timer_digits",
    "sender",
    "filters",
    "plugins",
    "global",
)


def read_ini(source: str | TextIO, section: str) -> dict[str, object]:
    """Return the settings of a section, and of its filters and plugins. Raises `ConfigError`.

    A `;` behind a space begins a comment, as it did in Python 2.
    """
    parser = ConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        if isinstance(source, str):
            parser.read_string(source)
        else:
            parser.read_file(source)
        if not parser.has_section(section):
            raise ConfigError(f"There is no section [{section}].")
        config = {key: convert(parser.get(section, key)) for key in parser.options(section)}
        config["filters"] = [pair for _, pair in read_sections(parser, f"{section}_filter")]
        config["plugins"] = dict(read_sections(parser, f"{section}_plugin"))
    except IniError as error:
        raise ConfigError(f"The configuration cannot be read: {error}.") from error
    return config


def read_sections(parser: ConfigParser, prefix: str) -> list[tuple[str, tuple[str, dict[str, object]]]]:
    """Return name, provider and settings of each section that begins with a prefix, in their order."""
    found = []
    for section in parser.sections():
        if section.startswith(prefix):
            if not parser.has_option(section, "provider"):
                raise ConfigError(f"The section [{section}] names no provider.")
            settings = {key: convert(parser.get(section, key)) for key in parser.options(section) if key != "provider"}
            provider = parser.get(section, "provider").strip()
            found.append((section.removeprefix(prefix).lstrip("_"), (provider, settings)))
    return found


def convert(text: str) -> object:
    """Return the value that text of an INI file stands for; of several lines, a list."""
    if "\n" in text:
        return [convert(line) for line in text.split("\n") if line.strip()]
    text = text.strip()
    if INTEGER.fullmatch(text):
        return int(text)
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    return fill_in(text)


def fill_in(text: str) -> str:
    """Return text with the value of each `${VARIABLE}` in it; raises `EnvironmentNotFoundError`."""
    return VARIABLE.sub(lambda found: read_variable(found[1]), text)


def read_variable(name: str) -> str:
    """Return a variable of the environment."""
    try:
        return os.environ[name]
    except KeyError:
        raise EnvironmentNotFoundError(name) from None


def read_toml(source: str | Path | BinaryIO, section: str) -> dict[str, object]:
    """Return the settings of a table. Raises `ConfigError`, also for a key that there is not."""
    try:
        if isinstance(source, str):
            tables = tomllib.loads(source)
        elif isinstance(source, Path):
            tables = tomllib.loads(source.read_text(encoding="utf-8"))
        else:
            tables = tomllib.load(source)
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration is not TOML: {error}.") from error
    table = tables.get(section)
    if not isinstance(table, Mapping):
        raise ConfigError(f"There is no table [{section}].")
    for key in table:
        if key not in TOML_KEYS and not key.startswith(("sender_", "global_")):
            raise ConfigError(f"`{key}` is no setting of a client.{suggest(key)}")
    filled = fill_in_all(table)
    assert isinstance(filled, dict)
    return filled


def suggest(key: str) -> str:
    """Return a hint for a key that is close to one that there is."""
    close = get_close_matches(key, TOML_KEYS, 1)
    return f" Did you mean `{close[0]}`?" if close else ""


def fill_in_all(value: object) -> object:
    """Return a value of TOML with the variables of the environment in all its texts."""
    match value:
        case str():
            return fill_in(value)
        case Mapping():
            return {key: fill_in_all(item) for key, item in value.items()}
        case list():
            return [fill_in_all(item) for item in value]
    return value
