"""What the pages on systemd and the syslog daemons say about installing, done on a machine without anything of ours."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import booted_syslog_ng as syslog_ng
from tests.e2e.booted import Machine, booting
from tests.e2e.daemons import ROOT, fetch_metrics, wait_until
from tests.e2e.installed import FOLDER, HTTP, PIPE, RSYSLOG_CONF, SERVICE
from tests.e2e.pages import Command, read_steps
from tests.e2e.rsyslog import EXPECTED_WORDS

LINE = "Nov 21 01:13:00 host sshd[42]: Accepted publickey for me from 192.0.2.1 port 4711 ssh2\n"
MESSAGE = LINE.strip().replace("Nov", "<38>Nov")
LOCAL_MESSAGE = MESSAGE.replace(" host ", " ")
"""To rsyslog's own socket messages come without the name of a host."""

MESSAGES = 100
LOG_SOCKET = "/run/log.sock"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine with the folders that Debian has, the syslog daemons, and the command."""
    files = {f"{name}/empty": "" for name in ("tmpfiles.d", "default", "systemd/system", "rsyslog.d")}
    files |= {"rsyslog.conf": RSYSLOG_CONF, **syslog_ng.FILES}
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as name,
        booting(Path(name), files, ("rsyslog.service",)) as machine,
    ):
        syslog_ng.install_syslog_ng(machine)
        yield machine


def list_commands(heading: str, page: str = "systemd.md") -> list[str]:
    """Return the commands under a heading of a page, all of which are for root."""
    commands = [step for step in read_steps(ROOT / "docs" / page, heading) if isinstance(step, Command)]
    assert [command for command in commands if not command.for_root] == []
    return [command.text for command in commands]


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


def enable_single(machine: Machine) -> None:
    """Have the one daemon run that the page on systemd enables, and no instances."""
    machine.ctl("disable", "--now", *(f"syslog-pipeline@{number}.service" for number in range(1, 5)))
    run_commands(machine, list_commands("Install")[-1:])


def enable_instances(machine: Machine) -> None:
    """Have four instances run: those of the page, and two more."""
    run_commands(machine, list_commands("Instances"))
    machine.ctl("enable", "--now", "syslog-pipeline@3.service", "syslog-pipeline@4.service")


def count_logins(machine: Machine) -> int:
    """Return what sshd.mtail has counted, in the one daemon or, while that is stopped, in the four instances."""
    is_single = machine.ctl("is-active", SERVICE, status=None) == "active"
    names = ["metrics.sock"] if is_single else [f"metrics@{number}.sock" for number in range(1, 5)]
    pages = "".join(fetch_metrics(machine.root / FOLDER / name) for name in names)
    return sum(map(int, re.findall(r"^sshd_logins_total{.*} (\d+)$", pages, re.MULTILINE)))


def assert_counted(machine: Machine, log_socket: str, message: str) -> None:
    """Each message that is logged is counted once."""
    before = count_logins(machine)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(machine.root / log_socket.removeprefix("/")))
        for _ in range(MESSAGES):
            sender.send(message.encode())
    wait_until(lambda: count_logins(machine) >= before + MESSAGES, "the messages are counted")
    assert count_logins(machine) == before + MESSAGES


def test_the_steps_for_rsyslog_lead_to_metrics(machine: Machine) -> None:
    """Those of the installation, then those for another template."""
    enable_single(machine)
    run_commands(machine, list_commands("Install", "rsyslog.md"))
    assert_counted(machine, LOG_SOCKET, LOCAL_MESSAGE)
    run_commands(machine, list_commands("What a line looks like", "rsyslog.md"))
    assert_counted(machine, LOG_SOCKET, LOCAL_MESSAGE)
    assert "syslog_lines_total{" in fetch_metrics(machine.root / HTTP)


def test_the_steps_for_rsyslog_lead_to_instances(machine: Machine) -> None:
    """From the one pipe to four; rsyslog would count twice what it still wrote to the one."""
    enable_instances(machine)
    run_commands(machine, list_commands("More than one core", "rsyslog.md"))
    assert_counted(machine, LOG_SOCKET, LOCAL_MESSAGE)


def test_the_step_for_both_tees_leaves_nothing_to_complain_of(machine: Machine) -> None:
    """Each file loads the module that cleans texts, and rsyslog wants it once."""
    run_commands(machine, ["cp rsyslog/logstash.conf /etc/rsyslog.d/61-syslog-pipeline-logstash.conf"])
    run_commands(machine, list_commands("Logstash and Graylog beside it", "rsyslog.md"))
    told = machine.run("sh", "-c", "rsyslogd -N1 2>&1; rm /etc/rsyslog.d/6[12]-*")
    assert [line for line in told.splitlines() if not any(map(line.count, EXPECTED_WORDS))] == []


def wait_handed(machine: Machine, pipe: str) -> None:
    """Return when syslog-ng, which reloads on its own time, writes to a pipe: the first message is its own."""
    process = machine.show("syslog-ng.service", "MainPID")
    held = f"ls -l /proc/{process}/fd | grep --quiet /run/syslog-pipeline/{pipe}$"
    wait_until(lambda: machine.run("sh", "-c", f"{held} && echo yes", status=None) == "yes", f"{pipe} is open")


def test_the_steps_for_syslog_ng_lead_to_metrics_and_instances(machine: Machine) -> None:
    """The installation, and then that of four instances."""
    machine.ctl("stop", "syslog.socket", "rsyslog.service")
    machine.ctl("start", "syslog-ng.service")
    enable_single(machine)
    run_commands(machine, list_commands("Install", "syslog-ng.md"))
    wait_handed(machine, "log.fifo")
    assert_counted(machine, syslog_ng.LOG_SOCKET, MESSAGE)
    enable_instances(machine)
    run_commands(machine, list_commands("More than one core", "syslog-ng.md"))
    wait_handed(machine, "log@[1-4].fifo")
    assert_counted(machine, syslog_ng.LOG_SOCKET, MESSAGE)
