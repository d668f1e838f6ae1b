r"""The tables `[records.NAME]` of the file of settings become `RecordSettings`: which lines are joined.

[records.java]
sources = "/var/log/app/*.log"
start = '^\d{4}-'
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.errors import SettingError
from pipeline.record_settings import RecordSettings
from pipeline.toml_tables import fill_table, require_table

KEYS = {
    "record_start": "start",
    "record_continue": "continue",
    "record_header": "header",
    "record_sources": "sources",
    "record_separator": "separator",
    "record_timeout_seconds": "timeout",
    "max_record_lines": "max_lines",
    "max_record_bytes": "max_bytes",
    "max_open_records": "max_open",
}
"""Fields, and what they are called in a table."""


def read_records(path: object, value: object) -> tuple[RecordSettings, ...]:
    """Return what the tables say, in their order; `SettingError` names the file `path`, the table and the key."""
    return tuple(
        read_rule(f"{path}: records.{name}", table) for name, table in require_table(f"{path}: records", value).items()
    )


def read_rule(where: str, value: object) -> RecordSettings:
    """Return what one table says."""
    rule = fill_table(RecordSettings, where, require_table(where, value), KEYS)
    if not rule.joins:
        raise SettingError(f"{where} joins no lines: give it start, or continue.")
    return replace(rule, where=f"{where}: ")
