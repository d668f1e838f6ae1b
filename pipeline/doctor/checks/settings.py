"""The file of settings and the programs: what our daemon starts with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.examination import Examination
from pipeline.doctor.findings import Finding, approve, fail, skip, warn
from pipeline.doctor.rights import READ, SEARCH, find_obstacle
from pipeline.doctor.site import ENVIRONMENT
from pipeline.errors import SettingError, StoreConflictError, describe_os_error
from pipeline.language import CompileOptions, ProgramError, SourceFile, compile_program
from pipeline.metrics import Store
from pipeline.program_files import find_programs, read_program
from pipeline.shipped import PROGRAMS
from pipeline.wiring import make_compile_options

TEST_PROGRAM = "doctor.mtail"


def check_settings(exam: Examination) -> Iterator[Finding]:
    """Whether the file of settings can be read, and is right."""
    site = exam.site
    if not site.config_is_read:
        yield approve(f"There is no {site.config}; what it would say is said by flags.")
    elif not site.config_trouble:
        yield from check_readable(exam, site.config) or [approve(f"{site.config} is right.")]
    elif is_hidden(site.config):
        yield skip(f"Your user may not read {site.config}. Run this as root.", "sudo syslog-pipeline doctor")
    elif not site.config.exists():
        why = "The daemon is told there what to read and where to serve."
        yield fail(site.config_trouble, why, "syslog-pipeline setup --install")
    else:
        environment = site.settings.root / ENVIRONMENT
        file = environment if site.config_trouble.startswith(f"{environment}:") else site.config
        yield fail(site.config_trouble, "The daemon does not start with it.", f"editor {file}")


def is_hidden(path: Path) -> bool:
    """Return whether it is our own user who may not read something, which says nothing about the daemon's."""
    try:
        return path.exists() and not os.access(path, os.R_OK)
    except PermissionError:
        return True


def check_readable(exam: Examination, path: Path) -> list[Finding]:
    """Return a failure if our daemon's user may not read a file; nothing if it may."""
    obstacle = exam.our_account and find_obstacle(exam.our_account, path, READ)
    return [fail(obstacle.sentence, "The daemon needs it.", *obstacle.mend)] if obstacle else []


def check_programs(exam: Examination) -> Iterator[Finding]:
    """Whether there are programs, which can be compiled and which our daemon may read."""
    progs = exam.site.progs
    if is_hidden(progs):
        yield skip(f"Your user may not read {progs}. Run this as root.", "sudo syslog-pipeline doctor")
        return
    copy = f"install -D -m 644 -t {progs} {PROGRAMS}/*.mtail"
    try:
        paths = find_programs(progs)
    except SettingError as error:
        if progs.exists():
            yield fail(str(error), "", f"ls -ld {progs}")
        else:
            yield fail(f"There is no {progs}, where the programs should be.", "The daemon does not start.", copy)
        return
    if not paths:
        yield fail(f"There is no program (*.mtail) in {progs}.", "Lines are read, and nothing is counted.", copy)
        return
    found = [*check_folder(exam, progs), *check_all(exam, paths)]
    yield from found or [approve(f"{len(paths)} programs in {progs} can be loaded.".replace("1 programs", "1 program"))]
    if TEST_PROGRAM not in [path.name for path in paths]:
        yield warn(
            f"{TEST_PROGRAM} is not among the programs.",
            "It counts the test line; without it, only the number of lines can be looked at.",
            f"install -m 644 -t {progs if progs.is_dir() else progs.parent} {PROGRAMS / TEST_PROGRAM}",
            *(exam.spell_start(instance, "reload") for instance in exam.site.instances),
        )


def check_folder(exam: Examination, progs: Path) -> Iterator[Finding]:
    """Whether our daemon may list the folder."""
    if progs.is_dir() and exam.our_account:
        for wanted in (SEARCH, READ):
            if obstacle := find_obstacle(exam.our_account, progs, wanted):
                yield fail(obstacle.sentence, "The programs are there.", *obstacle.mend)
                return


def check_all(exam: Examination, paths: list[Path]) -> Iterator[Finding]:
    """Yield what is wrong with programs, one failure for each."""
    store = Store()
    options = make_compile_options(exam.site.language)
    for path in paths:
        try:
            yield from compile_one(path, options, store)
        except OSError as error:
            yield fail(f"{path} cannot be read: {describe_os_error(error)}.", "", f"ls -l {path}")
        else:
            yield from check_readable(exam, path)


def compile_one(path: Path, options: CompileOptions, store: Store) -> Iterator[Finding]:
    """Yield why a program cannot be loaded, if it cannot."""
    try:
        store.register(compile_program(SourceFile.from_bytes(str(path), read_program(path)), options).metrics)
    except ProgramError as error:
        first, _, _ = error.diagnostics[0].render().partition("\n")
        yield fail(first, "The program is not loaded; the others run.", f"syslog-pipeline check {path}")
    except StoreConflictError as error:
        yield fail(f"{path}: {error}", "The program is not loaded; the others run.", f"editor {path}")
