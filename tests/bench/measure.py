"""What one child process cost: user and system time from the kernel, wall time from our clock."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass


class BenchError(Exception):
    """A benchmark cannot be run. Its text is one sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds one process took. CPU time counts all its threads; wall time says nothing on a busy machine."""

    cpu_seconds: float
    wall_seconds: float


def run_command(argv: list[str]) -> Usage:
    """Run a command to its end, its output thrown away."""
    program = shutil.which(argv[0])
    if program is None:
        raise BenchError(f"{argv[0]} is not installed")
    silence = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawn(program, argv, os.environ, file_actions=silence)
    _, status, usage = os.wait4(pid, 0)
    wall_seconds = time.perf_counter() - begin
    if exit_code := os.waitstatus_to_exitcode(status):
        raise BenchError(f"exit status {exit_code} from: {' '.join(argv)}")
    return Usage(usage.ru_utime + usage.ru_stime, wall_seconds)


def take_medians(usages: Sequence[Usage]) -> Usage:
    return Usage(
        statistics.median(usage.cpu_seconds for usage in usages),
        statistics.median(usage.wall_seconds for usage in usages),
    )
