"""What a process cost: processor time and memory from the kernel, wall time from our clock."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import struct_rusage

KIBIBYTE = 1024
CPUCLOCK_SCHED = 2
"""The clock of a process counts its threads' time on a processor, in nanoseconds (Linux, posix-timers.h)."""


SAID_CHARACTERS = 300


class BenchError(Exception):
    """A benchmark cannot be run. Its text is one sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds one process took. CPU time counts all its threads; wall time says nothing on a busy machine."""

    cpu_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of a process (VmRSS), and the most it ever had (VmHWM)."""

    resident: int
    peak: int


def find_command(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BenchError(f"The command {name} is not installed.")
    return path


def run_command(
    argv: list[str], environment: Mapping[str, str] | None = None, output: Path = Path(os.devnull)
) -> Usage:
    """Run a command to its end. What it prints goes to the file `output`; what it complains of, into the error."""
    program = find_command(argv[0])
    files = ((0, os.devnull), (1, str(output)))
    actions: list[tuple[object, ...]] = [
        (os.POSIX_SPAWN_OPEN, number, path, os.O_RDWR | os.O_CREAT, 0o600) for number, path in files
    ]
    with tempfile.TemporaryFile() as complaints:
        actions.append((os.POSIX_SPAWN_DUP2, complaints.fileno(), 2))
        begin = time.perf_counter()
        pid = os.posix_spawn(program, argv, {**os.environ, **(environment or {})}, file_actions=actions)
        exit_code, usage = wait_for(pid)
        wall_seconds = time.perf_counter() - begin
        if exit_code:
            complaints.seek(0)
            said = last_words(complaints.read())
            raise BenchError(f"Exit status {exit_code} of {' '.join(argv)}, which said: {said}")
    return Usage(usage.ru_utime + usage.ru_stime, wall_seconds)


def wait_for(pid: int) -> tuple[int, struct_rusage]:
    """Return exit status and usage of a child process at its end; when we are ended meanwhile, so is it."""
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    return os.waitstatus_to_exitcode(status), usage


def last_words(said: bytes) -> str:
    """Return the last line of what a process said, for an error."""
    return (said.decode("utf-8", "replace").splitlines() or [""])[-1][:SAID_CHARACTERS]


def take_medians(usages: Sequence[Usage]) -> Usage:
    return Usage(
        statistics.median(usage.cpu_seconds for usage in usages),
        statistics.median(usage.wall_seconds for usage in usages),
    )


def read_cpu_seconds(pid: int) -> float:
    """Return the user and system time of a running process so far, as clock_getcpuclockid(3) finds its clock."""
    return time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED) / 1e9


def read_memory(pid: int) -> Memory:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines())
    resident, peak = (int(fields[name].split()[0]) * KIBIBYTE for name in ("VmRSS", "VmHWM"))
    return Memory(resident, peak)
