"""What is to be done when the files are in place, or are gone: commands, in the order that loses nothing. Pure.

Pipes and sockets come before those who write to them, and go after them. Until the syslog daemon is started anew it
goes on as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.installation.choices import BASIC_AUTH, NONE, OMPROG, RSYSLOG, SYSLOG_NG, Choices
from pipeline.installation.machine import HIDDEN_FOLDERS, Machine
from pipeline.installation.plan import STATE, SYSUSERS, TMPFILES, find_writer, list_members, list_sockets, list_units

RESTARTS = {
    RSYSLOG: "rsyslogd -N1 && systemctl restart rsyslog",
    SYSLOG_NG: "syslog-ng --syntax-only && systemctl restart syslog-ng",
}
RELOAD_NGINX = "nginx -t && systemctl reload nginx"

CERTIFICATE = "/etc/syslog-pipeline/tls/server.crt"
AUTHORITY = "/etc/syslog-pipeline/tls/ca.crt"
PASSWORDS = "/etc/syslog-pipeline/passwords"

MAKE_CERTIFICATE = (
    "mkdir -p /etc/syslog-pipeline/tls && "
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 "
    '-subj "/CN=$(uname -n)" -addext "subjectAltName=DNS:$(uname -n)" -keyout /etc/syslog-pipeline/tls/server.key '
    f"-out {CERTIFICATE}"
)
MAKE_PASSWORDS = (
    f'password=$(openssl passwd -6) && echo "prometheus:$password" | install -m 640 -g {{group}} /dev/stdin {PASSWORDS}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command, and what it is for, or only the latter."""

    command: str = ""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A file that nginx needs and the operator makes, and how."""

    path: str
    step: Step


def list_needs(choices: Choices, machine: Machine) -> list[Need]:
    """Return what nginx needs beside our configuration. docs/nginx.md says more of each."""
    if choices.nginx == NONE or machine.nginx is None:
        return []
    certificate = Step(command=MAKE_CERTIFICATE, reason="nginx has no certificate: this one signs itself")
    passwords = Step(
        command=MAKE_PASSWORDS.format(group=machine.nginx.group),
        reason="nobody has a password yet: it asks for one for the user prometheus",
    )
    authority = Step(reason=f"{AUTHORITY} is missing: the certificate of the authority that signs those of scrapers")
    return [
        Need(path=CERTIFICATE, step=certificate),
        Need(path=PASSWORDS, step=passwords) if choices.nginx == BASIC_AUTH else Need(path=AUTHORITY, step=authority),
    ]


def list_steps(choices: Choices, last: Choices | None, machine: Machine, missing: Sequence[Need]) -> list[Step]:
    """Return the steps when files have been written; `last` is what was chosen before, `missing` what nginx lacks."""
    sockets, services = list_units(choices)
    old_sockets, old_services = list_old_units(last)
    folders = Step(
        command=f"systemd-tmpfiles --create {TMPFILES}", reason="makes the folder of the pipe and the sockets"
    )
    steps = [Step(command=f"systemd-sysusers {SYSUSERS}", reason="makes the user and the group"), folders]
    if last is not None and last.is_started_by_daemon and has_other_starter(choices, last):
        # Before systemd sees that the way of omprog is left, which tells it how to end it.
        steps.insert(0, stop_daemon(last.syslog_daemon, "it ends the daemon that it started"))
    if sockets or choices.way == OMPROG:
        steps.append(Step(command="systemctl daemon-reload", reason="lets systemd see the units"))
    ending = stop_units(
        [unit for unit in old_services if unit not in services], [unit for unit in old_sockets if unit not in sockets]
    )
    if ending and choices.is_started_by_daemon:
        steps = [steps[0], *leave_daemon(choices, last), *change_starter(choices, machine, [*ending, folders])]
    else:
        steps += [*change_units(choices, last), *ending]
    if choices.nginx != NONE:
        steps += [need.step for need in missing]
        steps.append(Step(command=RELOAD_NGINX, reason="serves the metrics on port 9443"))
    elif last is not None and last.nginx != NONE:
        steps.append(Step(command=RELOAD_NGINX, reason="serves the metrics no more"))
    return [*steps, Step(command=f"{spell_command(machine)} doctor", reason="says whether lines arrive")]


def change_units(choices: Choices, last: Choices | None) -> list[Step]:
    """Return the steps that start what reads, and have the syslog daemon write to it."""
    sockets, services = list_units(choices)
    readers, writers, again = [], [], []
    if services:
        readers.append(Step(command=f"systemctl enable --now {' '.join(services)}", reason="starts to read"))
    if choices.syslog_daemon != NONE:
        writers.append(restart_daemon(choices.syslog_daemon, "it writes to syslog-pipeline from now on"))
    writers += leave_daemon(choices, last)
    old_sockets, old_services = list_old_units(last)
    if going_on := [service for service in services if service in old_services]:
        # The group of the HTTP socket may have changed. Other sockets hold lines, and stay.
        going_on += [unit for unit in sockets if unit in old_sockets and unit.startswith("syslog-pipeline-http")]
        again.append(Step(command=f"systemctl restart {' '.join(going_on)}", reason="takes up what has changed"))
    steps = []
    if sockets:
        steps.append(Step(command=f"systemctl enable --now {' '.join(sockets)}", reason="the pipe and the sockets"))
    # A daemon that the syslog daemon started has to end first: two cannot share a socket and a state.
    if last is not None and last.is_started_by_daemon:
        return [*steps, *writers, *readers]
    return [*steps, *readers, *writers, *again]


def leave_daemon(choices: Choices, last: Choices | None) -> list[Step]:
    """Return the step after which another syslog daemon than the one that is chosen writes no more."""
    if last is None or last.syslog_daemon in (NONE, choices.syslog_daemon):
        return []
    return [restart_daemon(last.syslog_daemon, "it writes to syslog-pipeline no more")]


def change_starter(choices: Choices, machine: Machine, ending: Sequence[Step]) -> list[Step]:
    """Return the steps that end our units, and then have the syslog daemon start ours: until then it does not write.

    The folder of the state may get another owner, so it does not before the units' daemon has saved it.
    """
    name, user = choices.syslog_daemon, find_writer(choices, machine)
    steps = [
        stop_daemon(name, "nothing is written until it starts"),
        *ending,
        Step(command="systemctl daemon-reload", reason="lets systemd forget the units"),
    ]
    if choices.way == OMPROG and user != "root":
        steps.append(Step(command=f"chown -R {user}: {STATE}", reason="the daemon goes on from it as another user"))
    return [*steps, Step(command=f"systemctl start {name}", reason="it starts syslog-pipeline from now on")]


def has_other_starter(choices: Choices, last: Choices) -> bool:
    """Whether another program starts our daemon than before."""
    return not choices.is_started_by_daemon or choices.syslog_daemon != last.syslog_daemon


def list_old_units(last: Choices | None) -> tuple[list[str], list[str]]:
    """Return the units that were enabled before."""
    return list_units(last) if last is not None else ([], [])


def list_undoing_steps(last: Choices | None, machine: Machine) -> list[Step]:
    """Return the steps when files have been removed."""
    if last is None:
        return []
    sockets, services = list_units(last)
    members = list(list_members(last, machine))
    steps = []
    if last.syslog_daemon != NONE:
        steps.append(restart_daemon(last.syslog_daemon, "it writes to syslog-pipeline no more; what it held is read"))
    if last.nginx != NONE:
        steps.append(Step(command=RELOAD_NGINX, reason="serves the metrics no more"))
    return [
        *steps,
        *stop_units(services, sockets),
        *(
            [Step(command="systemctl daemon-reload", reason="lets systemd forget the units")]
            if sockets or last.way == OMPROG
            else []
        ),
        Step(command="rm -rf /run/syslog-pipeline /var/lib/syslog-pipeline", reason="the values of the metrics go too"),
        Step(command="userdel syslog-pipeline", reason="nobody needs the user any more"),
        *([Step(command="groupdel syslog-pipeline", reason="userdel leaves a group with members")] if members else []),
    ]


def restart_daemon(name: str, reason: str) -> Step:
    """Return the step that checks the configuration of a syslog daemon and starts it anew."""
    return Step(command=RESTARTS[name], reason=reason)


def stop_daemon(name: str, reason: str) -> Step:
    """Return the step that checks the configuration of a syslog daemon and stops it."""
    check = RESTARTS[name].partition(" && ")[0]
    # With this socket, the journal would start it again at once.
    return Step(command=f"{check} && systemctl stop syslog.socket {name}", reason=reason)


def stop_units(services: Sequence[str], sockets: Sequence[str]) -> list[Step]:
    """Return the steps that end units, whose files may be gone: who reads what is left goes before who holds it."""
    steps = []
    if services:
        steps.append(Step(command=f"systemctl stop {' '.join(services)}", reason="reads what is left, and ends"))
    if sockets:
        steps.append(Step(command=f"systemctl stop {' '.join(sockets)}", reason="nobody writes there any more"))
    if units := [*services, *sockets]:
        # Not with --now: systemctl need not stop what it cannot find.
        steps.append(Step(command=f"systemctl disable {' '.join(units)}", reason="they do not come back"))
    if sockets:
        paths = [path for unit in sockets for path in list_sockets(unit)]
        steps.append(Step(command=f"rm -f {' '.join(paths)}", reason="systemd leaves them where they are"))
    return steps


def spell_command(machine: Machine) -> str:
    """Return our command as it is to be typed."""
    usual = machine.command in ("/usr/bin/syslog-pipeline", "/usr/local/bin/syslog-pipeline")
    return "syslog-pipeline" if usual else machine.command


def list_warnings(choices: Choices, machine: Machine) -> list[str]:
    """Return what would keep the files from being of use."""
    warnings = []
    if not machine.has_command:
        warnings.append(f"There is no {machine.command} below {machine.root} yet: install syslog-pipeline there.")
    if hidden := next((path for path in machine.needed if path.startswith(HIDDEN_FOLDERS)), None):
        warnings.append(
            f"The units keep {hidden} out of the service's sight: install syslog-pipeline and its Python elsewhere, "
            "for example in /opt/syslog-pipeline."
        )
    if machine.systemd is None and not choices.is_started_by_daemon:
        warnings.append(f"There is no systemd below {machine.root}, which the units are for.")
    return warnings
