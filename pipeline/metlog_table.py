"""The table `[metlog]` of the file of settings becomes `MetlogSettings`.

[metlog]
sources = ["unixgram:///run/syslog-pipeline/metlog.sock"]

[metlog.endpoint.archive]
kind = "file"
path = "/var/log/metlog.json"

[[metlog.route]]
type = ["counter", "timer", "gauge"]
to = "store"
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.endpoint_settings import EndpointSettings
from pipeline.errors import MismatchError, SettingError
from pipeline.metlog_settings import (
    BUILT_IN,
    DEFAULT_ROUTES,
    ENDPOINT_KINDS,
    ENDPOINT_NAME,
    STORE,
    MetlogSettings,
    RouteSettings,
)
from pipeline.toml_tables import fill_table, read_texts, require_table, spell_toml, suggest

KEYS = ("sources", "endpoint", "route")

NOTHINGS: dict[str, object] = {"type": [], "logger": [], "severity": "", "fields": {}}
"""By matcher, what would have it fit all messages, though somebody has written it."""


def read_metlog(path: object, value: object) -> MetlogSettings:
    """Return what the table says; `SettingError` names the file `path`, the table in it and the key."""
    table = require_table(f"{path}: metlog", value)
    for key in table:
        if key not in KEYS:
            raise SettingError(f"{path}: the setting metlog.{key} is unknown.{suggest(key, KEYS)}")
    endpoints = {
        name: read_endpoint(f"{path}: metlog.endpoint.{name}", name, settings)
        for name, settings in require_table(f"{path}: metlog.endpoint", table.get("endpoint", {})).items()
    }
    routes = read_routes(f"{path}: metlog.route", table.get("route", []))
    for number, route in enumerate(routes, 1):
        for name in route.to:
            if name not in endpoints and name not in BUILT_IN:
                close = suggest(name, (*endpoints, *BUILT_IN))
                raise SettingError(f"{path}: metlog.route {number} goes to {name}, which is no endpoint.{close}")
    sources = read_sources(path, table.get("sources", []))
    try:
        return MetlogSettings(metlog_logs=sources, endpoints=endpoints, routes=routes or DEFAULT_ROUTES)
    except SettingError as error:
        raise SettingError(f"{path}: metlog.{error}") from error


def read_sources(path: object, value: object) -> tuple[str, ...]:
    """Return the sources of envelopes."""
    try:
        return read_texts(value)
    except MismatchError as error:
        raise SettingError(
            f"{path}: the setting metlog.sources must be a source or an array of them, not {spell_toml(value)}."
        ) from error


def read_endpoint(where: str, name: str, value: object) -> EndpointSettings:
    """Return the settings of one endpoint."""
    table = dict(require_table(where, value))
    kind = table.pop("kind", None)
    if not ENDPOINT_NAME.fullmatch(name):
        raise SettingError(f"{where}: the name may have letters, digits, _, - and . alone, and 64 of them at most.")
    if not isinstance(kind, str) or kind not in ENDPOINT_KINDS:
        close = suggest(kind, ENDPOINT_KINDS) if isinstance(kind, str) else ""
        found = "" if kind is None else f", not {spell_toml(kind)}"
        raise SettingError(f"{where}: the setting kind must be one of {', '.join(ENDPOINT_KINDS)}{found}.{close}")
    if name in BUILT_IN and (name, kind) != (STORE, STORE):
        raise SettingError(f"{where}: {name} is an endpoint that there is already: take another name.")
    return fill_table(ENDPOINT_KINDS[kind], where, table)


def read_routes(where: str, value: object) -> tuple[RouteSettings, ...]:
    """Return the routes, in order."""
    if not isinstance(value, list):
        raise SettingError(f"{where} must be an array of tables, each begun by [[metlog.route]].")
    return tuple(read_route(f"{where} {number}", item) for number, item in enumerate(value, 1))


def read_route(where: str, value: object) -> RouteSettings:
    """Return one route. Its severity may be a number, as TOML writes one."""
    table: Mapping[str, object] = require_table(where, value)
    for key, nothing in NOTHINGS.items():
        if table.get(key) == nothing:
            raise SettingError(f"{where}: the setting {key} is empty: leave it out where it is to fit all messages.")
    check_fields(where, table.get("fields"))
    severity = table.get("severity")
    if isinstance(severity, int) and not isinstance(severity, bool):
        table = {**table, "severity": str(severity)}
    return fill_table(RouteSettings, where, table, {"goes_on": "continue"})


def check_fields(where: str, fields: object) -> None:
    """Raise `SettingError` unless each field has its patterns. One whose name is not in quotes is, to TOML, a table."""
    for name, patterns in fields.items() if isinstance(fields, dict) else ():
        if isinstance(patterns, dict):
            spelled = f'"{name}.{next(iter(patterns), "")}"'
            raise SettingError(f"{where}: the setting fields.{name} is a table: write a field within it as {spelled}.")
        if not is_texts(patterns):
            raise SettingError(
                f"{where}: the setting fields.{name} must be a text or an array of texts, not {spell_toml(patterns)}."
            )


def is_texts(value: object) -> bool:
    """Return whether there is a text, or an array of some."""
    try:
        return bool(read_texts(value))
    except MismatchError:
        return False
