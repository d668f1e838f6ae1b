"""Lines that are records: decoded by us, matched by patterns in mtail, which count the same."""

from __future__ import annotations

from pathlib import Path

from tests.bench.pairs import Pair, measure_pair, open_table
from tests.bench.plan import Bench
from tests.generators.examples import SYSLOG
from tests.generators.records import follow_json, follow_logfmt
from tests.generators.shapes import LogShape, write_log

GROUP = "records"
PROGRAMS = Path(__file__).parent / "record_programs"
LOGS = {
    "json": (LogShape("access.json", follow_json), '"status":'),
    "logfmt": (LogShape("access.logfmt", follow_logfmt), "status="),
    "syslog": (SYSLOG, "CRON"),
}
"""The log of each decoder, and a text that it holds."""

PATTERNS = " by patterns"
NAMES = tuple(f"{name}{how}" for name in LOGS for how in ("", PATTERNS))
ABOUT = (
    "lines of which each is a record: we decode it, mtail matches a pattern that names the fields in the order in "
    "which they stand; both count the same. In the rows `by patterns` we run mtail's program, too."
)


def run(bench: Bench) -> None:
    table = open_table(bench, "Records", ABOUT)
    for name, (shape, literal) in LOGS.items():
        names = [each for each in (name, name + PATTERNS) if bench.wants(each)]
        if not names:
            continue
        lines = bench.plan.record_lines
        bench.report.progress(f"{name}: writing {lines} lines")
        log = write_log(shape, bench.folder, lines)
        for each in names:
            theirs = find_program(name + PATTERNS)
            measure_pair(bench, GROUP, table, Pair(each, find_program(each), (log,), lines, literal, theirs))
        log.unlink()


def find_program(name: str) -> Path:
    return PROGRAMS / f"{name.replace(PATTERNS, '_patterns')}.mtail"
