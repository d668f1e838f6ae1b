"""What a `journal://` source names: which journal, which of its entries, and how they become lines. Pure.

`journal://[PATH][?KEY=VALUE&…]`. A key that is repeated admits any of its values, different keys must all
hold, as journalctl(1) has it. A value may be percent-encoded, so that it can hold `&` and the comma of `--logs`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

from pipeline.errors import SettingError

SCHEME = "journal://"

PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""From the gravest, 0, on: syslog(3)."""

UNIT_TYPES = (
    *(".service", ".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path"),
    *(".timer", ".slice", ".scope"),
)
"""What the name of a unit ends with (systemd.unit(5)); one that ends with nothing of these is a service."""

UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+")
"""The characters that a unit's name may have (systemd.unit(5)). Patterns are none."""

COREDUMP_ID = "fc2e22bc6ee647b6b90729ab34a250b1"
"""MESSAGE_ID of what systemd-coredump logs (systemd/sd-messages.h)."""

FIELD_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
"""A field of the journal, by its own name (systemd.journal-fields(7))."""

FORMATS = ("traditional", "message")

Term: TypeAlias = tuple[str, ...]
"""Matches, `FIELD=value`, that must all hold."""


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """`path` is a folder of journal files, or one of them; without it the journal of the system below `root` is meant.

    Both are as the operator wrote them. Of each of `conditions` at least one term must hold.
    """

    path: str
    root: str
    conditions: tuple[tuple[Term, ...], ...]
    message_only: bool


def parse_query(spec: str) -> JournalQuery:
    """Return what an item of `--logs` asks for; raises `SettingError`."""
    path, _, query = spec.removeprefix(SCHEME).partition("?")
    wanted: dict[str, list[str]] = {}
    for item in filter(None, query.split("&")):
        key, _, value = item.partition("=")
        if not value:
            raise SettingError(f"The source {spec!r} has no value for {key!r}.")
        wanted.setdefault(key, []).append(unquote(value, errors="surrogateescape"))
    line_format, root = (take_single(spec, wanted, key) for key in ("format", "root"))
    if line_format not in ("", *FORMATS):
        raise SettingError(f"The source {spec!r} has the format {line_format!r}: there are {' and '.join(FORMATS)}.")
    if path and root:
        raise SettingError(f"The source {spec!r} has a path and a root, of which it can have one.")
    conditions = tuple(make_condition(spec, key, values) for key, values in wanted.items())
    return JournalQuery(path, root, conditions, message_only=line_format == "message")


def take_single(spec: str, wanted: dict[str, list[str]], key: str) -> str:
    """Take what can be said once out of what is wanted; return its value, "" if there is none."""
    values = wanted.pop(key, [""])
    if len(values) > 1:
        raise SettingError(f"The source {spec!r} has {len(values)} values for {key!r}, of which it can have one.")
    return values[0]


def make_condition(spec: str, key: str, values: Sequence[str]) -> tuple[Term, ...]:
    """Return the terms of which one must hold, so that one of `values` does."""
    make_terms = CONDITIONS.get(key)
    if make_terms is None:
        if not FIELD_NAME.fullmatch(key):
            known = ", ".join([*CONDITIONS, "format", "root"])
            raise SettingError(
                f"The source {spec!r} has the unknown key {key!r}: there are {known}, and the fields of the journal, "
                "in capitals."
            )
        return tuple((f"{key}={value}",) for value in values)
    try:
        return tuple(term for value in values for term in make_terms(value))
    except ValueError as error:
        raise SettingError(f"The source {spec!r} has the {key} {error.args[0]!r}: {error.args[1]}.") from error


def match_unit(name: str) -> tuple[Term, ...]:
    """Return the terms of what a unit logs and what is logged about it, those of `journalctl --unit`."""
    if not UNIT_NAME.fullmatch(name):
        raise ValueError(name, "that is no name of a unit, and patterns are not known here")
    unit = name if name.endswith(UNIT_TYPES) else f"{name}.service"
    terms: tuple[Term, ...] = (
        (f"_SYSTEMD_UNIT={unit}",),
        (f"MESSAGE_ID={COREDUMP_ID}", "_UID=0", f"COREDUMP_UNIT={unit}"),
        ("_PID=1", f"UNIT={unit}"),
        ("_UID=0", f"OBJECT_SYSTEMD_UNIT={unit}"),
    )
    return (*terms, (f"_SYSTEMD_SLICE={unit}",)) if unit.endswith(".slice") else terms


def match_identifier(name: str) -> tuple[Term, ...]:
    return ((f"SYSLOG_IDENTIFIER={name}",),)


def match_priority(text: str) -> tuple[Term, ...]:
    """Return the terms of a priority and all that are graver, or of a range `FROM..TO`."""
    first, dots, last = text.rpartition("..")
    bounds = sorted((read_priority(first, text) if dots else 0, read_priority(last, text)))
    return tuple((f"PRIORITY={number}",) for number in range(bounds[0], bounds[1] + 1))


def read_priority(name: str, text: str) -> int:
    """Return the number of a priority, which is part of `text`."""
    if name in PRIORITIES:
        return PRIORITIES.index(name)
    if name.isdecimal() and name.isascii() and int(name) < len(PRIORITIES):
        return int(name)
    raise ValueError(text, f"there are {', '.join(PRIORITIES)}, the numbers 0 to 7, and ranges FROM..TO")


CONDITIONS: Mapping[str, Callable[[str], tuple[Term, ...]]] = {
    "unit": match_unit,
    "identifier": match_identifier,
    "priority": match_priority,
}
"""Per key, what makes the terms of a value. It raises `ValueError` with the value and what is wrong with it."""
