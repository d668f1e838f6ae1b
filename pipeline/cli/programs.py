"""`check` and `explain`: programs that are looked at, and not run on what comes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline import settings
from pipeline.cli.group import SPELLINGS, main
from pipeline.cli.output import count, exit_with, print_diagnostic, print_heading, print_python, show_progress
from pipeline.cli.replay import list_record_rules
from pipeline.flag_types import PATH
from pipeline.flags import CHECK_FLAGS, EXPLAIN_FLAGS, TABLES
from pipeline.options import FlagCommand, fill, make_options

if TYPE_CHECKING:
    from pipeline.inspection import Inspection
    from pipeline.language import CompiledProgram
    from pipeline.record_settings import RecordSettings


@main.command(
    cls=FlagCommand,
    params=[
        *make_options(CHECK_FLAGS),
        click.Argument(["paths"], nargs=-1, type=PATH, metavar="PATH..."),
    ],
    short_help="Look for mistakes in programs.",
    epilog=SPELLINGS,
)
def check(*, paths: tuple[Path, ...], **values: object) -> None:
    """Compile programs without running them, and print what is wrong with them.

    PATH is a program or a folder of them. Errors and warnings go to standard error; the exit status is 1 if
    there is an error. With --config, that file is looked at first, with its tables, and may be all that there is; if
    it is wrong, the status is 2.

    \b
    Check a folder:
      syslog-pipeline check /etc/syslog-pipeline/programs
    Check the settings, too:
      syslog-pipeline check --config /etc/syslog-pipeline/settings.toml /etc/syslog-pipeline/programs
    """
    if not paths and TABLES not in click.get_current_context().meta:
        raise click.MissingParameter(param_hint="'PATH...'", param_type="argument")
    check_paths(paths, fill(settings.LanguageSettings, values), list_record_rules(values))


@main.command(
    cls=FlagCommand,
    params=[*make_options(EXPLAIN_FLAGS), click.Argument(["path"], type=PATH, metavar="PATH")],
    short_help="Show what becomes of a program.",
    epilog=SPELLINGS,
)
def explain(*, path: Path, profile: Path | None, **values: object) -> None:
    """Show what becomes of a program: how each pattern is searched and why, what a line must hold to matter, and
    the generated Python. With --profile, show what it costs.

    PATH is a program or a folder of them. The engines, from fast to slow: none (the pattern always or never
    matches), literal (a plain text), re (Python's, where backtracking is proved impossible), re2 (all else).
    A line that holds nothing of what is listed cannot matter to the program, and the sieve keeps it away.

    --profile runs the program over the lines of a log, some seconds at most, and shows the share of the time that
    each pattern takes, on which part of the lines it is searched and found, and whether the sieve pays.

    \b
    Why is this pattern slow?
      syslog-pipeline explain sshd.mtail
    Which pattern costs most on these lines?
      syslog-pipeline explain --profile /var/log/auth.log sshd.mtail
    """
    from pipeline.inspection import inspect_programs
    from pipeline.wiring import make_compile_options

    if profile is None:
        show: Callable[[Path, CompiledProgram], None] | None = print_explanation
    else:
        show = make_profile_printer(str(profile), list_record_rules(values))
    if show is None:
        return
    options = make_compile_options(fill(settings.LanguageSettings, values), sieved=profile is not None, listed=True)
    failed = False
    for found in inspect_programs(path, options):
        print_diagnostics(found)
        if found.compiled is None:
            failed = True
        else:
            show(found.path, found.compiled)
    exit_with(failed=failed)


def check_paths(
    paths: Sequence[Path], language: settings.LanguageSettings, records: tuple[RecordSettings, ...]
) -> None:
    """Compile what is at `paths`, print what is wrong, and exit. A pattern of `records` that is none is wrong use."""
    from pipeline.inspection import inspect_programs
    from pipeline.wiring import make_compile_options

    if records:
        from pipeline.sources import check_rules

        check_rules(records)
    options = make_compile_options(language)
    found = []
    for path in paths:
        for inspection in inspect_programs(path, options):
            print_diagnostics(inspection)
            found.append(inspection)
    if sys.stderr.isatty():
        errors = sum(inspection.errors for inspection in found)
        warnings = sum(inspection.warnings for inspection in found)
        click.echo(
            f"{count(len(found), 'program')} checked: {count(errors, 'error')}, {count(warnings, 'warning')}.", err=True
        )
    exit_with(failed=any(inspection.compiled is None for inspection in found))


def print_explanation(path: Path, compiled: CompiledProgram) -> None:
    """Print how the patterns of a program are searched, what its guard is, and its Python."""
    from pipeline.explanation import describe_guard, describe_patterns

    print_heading(f"Patterns of {path}")
    click.echo(describe_patterns(compiled))
    print_heading(f"Guard of {path}")
    click.echo(describe_guard(compiled))
    print_heading(f"Python made from {path}")
    print_python(compiled.listing)


def make_profile_printer(
    log_name: str, records: tuple[RecordSettings, ...]
) -> Callable[[Path, CompiledProgram], None] | None:
    """Return what runs a program over a log and prints what it costs; None if the log is empty, which it says."""
    from pipeline.profiling import Profiler, describe_profile, read_sample

    log = read_sample(log_name, records)
    if not log.lines:
        click.echo(f"There is no line in {log_name}, so nothing can be profiled.")
        return None

    def show(path: Path, compiled: CompiledProgram) -> None:
        print_heading(f"Profile of {path} over {log_name}")
        if compiled.probes == ():
            click.echo("No line can matter to the program, so the daemon never runs it.\n")
            return
        profiler = Profiler(compiled, log)
        with show_progress(profiler.budget_ns, in_bytes=False) as advance:
            for used in profiler.run():
                advance(used)
        click.echo(describe_profile(profiler.profile))

    return show


def print_diagnostics(found: Inspection) -> None:
    """Print on standard error what is wrong with a program."""
    for diagnostic in found.diagnostics:
        print_diagnostic(diagnostic)
    if found.conflict:
        click.echo(f"{found.path}: error: {found.conflict}", err=True)
