"""systemd: whether our units are there, enabled and active."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.commands import run_command
from pipeline.doctor.examination import Examination
from pipeline.doctor.findings import Finding, approve, fail, skip, warn
from pipeline.doctor.site import Instance

PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "Result", "NeedDaemonReload", "DropInPaths", "NRestarts")
NETWORK_SOURCES = ("tcp://", "udp://")
PRIVATE_NETWORK = re.compile(r"^\s*PrivateNetwork\s*=\s*(\w+)", re.MULTILINE)
TRUE_WORDS = ("yes", "true", "on", "1")
RESTARTS_WORTH_A_WORD = 5


def check_units(exam: Examination) -> Iterator[Finding]:
    """Whether the unit of each of our daemons is there, enabled and active."""
    root = exam.site.settings.root
    is_here = root == Path("/")
    if exam.site.is_child:
        yield skip("The syslog daemon starts the daemon, which so has no unit.")
        return
    if is_here and not exam.has_systemd:
        yield skip("systemd does not run this machine.")
        return
    if run_command(["systemctl", "--version"]) is None:
        yield skip("There is no systemctl here.")
        return
    for instance in exam.site.instances:
        yield from check_installed(exam, instance) if is_here else check_offline(instance, root)
        yield from check_sockets(exam, instance, root)


def check_offline(instance: Instance, root: Path) -> Iterator[Finding]:
    """Whether a unit is there and enabled in a system that does not run, below `root`."""
    state = read_state(instance.unit, root)
    yield from judge_file(instance, state, root)
    if state:
        yield from check_network(instance, root)


def check_installed(exam: Examination, instance: Instance) -> Iterator[Finding]:
    """Whether a unit of this machine is there, enabled and active."""
    facts = read_properties(instance.unit)
    if not facts:
        yield skip("systemd gives no answer.")
        return
    state = "" if facts["LoadState"] == "not-found" else facts["UnitFileState"] or "static"
    yield from judge_file(instance, state, Path("/"))
    if not state:
        return
    yield from check_network(instance, Path("/"))
    if facts["ActiveState"] == "failed":
        yield fail(
            f"{instance.unit} has failed ({facts['Result']}): {read_last_words(instance.unit)}",
            "systemd has given up on it.",
            f"journalctl --unit {instance.unit} --lines 20",
            f"systemctl reset-failed {instance.unit} && {exam.spell_start(instance)}",
        )
    elif facts["ActiveState"] != "active":
        yield warn(f"{instance.unit} is {facts['ActiveState']}.", "", exam.spell_start(instance, "start"))
    if facts["NeedDaemonReload"] == "yes":
        yield warn(
            f"{instance.unit} was changed, and systemd has not read it anew.",
            "",
            "systemctl daemon-reload",
            exam.spell_start(instance),
        )
    if facts["DropInPaths"]:
        yield approve(f"{instance.unit} is changed by {facts['DropInPaths'].replace(' ', ', ')}.")
    if facts["NRestarts"].isdecimal() and int(facts["NRestarts"]) >= RESTARTS_WORTH_A_WORD:
        yield warn(
            f"{instance.unit} was started anew {facts['NRestarts']} times.",
            "It ends by itself again and again.",
            f"journalctl --unit {instance.unit} --lines 50",
        )


def check_sockets(exam: Examination, instance: Instance, root: Path) -> Iterator[Finding]:
    """Whether the pipe and the HTTP socket are made by systemd too when the machine starts, if they should be."""
    if read_state(instance.unit, root) == "disabled":
        return  # the command that enables it enables these too
    for unit in exam.list_units(instance)[:-1]:
        if read_state(unit, root) == "disabled":
            yield fail(
                f"{unit} is disabled.",
                "What it makes is not there when the syslog daemon starts.",
                spell_enable(unit, root),
            )


def spell_enable(unit: str, root: Path) -> str:
    """Return the command that has a unit started when the machine starts."""
    return f"systemctl enable --now {unit}" if root == Path("/") else f"systemctl --root {root} enable {unit}"


def judge_file(instance: Instance, state: str, root: Path) -> Iterator[Finding]:
    """Say whether a unit's file is there and enabled; `state` is systemd's word for that, empty if it is not there."""
    if not state:
        setup = "syslog-pipeline setup --install" + ("" if root == Path("/") else f" --root {root}")
        yield fail(f"There is no unit {instance.unit}.", "Nothing starts the daemon when the machine starts.", setup)
    elif state in ("disabled", "masked", "masked-runtime", "bad"):
        unmask = ("systemctl unmask " + instance.unit,) if state.startswith("masked") else ()
        yield fail(
            f"{instance.unit} is {state}.",
            "Nothing starts the daemon when the machine starts.",
            *unmask,
            spell_enable(instance.unit, root),
        )
    else:
        yield approve(f"{instance.unit} is {state}.")


def check_network(instance: Instance, root: Path) -> Iterator[Finding]:
    """Whether a daemon that reads from the network has one."""
    if not any(log.startswith(NETWORK_SOURCES) for log in instance.logs):
        return
    outcome = run_command(["systemctl", f"--root={root}", "cat", instance.unit])
    settings = PRIVATE_NETWORK.findall(outcome.output if outcome else "")
    if settings and settings[-1].lower() in TRUE_WORDS:
        folder = root / "etc/systemd/system" / f"{instance.unit}.d"
        yield fail(
            f"{instance.unit} has no network (PrivateNetwork=yes), but a source needs it.",
            "Nobody can connect to the daemon.",
            f"systemctl edit {instance.unit}   # with the text of systemd/network.conf, into {folder}",
        )


def read_state(unit: str, root: Path) -> str:
    """Return systemd's word for a unit's file below `root`: enabled, disabled, static and so on; nothing if it is not
    there."""
    outcome = run_command(["systemctl", f"--root={root}", "is-enabled", unit])
    words = outcome.output.strip().splitlines() if outcome else []
    return words[-1] if words and " " not in words[-1] and words[-1] != "not-found" else ""


def read_properties(unit: str) -> dict[str, str]:
    """Return what systemd knows of a unit; nothing if it does not answer."""
    outcome = run_command(["systemctl", "show", "--property", ",".join(PROPERTIES), unit])
    if outcome is None or outcome.status:
        return {}
    facts = dict(row.split("=", 1) for row in outcome.output.splitlines() if "=" in row)
    return {name: facts.get(name, "") for name in PROPERTIES}


def read_last_words(unit: str) -> str:
    """Return the last line that a unit has logged."""
    outcome = run_command(["journalctl", "--unit", unit, "--lines", "1", "--output", "cat", "--no-pager"])
    lines = outcome.output.strip().splitlines() if outcome and not outcome.status else []
    return lines[-1] if lines else "its log cannot be read."
