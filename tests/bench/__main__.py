"""The benchmark: `python -m tests.bench` from the root of the repository.

For each example program of the mtail package: the processor time of `syslog-pipeline replay` and of
`mtail --one_shot` on the same generated log, and their ratio. It gives no verdict by its exit status.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.measure import BenchError
from tests.bench.pairs import PairResult, Side, list_pairs, run_pair

HEADING = (
    f"{'program':18} {'ours s':>8} {'mtail s':>8} {'ratio':>7}   {'net ours':>8} {'net mtail':>9} {'ratio':>7}   "
    f"{'wall':>6}   {'ours µs':>8} {'mtail µs':>8}"
)
LEGEND = (
    "Seconds are user + system time, medians of the runs; ratio is mtail's time by ours. Net is without the start\n"
    "of the process (the same run over an empty log); `noise` where that leaves too little to be told from the\n"
    "noise of the start, and then it is not in the mean. Wall is the ratio of wall times. µs is net time per line."
)


def describe_microseconds(side: Side, lines: int) -> str:
    return f"{side.net_cpu_seconds / lines * 1e6:8.2f}"


def describe_net_ratio(pair: PairResult) -> str:
    return f"{pair.net_ratio:6.2f}×" if pair.is_net_meaningful else f"{'noise':>7}"


def describe_pair(pair: PairResult) -> str:
    return (
        f"{pair.name:18} {pair.ours.gross.cpu_seconds:8.3f} {pair.mtail.gross.cpu_seconds:8.3f} "
        f"{pair.gross_ratio:6.2f}×   {pair.ours.net_cpu_seconds:8.3f} {pair.mtail.net_cpu_seconds:9.3f} "
        f"{describe_net_ratio(pair)}   {pair.wall_ratio:5.2f}×   "
        f"{describe_microseconds(pair.ours, pair.lines)} {describe_microseconds(pair.mtail, pair.lines)}"
    )


def describe_means(pairs: Sequence[PairResult]) -> str:
    gross = statistics.geometric_mean(pair.gross_ratio for pair in pairs)
    measured = [pair.net_ratio for pair in pairs if pair.is_net_meaningful]
    net = f"{statistics.geometric_mean(measured):6.2f}×" if measured else f"{'noise':>7}"
    wall = statistics.geometric_mean(pair.wall_ratio for pair in pairs)
    return f"{'geometric mean':18} {'':17} {gross:6.2f}×   {'':18} {net}   {wall:5.2f}×"


def report_progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Our speed beside mtail's.")
    parser.add_argument("--runs", type=int, default=3, help="runs of each command; the median counts (3)")
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines of each log (1000000)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this pair; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    return parser.parse_args()


def run_bench(arguments: argparse.Namespace) -> None:
    pairs: list[PairResult] = []
    sys.stdout.write(f"{HEADING}\n")
    with tempfile.TemporaryDirectory(prefix="syslog-pipeline-bench-") as folder:
        for program, shapes in list_pairs(arguments.only):
            pair = run_pair(
                program,
                shapes,
                folder=Path(folder, program.stem),
                lines=arguments.lines,
                runs=arguments.runs,
                report=report_progress,
            )
            report_progress("")
            pairs.append(pair)
            sys.stdout.write(f"{describe_pair(pair)}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{describe_means(pairs)}\n\n{LEGEND}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps([pair.as_json() for pair in pairs], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        run_bench(read_arguments())
    except BenchError as error:
        sys.exit(f"bench: {error}")
