"""Programs looked at without running them: `check` and `explain`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingError, StoreConflictError, describe_os_error
from pipeline.language import (
    CompiledProgram,
    CompileOptions,
    Diagnostic,
    Probe,
    ProgramError,
    Severity,
    SourceFile,
    compile_program,
)
from pipeline.metrics import Store
from pipeline.program_files import find_programs, read_program

ESCAPED_BYTE = re.compile(r"\\x([0-9a-f]{2})")
GROUP_OF_NONE = re.compile(
    r"\(\?:(\[(?:[^]\\]|\\.)*\]|\\.|[^()\\])\)"  # of one atom
    r"|\(\?:((?:[^()|\\]|\\.|\(\?:(?:[^()\\]|\\.)*\))*)\)(?![+*?{])"  # of a sequence that nothing repeats
)
MEANS_MORE = frozenset(r"\^$.|?*+()[]{}/")
"""Characters that are written with a backslash in an expression."""


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


def describe_patterns(compiled: CompiledProgram) -> str:
    """Return for each pattern of a program its place, its text, its engine and why that one, in order of place."""
    blocks = []
    for pattern in sorted(compiled.patterns, key=lambda pattern: pattern.span.start):
        place = compiled.source.position(pattern.span.start)
        blocks.append(f"{place.line}:{place.column}  /{pattern.text}/\n    engine {pattern.engine}: {pattern.reason}\n")
    return "\n".join(blocks) or "It has no pattern.\n"


def describe_guard(compiled: CompiledProgram) -> str:
    """Return what a line must hold to matter to a program: what the sieve looks for."""
    guard = compiled.guard
    if guard.probes:
        rows = [f"    {show_probe(probe)}\n" for probe in sorted(guard.probes)]
        return "Lines that matter hold one of:\n" + "".join(rows)
    if guard.probes is not None:
        return "No line matters: the program has no effect.\n"
    if guard.span is None:
        return "Every line may matter: there are more texts to look for than are worth it.\n"
    place = compiled.source.position(guard.span.start)
    return (
        f"Every line may matter: {place.line}:{place.column} has an effect that a line need hold no certain text"
        " to reach.\n"
    )


def show_probe(probe: Probe) -> str:
    """Return a text in quotes, an expression for the beginning of a line between slashes."""
    if probe.is_prefix:
        return f"/^{tidy_expression(probe.text.decode())}/ at the beginning"
    text = probe.text.removesuffix(b"\n").decode("utf-8", "backslashreplace")
    shown = "".join(show_char(char) for char in text)
    return f'"{shown}" at the end' if probe.text.endswith(b"\n") else f'"{shown}"'


def show_char(char: str) -> str:
    """Return a character as it is written in a quoted text."""
    if char in '\\"':
        return f"\\{char}"
    return char if char.isprintable() else ascii(char)[1:-1]


def tidy_expression(text: str) -> str:
    """Return a printed expression over bytes as a person would write it."""
    text = text.replace("{0,1}", "?").replace("{0,}", "*").replace("{1,}", "+").replace("{1}", "")
    text = ESCAPED_BYTE.sub(tidy_byte, text)
    while (tidier := GROUP_OF_NONE.sub(lambda group: group[1] or group[2] or "", text)) != text:
        text = tidier
    return text


def tidy_byte(escaped: re.Match[str]) -> str:
    """Return a printable byte as its character."""
    char = chr(int(escaped[1], 16))
    if not " " <= char <= "~":
        return escaped[0]
    return f"\\{char}" if char in MEANS_MORE else char
