"""The benchmark: `python -m tests.bench` from the root of the repository, or `make bench`.

Our speed beside mtail's and beside that of simpler tools, in one run, as tables. The exit status is 0 whatever the
figures say, and 1 when they could not be taken.
"""

from __future__ import annotations

import argparse
import compileall
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.bench import datagrams, dense, generator, memory, mixed, pipe, records, rendering, scrapes, sparse, start
from tests.bench.contenders import find_contenders
from tests.bench.examples import NAMES, find_example
from tests.bench.machine import describe_machine
from tests.bench.measure import BenchError, run_command
from tests.bench.plan import QUICK, Bench, Plan
from tests.bench.report import Report, spell_section
from tests.bench.summary import show_summary

GROUPS: dict[str, tuple[Callable[[Bench], None], tuple[str, ...]]] = {
    dense.GROUP: (dense.run, NAMES),
    sparse.GROUP: (sparse.run, sparse.SPARSE_NAMES),
    mixed.GROUP: (mixed.run, tuple(mixed.SETS)),
    records.GROUP: (records.run, records.NAMES),
    pipe.GROUP: (pipe.run, tuple(pipe.SETS)),
    datagrams.GROUP: (datagrams.run, tuple(datagrams.SETS)),
    scrapes.GROUP: (scrapes.run, scrapes.NAMES),
    rendering.GROUP: (rendering.run, rendering.NAMES),
    generator.GROUP: (generator.run, generator.NAMES),
    memory.GROUP: (memory.run, memory.NAMES),
    start.GROUP: (start.run, start.NAMES),
}
"""What runs a group, and the names that `--only` may select in it."""

PACKAGE = Path(__file__).parents[2] / "pipeline"


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Our speed beside mtail's.")
    parser.add_argument("--group", action="append", default=[], choices=GROUPS, help="this group; may be repeated")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="minutes instead of half an hour, and less certain")
    parser.add_argument("--runs", type=int, help="runs of each measurement; the median counts")
    parser.add_argument("--lines", type=int, help="lines of each log and stream")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the results section of the document")
    return parser.parse_args()


def make_plan(arguments: argparse.Namespace) -> Plan:
    plan = QUICK if arguments.quick else Plan()
    if arguments.runs:
        plan = replace(plan, runs=arguments.runs)
    if arguments.lines:
        names = [name for name in Plan.__dataclass_fields__ if name.endswith("_lines")]
        plan = replace(plan, **dict.fromkeys(names, arguments.lines))
    return plan


def select_groups(groups: list[str], names: list[str]) -> list[str]:
    """Return the groups to run: those asked for, if they have one of the names asked for."""
    known = {name for _, members in GROUPS.values() for name in members}
    if unknown := set(names) - known:
        raise BenchError(f"There is no row {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}.")
    return [group for group in groups or GROUPS if not names or set(names) & set(GROUPS[group][1])]


def run_bench(arguments: argparse.Namespace) -> None:
    contenders, report, begin = find_contenders(), Report(), time.monotonic()
    groups = select_groups(arguments.group, arguments.only)
    machine = describe_machine(contenders)
    report.print("\n".join(f"{name + ':':13} {value}" for name, value in machine.items()))
    with tempfile.TemporaryDirectory(prefix="syslog-pipeline-bench-") as folder:
        plan = make_plan(arguments)
        bench = Bench(plan, contenders, Path(folder), report, frozenset(arguments.only))
        warm_up(bench)
        for group in groups:
            GROUPS[group][0](bench)
    show_summary(bench)
    how = describe_run(arguments, plan, time.monotonic() - begin)
    report.print(f"\n{how}")
    write_results(arguments, bench, machine, how)


def warm_up(bench: Bench) -> None:
    """Start everybody once, so that no measured start reads from a disk.

    Where the environment keeps Python from writing compiled modules, each start would compile ours
    anew; an installation has them.
    """
    compileall.compile_dir(PACKAGE, quiet=1)
    log = bench.folder / "warm-up"
    log.touch()
    for contender in bench.contenders:
        program = find_example("rsyncd")
        run_command(contender.check(program))
        run_command(contender.replay(program, [log]))


def describe_run(arguments: argparse.Namespace, plan: Plan, seconds: float) -> str:
    """Say when and how the figures were taken."""
    date = time.strftime("%Y-%m-%d")
    mode = "A quick run" if arguments.quick else "A run"
    return f"{mode} of {date}, {seconds / 60:.1f} minutes, medians of {plan.runs} (starts: {plan.start_runs})."


def write_results(arguments: argparse.Namespace, bench: Bench, machine: dict[str, str], how: str) -> None:
    tables = bench.report.tables
    if arguments.json:
        figures = {"machine": machine, "run": how, "tables": {table.title: table.as_records() for table in tables}}
        arguments.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(spell_section(tables, machine, how), encoding="utf-8")


def end_in_order(number: int, _: object) -> None:
    """Turn a signal into an exception, so that whoever started a process stops it."""
    sys.exit(128 + number)


if __name__ == "__main__":
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, end_in_order)
    try:
        run_bench(read_arguments())
    except (BenchError, OSError) as problem:
        sys.exit(f"bench: {problem}")
