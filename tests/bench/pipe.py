"""The daemon behind a named pipe that is written at full speed."""

from __future__ import annotations

from pathlib import Path

from tests.bench.contenders import EAGER_POLL, Contender
from tests.bench.daemons import running
from tests.bench.feeding import held_pipe, write_pipe
from tests.bench.plan import Bench
from tests.bench.program_sets import copy_five, copy_line_count, copy_twenty
from tests.bench.streams import ProgramSet, Stream, StreamRun, measure_streams, time_stream

GROUP = "pipe"
SETS = {
    "linecount": ProgramSet(copy_line_count, times=3),
    "5 programs": ProgramSet(copy_five),
    "20 programs": ProgramSet(copy_twenty),
}
ABOUT = (
    "the mixed stream through a named pipe of 1 MiB, written as fast as the daemon reads. mtail runs with "
    f"`--poll_interval {EAGER_POLL}`; by default it reads its pipe four times a second."
)


def run(bench: Bench) -> None:
    measure_streams(bench, Stream(GROUP, "Pipe", ABOUT, SETS, bench.plan.pipe_lines, time_pipe))


def time_pipe(contender: Contender, programs: Path, data: bytes, folder: Path) -> StreamRun:
    path = folder / "pipe"
    with held_pipe(path) as pipe, running(contender, programs, str(path), folder, eager=True) as daemon:
        return time_stream(daemon, data.count(b"\n"), lambda: write_pipe(pipe, data, daemon))
