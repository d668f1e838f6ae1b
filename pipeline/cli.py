"""The commands: flags → settings → work → exit status. The only module that prints.

Exit status: 0 fine, 1 a program or the work failed, 2 wrong use.

What a command needs is imported when it runs, so that `check` does not wait for the modules of
the daemon to load.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from pipeline import __version__, settings
from pipeline.errors import SettingError, describe_os_error
from pipeline.flag_types import PATH
from pipeline.flags import ACCEPTED_FLAGS, CHECK_FLAGS, EXPLAIN_FLAGS, REPLAY_FLAGS, RUN_FLAGS
from pipeline.held_signals import release_signals
from pipeline.options import FlagCommand, fill, make_accepted_options, make_options, normalize_arguments

if TYPE_CHECKING:
    from pipeline.inspection import Inspection
    from pipeline.language import CompiledProgram, Diagnostic

FAILED = 1

VERSION = f"syslog-pipeline version {__version__}, Python {platform.python_version()}"

SPELLINGS = (
    "The names of flags may be written with dashes as well (--unix-socket). A Boolean flag is set by --flag, and "
    "unset by --flag=false or --no-flag. Each flag can also be given by an environment variable, such as "
    "SYSLOG_PIPELINE_UNIX_SOCKET, or in the file of settings."
)


class WrongUse(click.ClickException):
    """What cannot be used as it was given, as one sentence on standard error."""

    exit_code = 2


class CommandGroup(click.Group):
    """The commands; a `SettingError` of any of them is wrong use."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Know `-version` and `-help` too, in Go's spelling."""
        return super().parse_args(ctx, normalize_arguments(args, {"help": False, "version": False}, frozenset()))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SettingError as error:
            raise WrongUse(str(error)) from error


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit status: 0 fine, 1 a program or the work failed, 2 wrong use. "
    "`syslog-pipeline COMMAND --help` tells more about a command.",
)
@click.version_option(__version__, message=VERSION)
def main() -> None:
    """Turn log lines into metrics.

    Line programs in the mtail language read what rsyslog or syslog-ng write into a named pipe or a
    unix socket. The metrics are served over HTTP on a unix socket, for Prometheus.
    """


@main.command(
    cls=FlagCommand,
    params=[
        *make_options(RUN_FLAGS),
        *make_accepted_options(),
        click.Argument(["extra_logs"], nargs=-1, metavar="[SOURCE]..."),
    ],
    short_help="Run the daemon.",
    epilog="Accepted without effect, for command lines written for mtail: "
    + ", ".join(f"--{name}" for name, _ in ACCEPTED_FLAGS)
    + f".\n\n{SPELLINGS}",
)
@click.version_option(__version__, message=VERSION)
def run(
    *, logs: tuple[str, ...], extra_logs: tuple[str, ...], one_shot: bool, compile_only: bool, **values: object
) -> None:
    """Run the daemon: read log lines, run the programs on them, serve the metrics.

    It ends in good order on SIGTERM, on SIGINT, and when all sources have ended; a second signal ends it
    at once.

    \b
    Read a named pipe and a unix socket:
      syslog-pipeline run --progs /etc/syslog-pipeline/programs \\
          --logs /run/syslog-pipeline/log.fifo --logs unix:///run/syslog-pipeline/log.sock \\
          --unix_socket /run/syslog-pipeline/metrics.sock
    Read the metrics:
      curl --unix-socket /run/syslog-pipeline/metrics.sock http://localhost/metrics
    """
    start_log(values)
    values["logs"] = (*logs, *extra_logs)
    if compile_only or one_shot:
        release_signals()
    if compile_only:
        check_paths([cast("Path", values["progs"])], fill(settings.LanguageSettings, values))
    elif one_shot:
        replay_logs({**values, "format_name": values["one_shot_format"]})
    else:
        import shlex

        from pipeline.daemon import logger, run_daemon

        logger.info("%s starts as: %s", VERSION, shlex.join(sys.argv))
        run_daemon(
            settings.DaemonSettings(
                programs=make_program_settings(values),
                sources=make_source_settings(values),
                store=fill(settings.StoreSettings, values),
                formats=fill(settings.FormatSettings, values),
                server=fill(settings.ServerSettings, values),
                state=fill(settings.StateSettings, values),
                life=fill(settings.LifeSettings, values),
            )
        )


@main.command(
    cls=FlagCommand,
    params=[*make_options(REPLAY_FLAGS), click.Argument(["extra_logs"], nargs=-1, metavar="[FILE]...")],
    short_help="Read log files, print the metrics.",
    epilog=SPELLINGS,
)
def replay(*, logs: tuple[str, ...], extra_logs: tuple[str, ...], **values: object) -> None:
    """Read log files from start to end, run the programs on their lines, print the metrics.

    A program that cannot be loaded is reported on standard error; the others run, and the exit status is 1.

    \b
    Try a program on a log:
      syslog-pipeline replay --progs sshd.mtail --logs /var/log/auth.log
    Read a compressed one:
      zcat access.log.gz | syslog-pipeline replay --progs nginx_access.mtail --logs - --format json
    """
    start_log(values)
    replay_logs({**values, "logs": (*logs, *extra_logs)})


@main.command(
    cls=FlagCommand,
    params=[
        *make_options(CHECK_FLAGS),
        click.Argument(["paths"], nargs=-1, required=True, type=PATH, metavar="PATH..."),
    ],
    short_help="Look for mistakes in programs.",
    epilog=SPELLINGS,
)
def check(*, paths: tuple[Path, ...], **values: object) -> None:
    """Compile programs without running them, and print what is wrong with them.

    PATH is a program or a folder of them. Errors and warnings go to standard error; the exit status is 1 if
    there is an error.

    \b
    Check a folder:
      syslog-pipeline check /etc/syslog-pipeline/programs
    """
    check_paths(paths, fill(settings.LanguageSettings, values))


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

    show = print_explanation if profile is None else make_profile_printer(str(profile))
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


@main.command(short_help="Print the version.")
def version() -> None:
    """Print the version."""
    click.echo(VERSION)


def start_log(values: Mapping[str, object]) -> None:
    """Begin to log on standard error."""
    from pipeline.log_format import start_logging

    start_logging(cast("int", values["verbosity"]))


def make_program_settings(values: Mapping[str, object]) -> settings.ProgramSettings:
    """Return the settings of programs that run."""
    language = fill(settings.LanguageSettings, values)
    return fill(settings.ProgramSettings, {**values, "language": language})


def make_source_settings(values: Mapping[str, object]) -> settings.SourceSettings:
    """Return the settings of sources, of which there must be one."""
    if not values["logs"]:
        raise SettingError("No log is given. Name one with --logs.")
    return fill(settings.SourceSettings, values)


def check_paths(paths: Sequence[Path], language: settings.LanguageSettings) -> None:
    """Compile what is at `paths`, print what is wrong, and exit."""
    from pipeline.inspection import inspect_programs
    from pipeline.wiring import make_compile_options

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


def replay_logs(values: Mapping[str, object]) -> None:
    """Do what `replay` does, and exit."""
    from pipeline.replay import Replay

    job = Replay(
        settings.ReplaySettings(
            programs=make_program_settings(values),
            sources=make_source_settings(values),
            store=fill(settings.StoreSettings, values),
            formats=fill(settings.FormatSettings, values),
            format_name=cast("str", values["format_name"]),
        )
    )
    for warning in job.report.warnings:
        print_diagnostic(warning)
    for failure in job.report.failures:
        if not failure.diagnostics:
            click.echo(f"Error: {failure.text}", err=True)
        for diagnostic in failure.diagnostics:
            print_diagnostic(diagnostic)
    for problem in job.unmatched:
        click.echo(f"Warning: {problem}", err=True)
    with show_progress(job.total_bytes) as advance:
        for bytes_read in job.run():
            advance(bytes_read)
    page = job.render()
    for problem in job.problems:
        click.echo(f"Warning: {problem}", err=True)
    print_page(page)
    exit_with(failed=bool(job.report.failures))


def print_explanation(path: Path, compiled: CompiledProgram) -> None:
    """Print how the patterns of a program are searched, what its guard is, and its Python."""
    from pipeline.inspection import describe_guard, describe_patterns

    print_heading(f"Patterns of {path}")
    click.echo(describe_patterns(compiled))
    print_heading(f"Guard of {path}")
    click.echo(describe_guard(compiled))
    print_heading(f"Python made from {path}")
    print_python(compiled.listing)


def make_profile_printer(log_name: str) -> Callable[[Path, CompiledProgram], None] | None:
    """Return what runs a program over a log and prints what it costs; None if the log is empty, which it says."""
    from pipeline.profiling import Profiler, describe_profile, read_sample

    log = read_sample(log_name)
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


def print_page(page: bytes) -> None:
    """Write the metrics to standard output."""
    try:
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # `| head`: click ends quietly
    except OSError as error:
        sys.stdout = None  # what could not be written is not tried again at exit
        raise click.ClickException(f"The metrics cannot be written: {describe_os_error(error)}.") from error


@contextmanager
def show_progress(total: int, *, in_bytes: bool = True) -> Iterator[Callable[[int], None]]:
    """Yield what is to be told of each batch's bytes, or of other work; on a terminal a bar shows them."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    of_bytes = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else ()
    columns = (BarColumn(), *of_bytes, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total or None)
        yield partial(progress.advance, task)


def print_diagnostics(found: Inspection) -> None:
    """Print on standard error what is wrong with a program."""
    for diagnostic in found.diagnostics:
        print_diagnostic(diagnostic)
    if found.conflict:
        click.echo(f"{found.path}: error: {found.conflict}", err=True)


def print_diagnostic(diagnostic: Diagnostic) -> None:
    """Print one diagnostic on standard error, its first line bold on a terminal."""
    first, _, rest = diagnostic.render().partition("\n")
    click.secho(first, bold=True, err=True)
    click.echo(rest, err=True)


def print_heading(text: str) -> None:
    """Print a heading on standard output."""
    click.secho(text, bold=True)
    click.echo()


def print_python(text: str) -> None:
    """Print Python on standard output, in colour on a terminal."""
    if not sys.stdout.isatty():
        click.echo(text)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(text, "python", background_color="default", word_wrap=True))


def count(number: int, thing: str) -> str:
    """Return `number` things."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def exit_with(*, failed: bool) -> None:
    """End the command; `failed` says that a program or the work did."""
    click.get_current_context().exit(FAILED if failed else 0)
