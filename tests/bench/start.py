"""What a start costs, in CPU time: of the commands that people and scripts run over and over."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from tests.bench.contenders import Contender
from tests.bench.examples import find_example
from tests.bench.measure import run_command
from tests.bench.plan import Bench

GROUP = "start"
NAMES = ("start",)
PROGRAMS = ("rsyncd", "postfix")
"""One of average size, and the largest."""

RUNS_FACTOR = 2
PYTHON = "python -c pass"
CHECK = "check"

ABOUT = (
    "CPU time (user and system) of whole commands, in ms. Ours are also given beyond the start of the interpreter "
    "alone, which is in the first row."
)


def run(bench: Bench) -> None:
    headings = ("command", "CPU ms", "beyond Python's")
    table = bench.report.open_table("Start", ABOUT, headings)
    log = bench.folder / "empty-log"
    log.touch()
    seconds = time_in_turn(bench, list_commands(bench, log))
    for name, taken in seconds.items():
        is_ours = name.startswith(bench.contenders[0].name)
        beyond = taken - seconds[PYTHON]
        bench.report.add_row(table, name, f"{taken * 1e3:.1f}", f"{beyond * 1e3:.1f}" if is_ours else "")
        if is_ours and CHECK in name:
            bench.facts[CHECK] = max(bench.facts.get(CHECK, 0.0), beyond)


def list_commands(bench: Bench, log: Path) -> dict[str, list[str]]:
    commands = {PYTHON: [sys.executable, "-c", "pass"]}
    for name in PROGRAMS:
        for contender in bench.contenders:
            commands |= name_commands(contender, name, log)
    return commands


def name_commands(contender: Contender, name: str, log: Path) -> dict[str, list[str]]:
    program = find_example(name)
    return {
        f"{contender.name}: {CHECK} {name}": contender.check(program),
        f"{contender.name}: empty log, {name}": contender.replay(program, [log]),
    }


def time_in_turn(bench: Bench, commands: dict[str, list[str]]) -> dict[str, float]:
    """Return the median CPU seconds of each command."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(bench.plan.start_runs * RUNS_FACTOR):
        for name, command in commands.items():
            bench.report.progress(f"start: {name}, run {number + 1}")
            seconds[name].append(run_command(command).cpu_seconds)
    return {name: statistics.median(each) for name, each in seconds.items()}
