"""systemd: whether our units are there, enabled and active."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.commands import run_command
from pipeline.doctor.examination import Examination
from pipeline.doctor.findings import Finding, approve, fail, skip, warn
from pipeline.doctor.site import Instance
from pipeline.shipped import find_shipped

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "ActiveEnterTimestampMonotonic",
    "UnitFileState",
    "Result",
    "NeedDaemonReload",
    "DropInPaths",
    "NRestarts",
    "PrivateNetwork",
)
NETWORK_SOURCES = ("tcp://", "udp://")
RESTARTS_WORTH_A_WORD = 5
STEADY_SECONDS = 3600.0
"""What has run for so long is not started anew again and again."""


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
        if is_here:
            yield from check_installed(exam, instance)
        else:
            yield from judge_file(instance, read_state(instance.unit, root), root)
        yield from check_sockets(exam, instance, root)


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
    if facts["PrivateNetwork"] == "yes" and any(log.startswith(NETWORK_SOURCES) for log in instance.logs):
        yield tell_network(exam, instance)
    restarts = int(facts["NRestarts"] or 0)
    if facts["ActiveState"] == "failed":
        yield fail(
            f"{instance.unit} has failed ({facts['Result']}): {read_last_words(instance.unit)}",
            "systemd has given up on it.",
            f"journalctl --unit {instance.unit} --lines 20",
            f"systemctl reset-failed {instance.unit} && {exam.spell_start(instance)}",
        )
    elif facts["ActiveState"] == "activating" and restarts:
        yield fail(
            f"{instance.unit} does not come up: {read_last_words(instance.unit, 20)}",
            "systemd starts it anew again and again.",
            f"journalctl --unit {instance.unit} --lines 20",
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
    up_seconds = time.monotonic() - int(facts["ActiveEnterTimestampMonotonic"] or 0) / 1e6
    if facts["ActiveState"] == "active" and restarts >= RESTARTS_WORTH_A_WORD and up_seconds < STEADY_SECONDS:
        yield warn(
            f"{instance.unit} was started anew {restarts} times.",
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


def tell_network(exam: Examination, instance: Instance) -> Finding:
    """Say that a daemon that reads from the network has none; a socket that systemd hands over works without."""
    folder = f"/etc/systemd/system/{instance.unit}.d"
    commands = (
        f"install -D -m 644 {find_shipped('systemd/network.conf')} {folder}/network.conf",
        "systemctl daemon-reload",
        exam.spell_start(instance),
    )
    what = f"{instance.unit} has no network (PrivateNetwork=yes), and a source is of the network."
    if exam.failed("daemon"):
        return fail(what, "So the daemon cannot listen, and does not start.", *commands)
    return warn(what, "Nobody can connect, unless it is systemd that listens and hands the socket over.", *commands)


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


def read_last_words(unit: str, lines: int = 1) -> str:
    """Return the last line that a unit's own processes have logged; of several lines the last one of an error, as
    what is started anew says more."""
    outcome = run_command(["journalctl", f"_SYSTEMD_UNIT={unit}", f"--lines={lines}", "--output=cat", "--no-pager"])
    said = outcome.output.strip().splitlines() if outcome and not outcome.status else []
    last = said[-1] if said else "its log cannot be read."
    return next((line for line in reversed(said) if line.startswith("Error: ")), last)
