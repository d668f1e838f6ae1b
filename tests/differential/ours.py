"""Our side: a program compiled and run in this process, or `replay` as a user runs it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline import formats
from pipeline.language import CompiledProgram, ProgramError, SourceFile, compile_program, note_failure
from pipeline.metrics import Store
from pipeline.settings import SieveMode
from tests.differential.outcome import Outcome, read_metrics
from tests.sieving import run_sieved


def run_ours(program: str, log: bytes, *, origin: Path, now: int) -> Outcome:
    """Run the text of a program over a log in this process, with the clock at `now`.

    An ASCII log is run in both ways a program can read one, and both must give the same.
    """
    source = SourceFile("case.mtail", program)
    try:
        outcome = run_compiled(compile_program(source), log, origin, now, as_ascii=False)
        if log.isascii():
            again = run_compiled(compile_program(source), log, origin, now, as_ascii=True)
            assert repr(again) == repr(outcome), "ASCII and UTF-8 readings differ"
        check_sieved(source, log, origin, now, outcome)
    except ProgramError as error:
        return Outcome(rejection=str(error))
    return outcome


def run_compiled(program: CompiledProgram, log: bytes, origin: Path, now: int, *, as_ascii: bool) -> Outcome:
    store = Store()
    failed: list[bytes] = []

    def record(error: Exception, line: bytes) -> None:
        assert note_failure(error).describe().message
        failed.append(line)

    bound = program.bind(store.register(program.metrics), record)
    lines = log.removesuffix(b"\n").split(b"\n") if log else []
    process = bound.process_ascii if as_ascii else bound.process_utf8
    process(lines, bytes(origin), now)
    page = formats.json.render_one_shot(store.snapshot()).decode()
    return Outcome(read_metrics(page, range(now, now + 1)), len(failed))


def check_sieved(source: SourceFile, log: bytes, origin: Path, now: int, outcome: Outcome) -> None:
    """Run a program behind the sieve, and again with every line compared: it must keep back nothing that matters."""
    lines = log.removesuffix(b"\n").split(b"\n") if log else []
    unmatched = set()
    for mode in SieveMode:
        run = run_sieved(source, lines, origin=bytes(origin), now=now, mode=mode)
        page = formats.json.render_one_shot(run.store.snapshot().select_programs()).decode()
        assert read_metrics(page, range(now, now + 1)) == outcome.metrics, f"with the sieve ({mode.value})"
        assert run.counts.sieve_faults == 0
        assert run.counts.runtime_errors <= outcome.failures
        unmatched.add(run.counts.lines_unmatched)
    assert len(unmatched) == 1, "the sieve changes which lines are matched"


def hidden_metrics(program: str) -> frozenset[str]:
    """The exported names that only the program itself sees; mtail's JSON leaves them out."""
    compiled = compile_program(SourceFile("case.mtail", program))
    return frozenset(metric.name for metric in compiled.metrics if metric.hidden)


def replay(program: Path, logs: Sequence[Path]) -> Outcome:
    """Run `syslog-pipeline replay` over files."""
    command = [sys.executable, "-m", "pipeline", "replay", "--format", "json", "--progs", str(program)]
    command += [argument for log in logs for argument in ("--logs", str(log))]
    begin = time.time_ns()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return Outcome(read_metrics(done.stdout, range(begin, time.time_ns() + 1)))
