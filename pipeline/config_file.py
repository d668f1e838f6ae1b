"""The file of settings: TOML, whose keys are the names of flags (with underscores or dashes), or tables."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pipeline.errors import SettingError, describe_os_error
from pipeline.flag_types import FlagType, SourcesType
from pipeline.metlog_table import read_metlog
from pipeline.record_table import read_records
from pipeline.toml_tables import spell_toml, suggest

TABLES: dict[str, Callable[[Path, object], object]] = {"metlog": read_metlog, "records": read_records}
"""What is too much for a flag: what reads each table, given the file that it stands in."""


def read_config(path: Path, types: Mapping[str, FlagType]) -> dict[str, object]:
    """Return the values in the file, by the names in `types`, converted; `SettingError` names file and key."""
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingError(f"The file of settings {path} cannot be read: {describe_os_error(error)}.") from error
    except (ValueError, RecursionError) as error:  # for bytes that are no UTF-8, and for numbers of 5,000 digits, too
        raise SettingError(f"The file of settings {path} is not valid TOML: {error}.") from error
    values: dict[str, object] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in TABLES:
            values[name] = TABLES[name](path, value)
            continue
        if name not in types:
            raise SettingError(f"{path}: the setting {key} is unknown.{suggest(name, (*types, *TABLES))}")
        if name in values:
            raise SettingError(f"{path}: the setting {name} is given twice, once with a dash.")
        values[name] = convert_value(path, key, value, types[name])
    return values


def convert_value(path: Path, key: str, value: object, type_: FlagType) -> object:
    """Return the value that the TOML `value` gives a flag of `type_`."""
    found = "" if type_.is_secret else f", not {spell_toml(value)}"
    failure = SettingError(f"{path}: the setting {key} must be {type_.expectation}{found}.")
    if not isinstance(value, type_.config_types) or (isinstance(value, bool) and bool not in type_.config_types):
        raise failure
    if isinstance(value, dict):
        return (tuple(read_pairs(path, key, value)),)
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise failure
    try:
        if isinstance(type_, SourcesType):
            # An item of an array is taken as it is: there a path may contain a comma.
            return (tuple(map(type_.parse_item, value)) if isinstance(value, list) else type_.parse(str(value)),)
        return type_.parse(value) if isinstance(value, str) else value
    except ValueError as error:
        raise failure from error


def read_pairs(path: Path, key: str, table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield a pair of a program and a source for each source of a table, by programs, of one or several.

    A program's name without quotes, `sshd.mtail`, is to TOML a table `sshd` with a key `mtail`.
    """
    for name, value in table.items():
        if not name:
            raise SettingError(f"{path}: a name in the table {key} is empty.")
        if isinstance(value, dict):
            yield from ((f"{name}.{rest}", source) for rest, source in read_pairs(path, f"{key}.{name}", value))
            continue
        items = value if isinstance(value, list) else [value]
        sources = [item for item in items if isinstance(item, str) and item]
        if not items or sources != items:
            raise SettingError(
                f"{path}: the setting {key}.{name} must be a source or an array of them, not {spell_toml(value)}."
            )
        yield from ((name, source) for source in sources)
