"""The doctor on a machine that systemd has booted, with the files that we ship in their places."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pipeline.doctor.processes import list_processes
from tests.doctor.chain import IMPATIENCE, PATIENCE, Told
from tests.e2e.booted import Machine
from tests.e2e.daemons import ROOT, wait_until
from tests.e2e.installed import SERVICE, boot_installed

PROGRAM = "etc/syslog-pipeline/programs/doctor.mtail"
SHIPPED = ROOT / "pipeline" / "programs" / "doctor.mtail"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine with rsyslog, our service and the program that counts test lines."""
    with boot_installed() as machine:
        (machine.root / PROGRAM).write_bytes(SHIPPED.read_bytes())
        machine.ctl("reload", SERVICE)
        yield machine


def ask(machine: Machine, timeout: str = PATIENCE) -> Told:
    """Return what the doctor says; where applications log is all that it must be told here."""
    said = machine.run(
        "syslog-pipeline", "doctor", "--json", "--log_socket=/run/log.sock", f"--timeout={timeout}", status=None
    )
    findings = json.loads(said)["findings"]
    return Told(int(any(finding["state"] == "failure" for finding in findings)), findings)


def test_all_is_well(machine: Machine) -> None:
    """Paths, users and units are those that the files have; nginx is not there, which is no failure."""
    told = ask(machine)
    assert told.failing == set()
    assert told.list_checks("not checked") == {"nginx_socket", "nginx", "answer"}
    assert told.list_checks("warning") == set()
    assert "root may write to /run/syslog-pipeline/log.fifo, and syslog-pipeline may read it." in str(
        told.find("rights", "ok")["what"]
    )


def test_daemon_that_is_stopped(machine: Machine) -> None:
    """systemd holds pipe and socket meanwhile; the command that is named starts it."""
    machine.ctl("stop", SERVICE)
    told = ask(machine, IMPATIENCE)
    told.assert_only("daemon", "The daemon does not run", "systemctl start syslog-pipeline")
    machine.run("sh", "-c", "systemctl start syslog-pipeline")
    assert ask(machine).failing == set()


def test_unit_that_is_disabled(machine: Machine) -> None:
    """It runs, but would not after a boot."""
    machine.ctl("disable", "--quiet", SERVICE)
    told = ask(machine)
    told.assert_only("units", "syslog-pipeline.service is disabled.", "systemctl enable --now syslog-pipeline.service")
    machine.run("sh", "-c", "systemctl enable --now --quiet syslog-pipeline.service")
    assert ask(machine).failing == set()


def test_service_that_fails(machine: Machine) -> None:
    """With wrong settings it is started anew again and again; the settings are named, and only they."""
    settings = machine.root / "etc/syslog-pipeline/settings.toml"
    right = settings.read_text()
    settings.write_text(f"{right}\nunix_sockets = 1\n")
    machine.ctl("restart", SERVICE, status=None)
    wait_until(lambda: int(machine.show(SERVICE, "NRestarts")) >= 5, "it is started anew")
    told = ask(machine)
    settings.write_text(right)
    wait_until(lambda: machine.show(SERVICE, "ActiveState") == "active", "it runs again")
    told.assert_only(
        "settings",
        "/etc/syslog-pipeline/settings.toml: the setting unix_sockets is unknown.",
        "editor /etc/syslog-pipeline/settings.toml",
    )


def test_processes_of_a_container_are_not_ours(machine: Machine) -> None:
    """Seen from outside, what runs there has other files, and is none of the machine that is asked about."""
    assert machine.init not in {process.pid for process in list_processes()}
