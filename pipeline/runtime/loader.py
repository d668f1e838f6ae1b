"""A path to programs: loading, and reloading, where a program that fails keeps its old self.

A reload has two parts. The first reads and compiles what is new or changed, a program at each step,
so that lines can be counted in between (`compile_changes`). The second puts all of it into the place of what
runs, at once (`swap`): no line meets some programs of before and some of after.

The rules are mtail's (behaviour.md 3.1 to 3.3), with what is recommended there: the metrics of
a program are registered as a whole or not at all, and a conflict counts as a load error. Unlike mtail's,
metrics go with the declaration or the program that they belong to.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import SettingError, StoreConflictError, describe_os_error
from pipeline.language import CompiledProgram, CompileOptions, Diagnostic, ProgramError, SourceFile, compile_program
from pipeline.metrics import Metric, Store, add_kinds
from pipeline.program_files import SUFFIX, find_programs, read_program
from pipeline.runtime.program import Program
from pipeline.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A program that could not be loaded: the text to show, and its diagnostics if it is its own fault."""

    name: str
    text: str
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(slots=True)
class LoadReport:
    """What one load or reload did. Names are in the order of loading."""

    loaded: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    unloaded: list[str] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    failures: list[LoadFailure] = field(default_factory=list)

    def summarize(self, running: Set[str]) -> str:
        """Return all that happened in a few words; `running` are the programs that run now."""
        kept = sum(failure.name in running for failure in self.failures)
        failed = f"{len(self.failures)} failed"
        if kept:
            failed += " (kept)" if kept == len(self.failures) else f" ({kept} kept)"
        return f"{len(self.loaded)} loaded, {len(self.unchanged)} unchanged, {failed}, {len(self.unloaded)} removed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program that is new or changed, ready to take its place."""

    path: Path
    text: bytes
    compiled: CompiledProgram

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(slots=True)
class Changes:
    """What was found at the path, and what has been compiled of it."""

    paths: list[Path]
    candidates: list[Candidate] = field(default_factory=list)
    report: LoadReport = field(default_factory=LoadReport)

    @property
    def names(self) -> set[str]:
        """The programs that there are."""
        return {path.name for path in self.paths}


class ProgramLoader:
    """Keeps `programs`, those that run, in step with the files at `path` when told to; None is no file at all."""

    def __init__(
        self,
        path: Path | None,
        store: Store,
        telemetry: Telemetry,
        options: CompileOptions,
        *,
        logs_failures: bool = True,
    ) -> None:
        self.path = path
        self.store = store
        self.telemetry = telemetry
        self.options = options
        self.logs_failures = logs_failures
        self.running: dict[str, Program] = {}
        self.texts: dict[str, bytes] = {}
        self.waiting: dict[str, list[Metric]] = {}
        """Metrics of an earlier run, by program, for programs that have not been loaded since."""
        self.failures: dict[str, LoadFailure] = {}
        """What could not be loaded the last time that was tried."""

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs that run, in byte order of their names."""
        return tuple(self.running[name] for name in sorted(self.running, key=os.fsencode))

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of all programs, those too that wait for a program that does not load."""
        waiting = [metric for metrics in self.waiting.values() for metric in metrics]
        return [metric for metric in self.store if metric.program] + waiting

    def restore(self, metrics: Sequence[Metric]) -> None:
        """Have programs go on with the values of `metrics`, of an earlier run, when they are loaded first."""
        for metric in metrics:
            self.waiting.setdefault(metric.program, []).append(metric)

    def load(self, now: int) -> LoadReport:
        """Load all programs for the first time; raises `SettingError` when there are none to load."""
        if self.path is not None and not find_programs(self.path):
            raise SettingError(f"There is no program (*{SUFFIX}) in {self.path}.")
        return self.reload(now)

    def reload(self, now: int) -> LoadReport:
        """Load what is new or changed, unload what is gone; values that still fit are kept.

        A program that cannot be loaded leaves its old self running. Raises `SettingError`, and
        changes nothing, when the path cannot be read.
        """
        changes = self.find_changes()
        deque(self.compile_changes(changes), maxlen=0)
        return self.swap(changes, now)

    def find_changes(self) -> Changes:
        """Return what there is at the path, not yet read; raises `SettingError` when the path cannot be read."""
        return Changes([] if self.path is None else find_programs(self.path))

    def compile_changes(self, changes: Changes) -> Iterator[None]:
        """Read each program, and compile it if it does not run already with the same text; a step for each."""
        for path in changes.paths:
            try:
                text = read_program(path)
                if self.texts.get(path.name) == text:
                    changes.report.unchanged.append(path.name)
                else:
                    compiled = compile_program(SourceFile.from_bytes(path.name, text), self.options)
                    changes.candidates.append(Candidate(path, text, compiled))
            except (OSError, ProgramError) as error:
                self.note_failure(path, error, changes.report)
            yield

    def swap(self, changes: Changes, now: int) -> LoadReport:
        """Put what was compiled into the place of what runs, let go what is gone, and say what was done."""
        report = changes.report
        is_folder = self.path is not None and self.path.is_dir()
        gone = {name for name in self.running if name not in changes.names} if is_folder else set()
        self.refuse_conflicts(changes, gone)
        begun = [self.begin(candidate.compiled, now) for candidate in changes.candidates]
        for name in [name for name in self.running if name in gone]:
            self.unload(name, report)
        old = {program.name: self.take_old_metrics(program.name) for program in begun}
        for candidate, program in zip(changes.candidates, begun, strict=True):
            program.bind(self.store.register(program.metrics, old[program.name], now))
            self.running[candidate.name] = program
            self.texts[candidate.name] = candidate.text
            program.counts.loads += 1
            program.counts.running = True
            report.warnings.extend(candidate.compiled.warnings)
            report.loaded.append(candidate.name)
        self.waiting = {name: metrics for name, metrics in self.waiting.items() if name in changes.names}
        self.failures = {failure.name: failure for failure in report.failures}
        return report

    def refuse_conflicts(self, changes: Changes, gone: Set[str]) -> None:
        """Take out of `changes` the programs whose metrics cannot live beside those of the others.

        Who is refused keeps its old self, with whose metrics another may be in conflict: so it starts over.
        """
        while refused := self.find_conflict(changes.candidates, gone):
            candidate, error = refused
            changes.candidates.remove(candidate)
            self.note_failure(candidate.path, error, changes.report)

    def find_conflict(
        self, candidates: Sequence[Candidate], gone: Set[str]
    ) -> tuple[Candidate, StoreConflictError] | None:
        """Return the first candidate with a metric of another kind than elsewhere, and what is wrong."""
        known = self.store.find_kinds({*gone, *(candidate.name for candidate in candidates)})
        for candidate in candidates:
            try:
                known = add_kinds(known, candidate.compiled.metrics)
            except StoreConflictError as error:
                return candidate, error
        return None

    def begin(self, compiled: CompiledProgram, now: int) -> Program:
        """Return a new program whose `begin` blocks have run, on metrics that are not in the store.

        In this order a value that an older version left replaces what `begin` has set (spec 3.4).
        The store of its own shows the program, meanwhile, which of its declarations are one
        metric; they stay one in the real store.
        """
        metrics = Store(self.store.max_series, self.store.max_label_value_bytes).register(compiled.metrics, (), now)
        counts = self.telemetry.program(compiled.source.name)
        program = Program(compiled, metrics, counts, logs_failures=self.logs_failures)
        program.begin(now)
        return program

    def take_old_metrics(self, name: str) -> list[Metric]:
        """Take out and return what the old self of a program has counted, or an earlier run."""
        return [*self.waiting.pop(name, ()), *self.store.take_out(name)]

    def unload(self, name: str, report: LoadReport) -> None:
        """Let a program go, with its metrics."""
        counts = self.running.pop(name).counts
        del self.texts[name]
        self.store.take_out(name)
        counts.unloads += 1
        counts.running = False
        report.unloaded.append(name)

    def note_failure(self, path: Path, error: OSError | ProgramError | StoreConflictError, report: LoadReport) -> None:
        """Count and report that a program could not be loaded."""
        self.telemetry.program(path.name).load_errors += 1
        report.failures.append(describe_load_failure(path, error))


def describe_load_failure(path: Path, error: OSError | ProgramError | StoreConflictError) -> LoadFailure:
    """Return what to tell about a program that could not be loaded."""
    if isinstance(error, OSError):
        return LoadFailure(path.name, f"{path} cannot be read: {describe_os_error(error)}.")
    diagnostics = error.diagnostics if isinstance(error, ProgramError) else ()
    return LoadFailure(path.name, str(error), diagnostics)
