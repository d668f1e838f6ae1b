"""The commands that come then: their order is what keeps lines from being lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.installation.choices import Choices
from pipeline.installation.machine import Machine, Program, ask_version
from pipeline.installation.steps import list_steps, list_undoing_steps

MACHINE = Machine(root=Path("/"), nginx=Program(path="/usr/sbin/nginx", group="www-data"))


def choose(
    daemon: str = "rsyslog", way: str = "pipe", instances: int = 1, nginx: str = "none", *programs: str
) -> Choices:
    """Return choices, most of them the usual ones."""
    return Choices(syslog_daemon=daemon, way=way, instances=instances, nginx=nginx, programs=programs)


FOLDERS = "systemd-tmpfiles --create /etc/tmpfiles.d/syslog-pipeline.conf"


def list_all(choices: Choices, last: Choices | None = None, machine: Machine = MACHINE) -> list[str]:
    """Return the commands but for the doctor's, which is last."""
    return [step.command for step in list_steps(choices, last, machine, [])][:-1]


def list_commands(choices: Choices, last: Choices | None = None) -> list[str]:
    """Return the commands without those that are there whatever is chosen."""
    commands = list_all(choices, last)
    assert commands.pop(0) == "systemd-sysusers /etc/sysusers.d/syslog-pipeline.conf"
    commands.remove(FOLDERS)
    return commands


def assert_order(commands: list[str], *parts: str) -> None:
    """Each of the commands that hold `parts` is there, in that order."""
    places = [next(place for place, command in enumerate(commands) if part in command) for part in parts]
    assert all(first < second for first, second in pairwise(places)), commands


def test_same_choices_restart_what_runs() -> None:
    """New files count from then on; nothing is stopped for good."""
    commands = list_commands(choose(), choose())
    assert commands == [
        "systemctl daemon-reload",
        "systemctl enable --now syslog-pipeline.socket syslog-pipeline-http.socket",
        "systemctl enable --now syslog-pipeline.service",
        "rsyslogd -N1 && systemctl restart rsyslog",
        "systemctl restart syslog-pipeline.service syslog-pipeline-http.socket",
    ]


def test_fewer_instances_end_when_nobody_writes_to_them() -> None:
    """rsyslog goes first, then what reads is stopped, and at last the pipes go."""
    commands = list_commands(choose(instances=2), choose(instances=4))
    assert commands[3:] == [
        "rsyslogd -N1 && systemctl restart rsyslog",
        "systemctl restart syslog-pipeline@1.service syslog-pipeline@2.service syslog-pipeline-http@1.socket "
        "syslog-pipeline-http@2.socket",
        "systemctl stop syslog-pipeline@3.service syslog-pipeline@4.service",
        "systemctl stop syslog-pipeline@3.socket syslog-pipeline-http@3.socket syslog-pipeline@4.socket "
        "syslog-pipeline-http@4.socket",
        "systemctl disable syslog-pipeline@3.service syslog-pipeline@4.service syslog-pipeline@3.socket "
        "syslog-pipeline-http@3.socket syslog-pipeline@4.socket syslog-pipeline-http@4.socket",
        "rm -f /run/syslog-pipeline/log@3.fifo /run/syslog-pipeline/metrics@3.sock "
        "/run/syslog-pipeline/log@4.fifo /run/syslog-pipeline/metrics@4.sock",
    ]


@pytest.mark.parametrize(("daemon", "way"), [("rsyslog", "omprog"), ("syslog-ng", "program")])
def test_units_end_before_the_syslog_daemon_starts_ours(daemon: str, way: str) -> None:
    """Two daemons cannot share a state; until then the syslog daemon does not write, and nobody else starts it.

    The folder of the state changes its owner when the first daemon has saved it.
    """
    commands = list_all(choose(daemon, way), choose(daemon))
    stop, start = f"systemctl stop syslog.socket {daemon}", f"systemctl start {daemon}"
    assert_order(commands, stop, "stop syslog-pipeline.service", "stop syslog-pipeline.socket", FOLDERS, start)
    assert "enable" not in " ".join(commands)


def test_state_goes_over_to_another_user() -> None:
    """That of an rsyslog that does not run as root."""
    machine = Machine(root=Path("/"), rsyslog=Program(path="/usr/sbin/rsyslogd", user="syslog"))
    commands = list_all(choose(way="omprog"), choose(), machine)
    assert_order(commands, FOLDERS, "chown -R syslog: /var/lib/syslog-pipeline", "systemctl start rsyslog")
    assert "chown" not in " ".join(list_all(choose(way="omprog"), choose()))


@pytest.mark.parametrize(("daemon", "way"), [("rsyslog", "omprog"), ("syslog-ng", "program")])
def test_what_the_syslog_daemon_started_ends_before_the_unit_starts(daemon: str, way: str) -> None:
    """As it ends it when it is stopped, and before systemd reads its units anew. The pipe is there when it starts."""
    commands = list_all(choose(daemon), choose(daemon, way))
    pipe, service = ("enable --now syslog-pipeline.socket", "enable --now syslog-pipeline.service")
    stop = f"systemctl stop syslog.socket {daemon}"
    assert_order(commands, stop, "daemon-reload", pipe, f"restart {daemon}", service)
    assert stop not in " ".join(list_all(choose(daemon, way), choose(daemon, way)))


@pytest.mark.parametrize("way", ["pipe", "program"])
def test_other_syslog_daemon_is_told_that_it_writes_no_more(way: str) -> None:
    """Whichever way the new one takes."""
    commands = list_commands(choose("syslog-ng", way), choose())
    assert_order(
        commands, "rsyslogd -N1 && systemctl restart rsyslog", *(["syslog-pipeline.s"] if way != "pipe" else [])
    )


def test_nginx_is_told_that_it_serves_no_more() -> None:
    """If it did."""
    reload = "nginx -t && systemctl reload nginx"
    assert list_commands(choose(), choose(nginx="basic-auth"))[-1] == reload
    assert list_commands(choose(nginx="basic-auth"))[-1] == reload
    assert reload not in list_commands(choose())


def test_nothing_is_undone_where_nothing_was_done() -> None:
    """And of what no unit started, no unit is stopped."""
    assert list_undoing_steps(None, MACHINE) == []
    commands = [step.command for step in list_undoing_steps(choose(way="omprog", nginx="basic-auth"), MACHINE)]
    assert commands == [
        "rsyslogd -N1 && systemctl restart rsyslog",
        "nginx -t && systemctl reload nginx",
        "systemctl daemon-reload",
        "rm -rf /run/syslog-pipeline /var/lib/syslog-pipeline",
        "userdel syslog-pipeline",
    ]
    dropped = Machine(root=Path("/"), rsyslog=Program(path="/usr/sbin/rsyslogd", user="syslog"))
    assert list_undoing_steps(choose(), dropped)[-1].command == "groupdel syslog-pipeline"
    assert list_undoing_steps(choose("none"), MACHINE)[0].command == "systemctl stop syslog-pipeline.service"


def test_program_that_cannot_be_run_has_no_version(tmp_path: Path) -> None:
    """It is found all the same."""
    assert ask_version(Path("/"), str(tmp_path / "nothing"), "-v") == ""
    (tmp_path / "silent").write_text("#!/bin/sh\n")
    (tmp_path / "silent").chmod(0o755)
    assert ask_version(Path("/"), str(tmp_path / "silent"), "-v") == ""
