"""Who is measured: we, Debian's mtail, and another mtail if the variable `MTAIL_HEAD` names one."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.bench.measure import find_command

OURS = "ours"
MTAIL = "mtail"
HEAD = "head"
HEAD_VARIABLE = "MTAIL_HEAD"

EAGER_POLL = "10us"
"""mtail reads a pipe or a datagram socket once in each `--poll_interval`, 250 ms by default. Debian's took 148 lines
a second from a pipe so, whatever the pipe holds. At 1 ms it took 36,000, at 10 µs 107,000, at 1 µs 166,000 for 1.7
times the CPU time (linecount, 200,000 lines, 2 cores)."""


class Contender(Protocol):
    """Makes the command lines. `lines_metric` is its own count of the lines it was given."""

    @property
    def name(self) -> str: ...
    @property
    def lines_metric(self) -> str: ...
    def check(self, program: Path) -> list[str]: ...
    def replay(self, programs: Path, logs: Sequence[Path]) -> list[str]: ...
    def run(self, programs: Path, source: str, socket: Path, *, eager: bool) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Ours:
    """The package of this repository, run by the Python that runs the benchmark."""

    name: str = OURS
    lines_metric: str = "syslog_pipeline_lines_total"

    def check(self, program: Path) -> list[str]:
        return [sys.executable, "-m", "pipeline", "check", str(program)]

    def replay(self, programs: Path, logs: Sequence[Path]) -> list[str]:
        command = [sys.executable, "-m", "pipeline", "replay", "--progs", str(programs), "--format", "prometheus"]
        return command + list_logs(logs)

    def run(self, programs: Path, source: str, socket: Path, *, eager: bool) -> list[str]:
        """`eager` is nothing to us: we wait for lines, and poll files only."""
        command = [sys.executable, "-m", "pipeline", "run", "--progs", str(programs)]
        return [*command, "--logs", source, "--unix_socket", str(socket)]


@dataclass(frozen=True, slots=True)
class Mtail:
    """An mtail. It is spared the logging of runtime errors, one by one, that we limit."""

    name: str
    binary: str
    lines_metric: str = "mtail_lines_total"

    def base(self, programs: Path) -> list[str]:
        return [self.binary, "--progs", str(programs), "--logtostderr", "--vm_logs_runtime_errors=false"]

    def check(self, program: Path) -> list[str]:
        """Port 0: mtail listens even here."""
        return [*self.base(program), "--port", "0", "--compile_only"]

    def replay(self, programs: Path, logs: Sequence[Path]) -> list[str]:
        return [*self.base(programs), "--port", "0", "--one_shot", "--one_shot_format", "prometheus", *list_logs(logs)]

    def run(self, programs: Path, source: str, socket: Path, *, eager: bool) -> list[str]:
        poll = ["--poll_interval", EAGER_POLL] if eager else []
        return [*self.base(programs), "--logs", source, "--unix_socket", str(socket), *poll]


def list_logs(logs: Sequence[Path]) -> list[str]:
    return [argument for log in logs for argument in ("--logs", str(log))]


def find_contenders() -> tuple[Contender, ...]:
    """Return ours first; a command that is missing is a `BenchError`."""
    mtails = [Mtail(MTAIL, find_command("mtail"))]
    if head := os.environ.get(HEAD_VARIABLE):
        mtails.append(Mtail(HEAD, find_command(head)))
    return (Ours(), *mtails)
