"""The doctor on a machine that systemd has booted, with the files that we ship in their places."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pipeline.doctor.processes import list_processes
from tests.doctor.chain import IMPATIENCE, PATIENCE, Told, list_commands
from tests.e2e.booted import Machine
from tests.e2e.daemons import ROOT, wait_until
from tests.e2e.installed import SERVICE, add_drop_in, boot_installed, remove_drop_ins

PROGRAM = "etc/syslog-pipeline/programs/doctor.mtail"
FAILED_UNIT = ("units", "failure")
SHIPPED = ROOT / "pipeline" / "programs" / "doctor.mtail"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine with rsyslog, our service and the program that counts test lines."""
    with boot_installed() as machine:
        (machine.root / PROGRAM).write_bytes(SHIPPED.read_bytes())
        machine.ctl("reload", SERVICE)
        yield machine


def ask(machine: Machine, timeout: str = PATIENCE, log_socket: str = "/run/log.sock") -> Told:
    """Return what the doctor says; where applications log is all that it must be told here."""
    said = machine.run(
        "syslog-pipeline", "doctor", "--json", f"--log_socket={log_socket}", f"--timeout={timeout}", status=None
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


def test_journal_that_hands_nothing_on(machine: Machine) -> None:
    """journald takes what is sent to /dev/log; here rsyslog neither gets it nor reads the journal."""
    told = ask(machine, IMPATIENCE, "/dev/log")
    told.assert_only("line", "A test line sent to /dev/log was not counted", "systemctl restart rsyslog")
    assert "it hands it on if ForwardToSyslog=yes is in /etc/systemd/journald.conf" in str(told.find("line")["why"])


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
    told = ask(machine)
    assert told.failing == set()
    assert str(told.find("units", "warning")["what"]).startswith("syslog-pipeline.service was started anew ")


def test_service_that_systemd_has_given_up(machine: Machine) -> None:
    """It is told from one that was stopped; the commands that are named bring it back."""
    add_drop_in(machine, SERVICE, "once", "[Service]\nRestart=no\n")
    machine.ctl("kill", "--signal", "KILL", SERVICE)
    wait_until(lambda: machine.show(SERVICE, "ActiveState") == "failed", "it has failed")
    unit = machine.root / "etc/systemd/system/syslog-pipeline.service"
    unit.write_text(f"{unit.read_text()}\n# changed\n")
    told = ask(machine, IMPATIENCE)
    remove_drop_ins(machine, SERVICE)
    assert told.failing == {"daemon", "units"}
    found = told.find("units")
    last = machine.run("journalctl", f"_SYSTEMD_UNIT={SERVICE}", "--lines=1", "--output=cat", "--no-pager")
    assert found["what"] == f"syslog-pipeline.service has failed (signal): {last}"
    command = "systemctl reset-failed syslog-pipeline.service && systemctl restart syslog-pipeline"
    assert command in list_commands(found)
    changed = told.find("units", "warning")
    assert changed["what"] == "syslog-pipeline.service was changed, and systemd has not read it anew."
    for line in (*list_commands(changed)[:1], command):
        machine.run("sh", "-c", line)
    told = ask(machine)
    assert (told.failing, told.list_checks("warning")) == (set(), set())


def test_source_of_the_network_without_a_network(machine: Machine) -> None:
    """What the variables of the unit name is looked at; the commands that are named open the network."""
    environment = machine.root / "etc/default/syslog-pipeline"
    before = environment.read_text()
    logs = "SYSLOG_PIPELINE_LOGS=/run/syslog-pipeline/log.fifo,tcp://127.0.0.1:5514"
    environment.write_text(f"{before}\n{logs}\n")
    machine.ctl("restart", SERVICE, status=None)
    wait_until(lambda: int(machine.show(SERVICE, "NRestarts")) >= 1, "it is started anew")
    told = ask(machine, IMPATIENCE)
    assert told.failing == {"daemon", "units"}
    network, restarted = [finding for finding in told.findings if (finding["check"], finding["state"]) == FAILED_UNIT]
    assert network["what"] == (
        "syslog-pipeline.service has no network (PrivateNetwork=yes), and a source is of the network."
    )
    assert "does not come up: Error: tcp://127.0.0.1:5514 cannot be bound: " in str(restarted["what"])
    for command in list_commands(network):
        machine.run("sh", "-c", command)
    assert ask(machine).failing == set()
    environment.write_text(before)
    machine.ctl("restart", SERVICE)


def test_disk_of_the_queue_that_is_full(machine: Machine) -> None:
    """There is no room for what waits."""
    spool = "/var/spool/rsyslog"
    machine.run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", spool)
    try:
        told = ask(machine)
    finally:
        machine.run("umount", spool)
    told.assert_only("queue", f"The disk of {spool} has 16 MiB left.", f"df -h {spool}")


def test_processes_of_a_container_are_not_ours(machine: Machine) -> None:
    """Seen from outside, what runs there has other files, and is none of the machine that is asked about."""
    assert machine.init not in {process.pid for process in list_processes()}
