"""Each example program of the mtail package on a log of which most lines matter to it."""

from __future__ import annotations

from pathlib import Path

from tests.bench.examples import LITERALS, NAMES, find_example
from tests.bench.pairs import Pair, measure_pair, open_table
from tests.bench.plan import Bench
from tests.generators.examples import EXAMPLE_LOGS
from tests.generators.shapes import write_log

GROUP = "dense"
ABOUT = (
    "each example program of Debian's mtail package on a generated log of which most lines matter to it: from 46 % "
    "(sftp) to all. linecount counts every line; nocode holds no code, so what it costs is the reading."
)

MORE_LINES = {"linecount": 5, "nocode": 10}
"""Times as many lines where a line costs so little that the start's noise would hide it."""


def run(bench: Bench) -> None:
    table = open_table(bench, "Dense", ABOUT)
    for name in bench.pick_examples(NAMES):
        measure_pair(bench, GROUP, table, pair := write_pair(bench, name))
        for log in pair.logs:
            log.unlink()


def write_pair(bench: Bench, name: str) -> Pair:
    lines = bench.plan.dense_lines * MORE_LINES.get(name, 1)
    bench.report.progress(f"{name}: writing {lines} lines")
    shapes, folder = EXAMPLE_LOGS[name], Path(bench.folder, name)
    folder.mkdir()
    logs = tuple(write_log(shape, folder, lines // len(shapes)) for shape in shapes)
    return Pair(name, find_example(name), logs, lines // len(shapes) * len(shapes), LITERALS[name])
