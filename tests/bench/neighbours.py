"""The physical neighbours of a log reader: what it costs to search or to split the same files, and nothing else."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.measure import run_command

BLOCK_BYTES = 1024 * 1024


def grep_seconds(literal: str, logs: Sequence[Path], runs: int) -> float:
    """Return the CPU seconds of `grep -c` of a text that the files hold, as bytes; its start is a millisecond.

    It prints to a file: when it prints to /dev/null, GNU grep ends at the first match.
    """
    command = ["grep", "-c", "-F", "-e", literal, *map(str, logs)]
    output = logs[0].with_name("grep-output")
    return statistics.median(run_command(command, {"LC_ALL": "C"}, output).cpu_seconds for _ in range(runs))


def loop_seconds(logs: Sequence[Path], runs: int) -> float:
    """Return the CPU seconds of a loop over the lines of the files, in this process."""
    return statistics.median(time_loop(logs) for _ in range(runs))


def time_loop(logs: Sequence[Path]) -> float:
    begin = time.process_time()
    for log in logs:
        with log.open("rb", buffering=0) as file:
            while data := file.read(BLOCK_BYTES):
                for _line in data.split(b"\n"):
                    pass
    return time.process_time() - begin
