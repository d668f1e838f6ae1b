"""What the documentation says about installing, done as it stands there on a machine without anything of ours."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.booted import Machine, booting
from tests.e2e.daemons import ROOT, fetch_metrics, wait_until
from tests.e2e.installed import HTTP, PIPE, SERVICE

LINE = "Nov 21 01:13:00 host sshd[42]: Accepted publickey for me from 192.0.2.1 port 4711 ssh2\n"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine with the folders that Debian has, and the command."""
    folders = {f"{name}/empty": "" for name in ("tmpfiles.d", "default", "systemd/system")}
    with tempfile.TemporaryDirectory(prefix="sd-") as name, booting(Path(name), folders, ()) as machine:
        yield machine


def list_commands(heading: str) -> list[str]:
    """Return the commands for root under a heading of the page."""
    page = (ROOT / "docs" / "systemd.md").read_text()
    section = re.search(rf"^## {heading}\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    assert section
    return re.findall(r"^# (?!/)(.+)$", section[1], re.MULTILINE)


def run_commands(machine: Machine, commands: list[str]) -> None:
    """Run commands in the folder of the project, each of which must succeed."""
    for command in commands:
        machine.run("sh", "-c", f"cd /opt/checkout && {command}")


def test_the_steps_lead_to_metrics(machine: Machine) -> None:
    """After them the daemon runs with the programs that we ship, and again at the next boot; one command ends it."""
    commands = list_commands("Install")
    assert len(commands) > 8
    run_commands(machine, commands)
    for unit in (SERVICE, "syslog-pipeline.socket", "syslog-pipeline-http.socket"):
        assert machine.ctl("is-enabled", unit) == "enabled"
    programs = len(list((ROOT / "pipeline" / "programs").glob("*.mtail")))
    assert f"syslog_pipeline_programs_running {programs}\n" in fetch_metrics(machine.root / HTTP)
    (machine.root / PIPE).write_text(LINE)
    wait_until(lambda: "\nsyslog_pipeline_lines_total 1\n" in fetch_metrics(machine.root / HTTP), "the line is counted")
    page = (ROOT / "docs" / "systemd.md").read_text()
    (end,) = re.findall(r"^`(systemctl disable --now .+)`\.$", page, re.MULTILINE)
    run_commands(machine, [end])
    assert machine.ctl("is-active", SERVICE, "syslog-pipeline.socket", status=3) == "inactive\ninactive"
    assert machine.ctl("is-enabled", SERVICE, "syslog-pipeline.socket", status=1) == "disabled\ndisabled"


def test_the_steps_lead_to_instances(machine: Machine) -> None:
    """Those for several instances as well."""
    run_commands(machine, list_commands("Instances"))
    for number in (1, 2):
        assert "syslog_pipeline_lines_total 0\n" in fetch_metrics(
            machine.root / f"run/syslog-pipeline/metrics@{number}.sock"
        )
