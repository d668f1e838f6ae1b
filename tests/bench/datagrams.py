"""The daemon behind a unix datagram socket that is sent to at full speed."""

from __future__ import annotations

from pathlib import Path

from tests.bench.contenders import EAGER_POLL, Contender
from tests.bench.daemons import running
from tests.bench.feeding import send_datagrams
from tests.bench.plan import Bench
from tests.bench.program_sets import copy_five, copy_line_count
from tests.bench.streams import ProgramSet, Stream, StreamRun, measure_streams, time_stream

GROUP = "datagrams"
SETS = {"linecount": ProgramSet(copy_line_count), "5 programs": ProgramSet(copy_five)}
ABOUT = (
    "the mixed stream through a unix datagram socket (`unixgram://`), a line in each datagram, sent by one process as "
    "fast as the kernel lets it: 10 datagrams wait at most on Debian, so a line costs about a change of process. "
    f"mtail runs with `--poll_interval {EAGER_POLL}`."
)


def run(bench: Bench) -> None:
    measure_streams(bench, Stream(GROUP, "Datagrams", ABOUT, SETS, bench.plan.datagram_lines, time_datagrams))


def time_datagrams(contender: Contender, programs: Path, data: bytes, folder: Path) -> StreamRun:
    path = folder / "datagrams"
    with running(contender, programs, f"unixgram://{path}", folder, eager=True) as daemon:
        return time_stream(daemon, data.count(b"\n"), lambda: send_datagrams(path, data, daemon))
