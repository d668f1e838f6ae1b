"""Each example program on lines that do not matter to it, with few among them that do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.bench.examples import LITERALS, NAMES, find_example
from tests.bench.pairs import Pair, measure_pair, open_table
from tests.bench.plan import Bench
from tests.generators.examples import EXAMPLE_LOGS, SYSLOG
from tests.generators.shapes import LogShape, write_log
from tests.generators.strewing import write_strewn_log

GROUP = "sparse"
ONE_IN = 125

EVERY_LINE = ("linecount", "nocode", "timer")
"""What acts on every line of syslog, or on none: `Feb 21` is a host and a latency to timer."""

ABOUT = (
    f"each example program on syslog noise in which one line of {ONE_IN} (0.8 %) is from its dense log. Without "
    "linecount, which counts each line, timer, which takes the date of each line for a latency, and nocode, which "
    "does nothing."
)
SPARSE_NAMES = tuple(name for name in NAMES if name not in EVERY_LINE)


def run(bench: Bench) -> None:
    table = open_table(bench, "Sparse", ABOUT)
    lines = bench.plan.sparse_lines
    bench.report.progress(f"sparse: writing {lines} lines of noise")
    noise = write_log(LogShape("noise", SYSLOG.lines), bench.folder, lines)
    for name in bench.pick_examples(SPARSE_NAMES):
        measure_pair(bench, GROUP, table, pair := write_pair(bench, name, noise))
        for log in pair.logs:
            log.unlink()
    noise.unlink()


def write_pair(bench: Bench, name: str, noise: Path) -> Pair:
    shapes, folder = EXAMPLE_LOGS[name], Path(bench.folder, f"sparse-{name}")
    bench.report.progress(f"{name}: strewing lines into noise")
    folder.mkdir()
    groups = bench.plan.sparse_lines // ONE_IN // len(shapes)
    logs = tuple(write_one(shape, folder, noise, groups) for shape in shapes)
    return Pair(name, find_example(name), logs, groups * ONE_IN * len(shapes), LITERALS[name])


def write_one(shape: LogShape, folder: Path, noise: Path, groups: int) -> Path:
    path = folder / shape.file_name
    wanted: Iterator[bytes] = (f"{line}\n".encode() for line in shape.lines(Random(1)))
    with noise.open("rb") as rest:
        write_strewn_log(path, wanted, rest, groups=groups, one_in=ONE_IN)
    return path
