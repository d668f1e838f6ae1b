"""Resident memory of the daemon with ten programs, after a thousand series and many lines."""

from __future__ import annotations

from pathlib import Path

from tests.bench import series
from tests.bench.contenders import OURS, Contender
from tests.bench.daemons import running
from tests.bench.feeding import held_pipe, write_pipe
from tests.bench.measure import Memory
from tests.bench.mixed import write_mixed_log
from tests.bench.plan import Bench
from tests.bench.program_sets import NINE_OF_OURS, copy_programs

GROUP = "memory"
NAMES = ("memory",)
SERIES = 1_000
MEGABYTE = 1_000_000

ABOUT = (
    "ten programs (nine of ours, and one that has 1,000 series), after the mixed stream has come through a pipe. "
    "Resident is VmRSS, peak VmHWM, from /proc."
)


def run(bench: Bench) -> None:
    headings = ("daemon", "lines", "resident MB", "peak MB")
    table = bench.report.open_table("Memory", ABOUT, headings)
    log = write_mixed_log(bench, bench.plan.memory_lines)
    data = series.spell_lines(SERIES) + log.read_bytes()
    log.unlink()
    for contender in bench.contenders:
        bench.report.progress(f"memory: {contender.name}")
        memory = measure_memory(contender, data, Path(bench.folder, GROUP, contender.name))
        bench.report.add_row(
            table,
            contender.name,
            f"{bench.plan.memory_lines / 1e6:g} M",
            f"{memory.resident / MEGABYTE:.1f}",
            f"{memory.peak / MEGABYTE:.1f}",
        )
        if contender.name == OURS:
            bench.facts["memory"] = memory.peak


def measure_memory(contender: Contender, data: bytes, folder: Path) -> Memory:
    programs = series.write_program(copy_programs(folder / "programs", NINE_OF_OURS))
    path = folder / "pipe"
    with held_pipe(path) as pipe, running(contender, programs, str(path), folder, eager=True) as daemon:
        write_pipe(pipe, data, daemon)
        daemon.wait_for_lines(data.count(b"\n"))
        return daemon.memory
