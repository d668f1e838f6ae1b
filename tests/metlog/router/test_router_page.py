"""docs/metlog.md, the part of the router: its settings can be used, and what it says of series and reasons is so."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.batch import Batch
from pipeline.formats import prometheus
from pipeline.metlog.endpoints import store
from pipeline.metlog.endpoints.message_metrics import MessageMetrics
from pipeline.metlog.router import EXPLANATIONS, Router
from pipeline.metlog_settings import DEFAULT_ROUTES, RouteSettings, StoreEndpointSettings
from pipeline.metlog_table import read_metlog
from pipeline.metrics import Store
from tests.metlog.endpoints.messages import NOW

PAGE = (Path(__file__).parents[3] / "docs" / "metlog.md").read_text()
OURS = re.compile(r"^(?:sources = |\[metlog\.endpoint|\[\[metlog\.route)", re.MULTILINE)
"""What tells a table of the router from one of the generator."""
TABLES = [text for text in re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if OURS.search(text)]
SERIES = re.findall(r"^\| `(\{.*?\})` \| `(.*?)` \|$", PAGE, re.MULTILINE)


def read_section(heading: str) -> str:
    """Return what stands below a heading."""
    section = PAGE.partition(f"\n{heading}\n")[2]
    assert section, heading
    return re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0]


def read_rows(section: str) -> dict[str, str]:
    """Return the second column of a table by the word in the first."""
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", section, re.MULTILINE))


@pytest.mark.parametrize("text", TABLES, ids=range(len(TABLES)))
def test_table_on_the_page_can_be_used(text: str) -> None:
    """As it stands there."""
    settings = read_metlog("the page", tomllib.loads(text)["metlog"])
    assert settings.endpoints or settings.metlog_logs


def test_page_has_tables_and_series() -> None:
    """Or the tests of them prove nothing."""
    assert len(TABLES) >= 2
    assert len(SERIES) >= 5


@pytest.mark.parametrize(("line", "series"), SERIES, ids=range(len(SERIES)))
def test_message_on_the_page_becomes_its_series(line: str, series: str) -> None:
    """Through the routes that hold without any."""
    metrics = Store()
    endpoint = store.StoreEndpoint("store", StoreEndpointSettings(), MessageMetrics(metrics))
    programs = store.StoreEndpoint("programs", StoreEndpointSettings(), MessageMetrics(Store()))
    router = Router(DEFAULT_ROUTES, {"store": endpoint, "programs": programs})
    router.route(Batch.of([line.encode()], b""), NOW)
    assert series in prometheus.render(metrics.snapshot()).decode().splitlines()


def test_table_of_the_store_shows_its_defaults() -> None:
    """All of its keys."""
    (text,) = re.findall(r"^```toml\n(.*?)^```$", read_section("### The store"), re.MULTILINE | re.DOTALL)
    assert read_metlog("the page", tomllib.loads(text)["metlog"]).endpoints == {"store": StoreEndpointSettings()}
    assert all(f"{field.name} = " in text for field in fields(StoreEndpointSettings))


def test_page_has_every_reason() -> None:
    """With the words that the log has for it."""
    assert read_rows(read_section("### Lines that are no envelopes")) == EXPLANATIONS
    assert read_rows(read_section("### The store")) == store.EXPLANATIONS


def test_page_has_every_key_of_a_route() -> None:
    """A matcher that nobody knows of is none."""
    section = PAGE.partition("\n### Routes\n")[2].partition("\n### ")[0]
    keys = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", section, re.MULTILINE)))
    assert set(keys) == {field.name.replace("goes_on", "continue") for field in fields(RouteSettings)}
