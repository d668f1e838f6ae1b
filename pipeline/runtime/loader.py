"""A path to programs: loading, and reloading, where a program that fails keeps its old self.

The rules are mtail's (behaviour.md 3.1 to 3.3), with what is recommended there: the metrics of
a program are registered as a whole or not at all, and a conflict counts as a load error.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import SettingError, StoreConflictError, describe_os_error
from pipeline.language import CompiledProgram, CompileOptions, Diagnostic, ProgramError, SourceFile, compile_program
from pipeline.metrics import Metric, Store
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


class ProgramLoader:
    """Keeps `programs`, those that run, in step with the files at `path` when told to."""

    def __init__(
        self,
        path: Path,
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

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs that run, in byte order of their names."""
        return tuple(self.running[name] for name in sorted(self.running, key=os.fsencode))

    def load(self, now: int) -> LoadReport:
        """Load all programs for the first time; raises `SettingError` when there are none to load."""
        if not find_programs(self.path):
            raise SettingError(f"There is no program (*{SUFFIX}) in {self.path}.")
        return self.reload(now)

    def reload(self, now: int) -> LoadReport:
        """Load what is new or changed, unload what is gone; values that still fit are kept.

        A program that cannot be loaded leaves its old self running. Raises `SettingError`, and
        changes nothing, when the path cannot be read.
        """
        paths = find_programs(self.path)
        report = LoadReport()
        if self.path.is_dir():
            self.unload_missing({path.name for path in paths}, report)
        for path in paths:
            self.load_file(path, now, report)
        return report

    def unload_missing(self, present: set[str], report: LoadReport) -> None:
        """Let programs go whose files have disappeared; their metrics stay."""
        for name in [name for name in self.running if name not in present]:
            counts = self.running.pop(name).counts
            del self.texts[name]
            counts.unloads += 1
            counts.running = False
            report.unloaded.append(name)

    def load_file(self, path: Path, now: int, report: LoadReport) -> None:
        """Load one program, unless it runs already with the same text."""
        name = path.name
        counts = self.telemetry.program(name)
        try:
            text = read_program(path)
            if self.texts.get(name) == text:
                report.unchanged.append(name)
                return
            compiled = compile_program(SourceFile.from_bytes(name, text), self.options)
            program = self.start(compiled, now)
        except (OSError, ProgramError, StoreConflictError) as error:
            counts.load_errors += 1
            report.failures.append(describe_load_failure(path, error))
            return
        self.running[name] = program
        self.texts[name] = text
        counts.loads += 1
        counts.running = True
        report.warnings.extend(compiled.warnings)
        report.loaded.append(name)

    def start(self, compiled: CompiledProgram, now: int) -> Program:
        """Run the `begin` blocks of a new program, then put its metrics into the store.

        In this order a value that an older version left replaces what `begin` has set (spec 3.4).
        The store of its own shows the program, meanwhile, which of its declarations are one
        metric; they stay one in the real store.
        """
        metrics: Sequence[Metric] = Store(self.store.max_series).register(compiled.metrics)
        counts = self.telemetry.program(compiled.source.name)
        program = Program(compiled, metrics, counts, logs_failures=self.logs_failures)
        program.begin(now)
        program.bind(self.store.register(metrics))
        return program


def describe_load_failure(path: Path, error: OSError | ProgramError | StoreConflictError) -> LoadFailure:
    """Return what to tell about a program that could not be loaded."""
    if isinstance(error, OSError):
        return LoadFailure(path.name, f"{path} cannot be read: {describe_os_error(error)}.")
    diagnostics = error.diagnostics if isinstance(error, ProgramError) else ()
    return LoadFailure(path.name, str(error), diagnostics)
