"""A stream of ten applications, with 5 and with 20 programs loaded."""

from __future__ import annotations

from pathlib import Path

from tests.bench.pairs import Pair, measure_pair, open_table
from tests.bench.plan import Bench
from tests.bench.program_sets import copy_five, copy_twenty, copy_twenty_one
from tests.generators.mixed_stream import MIXED
from tests.generators.shapes import write_log

GROUP = "mixed"
LITERAL = "sshd["
SETS = {"5 programs": copy_five, "20 programs": copy_twenty, "20 and syslog_lines": copy_twenty_one}

ABOUT = (
    "a syslog stream of postfix, sshd, dhcpd, cron, systemd, named, the kernel, rsyncd, sudo, ntpd, and 12 % of others "
    "that no program cares for. 44 % of its lines change a metric of one of the 5 programs, 57 % one of the 20; "
    "syslog_lines counts every line. tests/bench/program_sets.py names the programs."
)


def run(bench: Bench) -> None:
    table = open_table(bench, "Mixed", ABOUT)
    log = write_mixed_log(bench, bench.plan.mixed_lines)
    for name, copy in SETS.items():
        if bench.wants(name):
            programs = copy(Path(bench.folder, GROUP, name))
            measure_pair(bench, GROUP, table, Pair(name, programs, (log,), bench.plan.mixed_lines, LITERAL))
    log.unlink()


def write_mixed_log(bench: Bench, lines: int) -> Path:
    """Write the stream into the folder of the run; the caller removes it."""
    bench.report.progress(f"mixed: writing {lines} lines")
    return write_log(MIXED, bench.folder, lines)
