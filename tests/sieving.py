"""A compiled program behind the sieve: run, and checked line by line."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.batch import Batch
from pipeline.language import CompileOptions, SourceFile, compile_program
from pipeline.metrics import Metric, Store
from pipeline.runtime import Dispatcher, Program
from pipeline.settings import SieveMode
from pipeline.telemetry import ProgramCounts, Telemetry


@dataclass(frozen=True, slots=True)
class SievedRun:
    """What came of a log: the metrics, and what was counted about the program."""

    store: Store
    metrics: tuple[Metric, ...]
    counts: ProgramCounts


def run_sieved(
    source: SourceFile,
    lines: list[bytes],
    *,
    origin: bytes,
    now: int,
    mode: SieveMode,
    options: CompileOptions | None = None,
) -> SievedRun:
    """Compile a program and run it over lines in one batch, which is small enough to be sieved whatever it costs."""
    store = Store()
    telemetry = Telemetry(store)
    compiled = compile_program(source, options)
    program = Program(compiled, store.register(compiled.metrics), telemetry.program(source.name), logs_failures=False)
    program.begin(now)
    dispatcher = Dispatcher(telemetry, mode)
    dispatcher.use([program])
    if lines:
        dispatcher.dispatch(Batch.of(lines, origin), now)
    return SievedRun(store, program.metrics, program.counts)
