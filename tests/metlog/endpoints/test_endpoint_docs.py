"""docs/metlog.md on endpoints: its tables of keys are whole, and its examples are taken as they stand."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, Field, fields
from pathlib import Path

import pytest

from pipeline.endpoint_settings import FACILITIES, EndpointSettings, QueueSettings
from pipeline.metlog_settings import ENDPOINT_KINDS
from pipeline.metlog_table import read_metlog
from pipeline.toml_tables import SECONDS, list_keys

PAGE = (Path(__file__).parents[3] / "docs" / "metlog.md").read_text()
ENDPOINTS = PAGE.partition("\n## Endpoints\n")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.partition("\n## The router\n")[2], re.DOTALL)
ROW = re.compile(r"^\| (`[^|]*`) \| ([^|]*?) ?\| ", re.MULTILINE)
QUEUED = {name: kind for name, kind in ENDPOINT_KINDS.items() if issubclass(kind, QueueSettings)}
COMMON = list_keys(QueueSettings, {})


def read_rows(text: str) -> dict[str, str]:
    """Return the keys in tables, with what stands for their defaults."""
    return {key: default for keys, default in ROW.findall(text) for key in re.findall(r"`(\w+)`", keys)}


def find_section(kind: str) -> str:
    """Return the section that has an example of a kind, but for that of the spool."""
    sections = ENDPOINTS.split("\n### ")
    return next(one for one in sections if f'kind = "{kind}"' in one and not one.startswith("The spool"))


def spell_default(field: Field[object]) -> str:
    """Return a default as the page has it."""
    value = field.default
    if value is MISSING or value in ("", None, ()):
        return ""
    if field.name.endswith(SECONDS):
        return f'`"{value:g}s"`'
    if field.name == "mode":
        return f'`"0{value:o}"`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else str(value)


def list_defaults(kind: type[EndpointSettings]) -> dict[str, str]:
    """Return the defaults of a kind by their keys."""
    by_name = {field.name: field for field in fields(kind)}
    return {key: spell_default(by_name[name]) for key, name in list_keys(kind, {}).items()}


@pytest.mark.parametrize("kind", QUEUED)
def test_all_keys_of_an_endpoint_are_documented(kind: str) -> None:
    """With their defaults, and no others."""
    expected = {key: default for key, default in list_defaults(QUEUED[kind]).items() if key not in COMMON}
    if kind == "sentry":
        expected["dsn_file"] = expected["dsn_variable"] = "`SENTRY_DSN`"
    assert read_rows(find_section(kind)) == expected


def test_keys_of_all_queues_are_documented() -> None:
    """Once for all endpoints."""
    section = next(one for one in ENDPOINTS.split("\n### ") if one.startswith("Queues"))
    assert read_rows(section) == list_defaults(QueueSettings)
    for name, kind in QUEUED.items():
        differing = {key: value for key, value in list_defaults(kind).items() if COMMON.get(key)}
        if name == "http":
            assert differing.pop("batch_delay") == '`"1s"`'
        assert {**list_defaults(QueueSettings), **differing} == list_defaults(QueueSettings)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_is_taken(number: int) -> None:
    """Each stands by itself."""
    table = tomllib.loads(EXAMPLES[number])
    assert table.keys() == {"metlog"}
    read_metlog("metlog.md", table["metlog"])


def test_all_facilities_are_documented() -> None:
    """By name; the last eight with the first and the last of them."""
    for name in FACILITIES[:16]:
        assert f"`{name}`" in find_section("syslog")
