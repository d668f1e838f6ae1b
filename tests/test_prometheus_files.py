"""What we ship for Prometheus and Grafana is whole, and promtool and Grafana's own model have no complaint."""

from __future__ import annotations

import enum
import json
import re
import subprocess
import types
import typing
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel, RowPanel

ROOT = Path(__file__).parents[1]
RULES = ROOT / "docs" / "prometheus" / "rules"
RULE_TESTS = sorted(RULES.glob("*_test.yml"))
DASHBOARD = ROOT / "docs" / "prometheus" / "grafana-dashboard.json"

ALERT = re.compile(r"^      - alert: (?P<name>\w+)\n(?P<rest>(?:        .*\n)+)", re.MULTILINE)
ALERTS = {match["name"]: match["rest"] for match in ALERT.finditer((RULES / "alerts.yml").read_text(encoding="utf-8"))}
TESTED = re.compile(r"^        alertname: (\w+)\n        exp_alerts:( \[\])?$", re.MULTILINE)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def run_promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool among the rules."""
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, text=True, cwd=RULES)


def test_promtool_is_content_with_the_rules() -> None:
    """They can be loaded, and no two are the same."""
    check = run_promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml", "recording.yml")
    assert (check.returncode, check.stderr) == (0, "")
    assert re.findall(r"SUCCESS: (\d+) rules found", check.stdout) == [str(len(ALERTS) + 3), "5"]


@pytest.mark.slow
@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.name)
def test_alerts_fire_where_they_should(file: Path) -> None:
    """What promtool finds in the tests that we ship beside the rules."""
    check = run_promtool("test", "rules", file.name)
    assert (check.returncode, check.stderr) == (0, ""), check.stdout


AFTER_CRASH = """
rule_files: []
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: ssh_logins_total
        values: 1000000+10x30 1000100+10x100
    promql_expr_test:
      - expr: increase(ssh_logins_total[1h]) > 1e6
        eval_time: 60m
        exp_samples: [{{ value: 1000690 }}]
      - expr: {shown}
        eval_time: 60m
      - expr: {shown}
        eval_time: 100m
        exp_samples: [{{ value: 600 }}]
"""


def test_growth_after_a_crash_is_left_out_as_the_page_tells(tmp_path: Path) -> None:
    """A counter falls a little; for Prometheus it begins at zero. An hour later all is well."""
    page = (ROOT / "docs" / "prometheus.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```\n(increase\(.*)\n```$", page, re.MULTILINE)
    (tmp_path / "crash_test.yml").write_text(AFTER_CRASH.format(shown=shown))
    check = run_promtool("test", "rules", tmp_path / "crash_test.yml")
    assert (check.returncode, check.stderr) == (0, ""), check.stdout


def test_each_alert_is_tested_both_ways() -> None:
    """Once it fires, and at least once it does not."""
    found = [pair for file in RULE_TESTS for pair in TESTED.findall(file.read_text(encoding="utf-8"))]
    assert {name for name, quiet in found if not quiet} == set(ALERTS)
    assert {name for name, quiet in found if quiet} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_alert_says_what_to_do(name: str) -> None:
    """How grave it is, what it is about, what to do, and where more is told: under a heading of its name."""
    rest = ALERTS[name]
    assert re.search(r"^          severity: (critical|warning|info)$", rest, re.MULTILINE)
    assert re.search(r"^          summary: ", rest, re.MULTILINE)
    assert re.search(r"^          description: ", rest, re.MULTILINE)
    assert f"          see: docs/prometheus.md#{name.lower()}\n" in rest
    assert name in HEADING.findall((ROOT / "docs" / "prometheus.md").read_text(encoding="utf-8"))


def test_no_alert_is_described_that_there_is_not() -> None:
    """A heading, a route or an inhibition that names an alert names one of ours."""
    page = (ROOT / "docs" / "prometheus.md").read_text(encoding="utf-8")
    route = (ROOT / "docs" / "prometheus" / "alertmanager.yml").read_text(encoding="utf-8")
    named = {heading for heading in HEADING.findall(page) if heading.startswith("SyslogPipeline")}
    assert named == set(ALERTS)
    assert set(re.findall(r"SyslogPipeline[A-Z]\w+", route)) <= set(ALERTS)
    (alternatives,) = re.findall(r"SyslogPipeline\((.*)\)", route)
    assert {f"SyslogPipeline{name}" for name in alternatives.split("|")} <= set(ALERTS)


def read_dashboard() -> dict[str, Any]:
    """Return the dashboard as it is shipped."""
    read = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    return read


def parse_dashboard(data: dict[str, Any]) -> Dashboard:
    """Return the dashboard as Grafana's model reads it, with the options of each kind of panel."""
    register_default_plugins()
    return Dashboard.from_json(data)


def find_misfits(value: object, hint: Any, path: str) -> list[str]:  # noqa: ANN401 - any type annotation
    """Return where a part of the model holds what its type does not allow. The model itself does not look."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return []
    if origin in (typing.Union, types.UnionType):
        found = [find_misfits(value, part, path) for part in parts]
        return min(found, key=len)
    if origin is typing.Literal:
        return [] if value in parts else [path]
    if origin is list and isinstance(value, list):
        return [where for index, item in enumerate(value) for where in find_misfits(item, parts[0], f"{path}[{index}]")]
    if origin is dict and isinstance(value, dict):
        return [where for key, item in value.items() for where in find_misfits(item, parts[1], f"{path}.{key}")]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return [] if value in [member.value for member in hint] or isinstance(value, hint) else [path]
    if isinstance(value, dict) and hasattr(hint, "from_json"):
        return find_misfits_inside(hint.from_json(value), path)  # the model leaves it as it is
    if hint is float and type(value) is int:
        return []
    if not isinstance(hint, type) or type(value) is bool is not hint or not isinstance(value, hint):
        return [path]
    return find_misfits_inside(value, path)


def find_misfits_inside(value: object, path: str) -> list[str]:
    """Return the same of the fields of an object of the model."""
    if not type(value).__module__.startswith("grafana_foundation_sdk.models"):
        return []
    hints = typing.get_type_hints(type(value))
    return [
        where for name, hint in hints.items() for where in find_misfits(getattr(value, name), hint, f"{path}.{name}")
    ]


def test_dashboard_is_what_the_model_of_grafana_makes_of_it() -> None:
    """Read into Grafana's model and written again it is the same: no field is unknown, none is missing."""
    data = read_dashboard()
    assert json.loads(JSONEncoder().encode(parse_dashboard(data))) == data


def test_each_field_of_the_dashboard_has_its_type() -> None:
    """Down to the options of the panels and the queries."""
    dashboard = parse_dashboard(read_dashboard())
    assert find_misfits(dashboard, Dashboard, "dashboard") == []
    parts = [dashboard, *(dashboard.panels or ())]
    for panel in dashboard.panels or ():
        if isinstance(panel, Panel) and panel.field_config is not None:
            parts += [panel.options, panel.field_config.defaults.custom, *(panel.targets or ())]
    assert [where for part in parts for where in find_misfits_inside(part, type(part).__name__)] == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("options", "legend", "showLegend"), "yes"),
        (("options", "tooltip", "mode"), "many"),
        (("fieldConfig", "defaults", "custom", "drawStyle"), "lines"),
        (("gridPos", "w"), "8"),
    ],
)
def test_a_wrong_field_is_found(place: tuple[str, ...], value: object) -> None:
    """What Grafana would ignore or stumble over."""
    data = read_dashboard()
    panel = next(panel for panel in data["panels"] if panel["type"] == "timeseries")
    part = panel
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    read = next(panel for panel in parse_dashboard(data).panels or () if getattr(panel, "type_val", "") == "timeseries")
    assert isinstance(read, Panel)
    assert read.field_config is not None
    found = [*find_misfits_inside(read, "panel"), *find_misfits_inside(read.options, "options")]
    found += find_misfits_inside(read.field_config.defaults.custom, "custom")
    assert len(found) == 1


def test_panels_show_no_other_job() -> None:
    """Prometheus knows processes, targets and alerts of others too: all jobs are those that have our metrics."""
    (job,) = [variable for variable in read_dashboard()["templating"]["list"] if variable["name"] == "job"]
    assert job["query"]["query"] == "label_values(syslog_pipeline_build_info, job)"
    assert (job["includeAll"], job.get("allValue")) == (True, None)
    asked = [target["expr"] for panel in read_dashboard()["panels"] for target in panel.get("targets", ())]
    selectors = [selector for expression in asked for selector in re.findall(r"\w{([^}]*)}", expression)]
    assert len(selectors) >= len(asked)
    assert all('job=~"$job"' in selector and 'instance=~"$instance"' in selector for selector in selectors)


def test_panels_do_not_overlap() -> None:
    """Each has a place and a number of its own, and says which data source it asks."""
    panels = parse_dashboard(read_dashboard()).panels or []
    assert len({panel.id_val for panel in panels}) == len(panels)
    places = [panel.grid_pos for panel in panels if panel.grid_pos is not None]
    assert len(places) == len(panels)
    assert all(place.x + place.w <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one.x + one.w <= other.x or other.x + other.w <= one.x
        assert beside or one.y + one.h <= other.y or other.y + other.h <= one.y
    for panel in panels:
        assert isinstance(panel, RowPanel) or (panel.datasource and panel.datasource.uid == "${datasource}")
