"""Tables of the file of settings, as the classes of settings that they fill.

A key is named like its field, without the unit where the field has one: `delay = "1s"` fills `delay_seconds`.
What is wrong is one sentence, which says where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_type_hints

from pipeline.errors import MismatchError, SettingError
from pipeline.settings import parse_duration

SECONDS = "_seconds"

T = TypeVar("T")


def suggest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean …?" for the known name nearest to `name`, or nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def spell_toml(value: object) -> str:
    """Return `value` roughly as TOML spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    return f'"{value}"' if isinstance(value, str) else str(value)


def require_table(where: str, value: object) -> dict[str, object]:
    """Return `value` if it is a table; `SettingError` says that `where` must be one."""
    if not isinstance(value, dict):
        raise SettingError(f"{where} must be a table, not {spell_toml(value)}.")
    return value


def fill_table(kind: type[T], where: str, table: Mapping[str, object], names: Mapping[str, str] | None = None) -> T:
    """Return the settings of class `kind` that the keys of `table` give.

    `where` is the file and the table, for what is wrong; `names` are the keys of fields that are called otherwise.
    """
    by_key = list_keys(kind, names or {})
    hints = get_type_hints(kind)
    values: dict[str, object] = {}
    for key, value in table.items():
        name = by_key.get(key.replace("-", "_"))
        if name is None:
            raise SettingError(f"{where}: the setting {key} is unknown.{suggest(key, by_key)}")
        if name in values:
            raise SettingError(f"{where}: the setting {key} is given twice, once with a dash.")
        try:
            values[name] = convert(name, hints[name], value)
        except MismatchError as error:
            raise SettingError(f"{where}: the setting {key} must be {error}, not {spell_toml(value)}.") from error
    for key, name in by_key.items():
        if name not in values and name in list_required(kind):
            raise SettingError(f"{where}: the setting {key} is missing.")
    try:
        return kind(**values)
    except SettingError as error:
        raise SettingError(f"{where}: {str(error).removeprefix('--')}") from error


def list_keys(kind: type, names: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a settings class by their keys."""
    return {names.get(field.name) or field.name.removesuffix(SECONDS): field.name for field in fields(kind)}


def list_required(kind: type) -> list[str]:
    """Return the fields that have no default."""
    return [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]


def convert(name: str, hint: object, value: object) -> object:
    """Return what the TOML `value` means for the field `name` of type `hint`; raises `MismatchError`."""
    if name.endswith(SECONDS):
        return convert_duration(value)
    if name.endswith("mode") and hint is int:
        return convert_mode(value)
    if hint not in CONVERTERS:
        raise AssertionError(f"no table can fill {name} of type {hint}")
    return CONVERTERS[hint](value)


def convert_duration(value: object) -> float:
    """Return the seconds of a Go duration."""
    try:
        return parse_duration(require_text(value))
    except (ValueError, MismatchError) as error:
        raise MismatchError("a duration: write for example 250ms, 10s or 1h30m") from error


def convert_mode(value: object) -> int:
    """Return the permissions of a file. A number of TOML has its base with it, a text is octal."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"(0o)?[0-7]{1,4}", value):
        raise MismatchError("a mode: write it in octal, for example 0640")
    return int(value.removeprefix("0o"), 8)


def require_text(value: object) -> str:
    if not isinstance(value, str):
        raise MismatchError("a text")
    return value


def require_integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise MismatchError("a whole number")
    return value


def require_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MismatchError("a number")
    try:
        return float(value)
    except OverflowError as error:
        raise MismatchError("a number") from error


def require_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise MismatchError("true or false")
    return value


def require_path(value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise MismatchError("a path")
    return Path(value)


def read_texts(value: object) -> tuple[str, ...]:
    """Return the texts of an array, or the one that stands alone."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) and item for item in items):
        raise MismatchError("a text or an array of texts")
    return tuple(items)


def read_numbers(value: object) -> tuple[float, ...]:
    """Return the numbers of an array."""
    if not isinstance(value, list):
        raise MismatchError("an array of numbers")
    return tuple(map(require_number, value))


def read_pairs(value: object) -> tuple[tuple[str, str], ...]:
    """Return the texts of a table by their names."""
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise MismatchError("a table of texts")
    return tuple(value.items())


def read_lists(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the texts of a table by their names, of which each may have several."""
    if not isinstance(value, dict):
        raise MismatchError("a table of texts")
    return tuple((name, read_texts(item)) for name, item in value.items())


CONVERTERS: dict[object, Callable[[object], object]] = {
    str: require_text,
    int: require_integer,
    float: require_number,
    bool: require_boolean,
    Path: require_path,
    Path | None: require_path,
    tuple[str, ...]: read_texts,
    tuple[float, ...]: read_numbers,
    tuple[tuple[str, str], ...]: read_pairs,
    tuple[tuple[str, tuple[str, ...]], ...]: read_lists,
}
"""By the type of a field: what makes its value of TOML's, or raises `MismatchError`."""
