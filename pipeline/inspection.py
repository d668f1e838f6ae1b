"""Programs looked at without running them: `check` and `explain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingError, StoreConflictError, describe_os_error
from pipeline.language import (
    CompiledProgram,
    CompileOptions,
    Diagnostic,
    ProgramError,
    Severity,
    SourceFile,
    compile_program,
)
from pipeline.metrics import Store
from pipeline.program_files import find_programs, read_program


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found about one program: `compiled` is None when it cannot be loaded."""

    path: Path
    compiled: CompiledProgram | None
    diagnostics: tuple[Diagnostic, ...] = ()
    conflict: str = ""
    """Why its metrics cannot live beside those of the other programs."""

    @property
    def warnings(self) -> int:
        """How many of the diagnostics are warnings."""
        return sum(diagnostic.severity is Severity.WARNING for diagnostic in self.diagnostics)

    @property
    def errors(self) -> int:
        """How many mistakes keep it from being loaded."""
        return len(self.diagnostics) - self.warnings + bool(self.conflict)


def inspect_programs(path: Path, options: CompileOptions) -> Iterator[Inspection]:
    """Compile the programs at `path`; a file may have any name. `SettingError` when there is nothing to read."""
    store = Store()
    for program in [path] if path.is_file() else list_folder(path):
        yield inspect_program(program, options, store)


def list_folder(path: Path) -> list[Path]:
    """Return the programs in a folder, which must have some."""
    programs = find_programs(path)
    if not programs:
        raise SettingError(f"There is no program (*.mtail) in {path}.")
    return programs


def inspect_program(path: Path, options: CompileOptions, store: Store) -> Inspection:
    """Compile one program, and see whether its metrics fit beside those in `store`."""
    try:
        source = SourceFile.from_bytes(str(path), read_program(path))
    except OSError as error:
        raise SettingError(f"The program {path} cannot be read: {describe_os_error(error)}.") from error
    try:
        compiled = compile_program(source, options)
        store.register(compiled.metrics)
    except ProgramError as error:
        return Inspection(path, None, error.diagnostics)
    except StoreConflictError as error:
        return Inspection(path, None, conflict=str(error))
    return Inspection(path, compiled, compiled.warnings)
