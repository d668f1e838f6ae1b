"""`replay`: log files read once, and their metrics printed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import click

from pipeline import settings
from pipeline.cli.group import SPELLINGS, main
from pipeline.cli.output import exit_with, print_diagnostic, show_progress
from pipeline.errors import SettingError, describe_os_error
from pipeline.flags import REPLAY_FLAGS, TABLES
from pipeline.options import FlagCommand, fill, make_options

if TYPE_CHECKING:
    from pipeline.record_settings import RecordSettings
    from pipeline.replay import Replay


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


def start_log(values: Mapping[str, object]) -> None:
    """Begin to log on standard error."""
    from pipeline.log_format import start_logging

    start_logging(cast("int", values["verbosity"]))


def make_program_settings(values: Mapping[str, object]) -> settings.ProgramSettings:
    """Return the settings of programs that run."""
    language = fill(settings.LanguageSettings, values)
    return fill(settings.ProgramSettings, {**values, "language": language})


def make_source_settings(values: Mapping[str, object], *, may_be_none: bool = False) -> settings.SourceSettings:
    """Return the settings of sources, of which there must be one unless there may be none."""
    if not values["logs"] and not may_be_none:
        raise SettingError("No log is given. Name one with --logs.")
    return fill(settings.SourceSettings, {**values, "records": list_record_rules(values)})


def list_record_rules(values: Mapping[str, object]) -> tuple[RecordSettings, ...]:
    """Return how lines are joined: for the sources that tables of the file of settings name, and for all others."""
    from pipeline.record_settings import RecordSettings

    tables = click.get_current_context().meta.get(TABLES, {}).get("records", ())
    flags = fill(RecordSettings, values)
    return (*tables, flags) if flags.joins else tables


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
    print_load_report(job)
    read_logs(job)
    page = job.render()
    for problem in job.problems:
        click.echo(f"Warning: {problem}", err=True)
    print_page(page)
    exit_with(failed=bool(job.report.failures))


def print_load_report(job: Replay) -> None:
    """Say what is wrong with programs and bindings."""
    for warning in job.report.warnings:
        print_diagnostic(warning)
    for failure in job.report.failures:
        if not failure.diagnostics:
            click.echo(f"Error: {failure.text}", err=True)
        for diagnostic in failure.diagnostics:
            print_diagnostic(diagnostic)
    for problem in job.unmatched:
        click.echo(f"Warning: {problem}", err=True)


def read_logs(job: Replay) -> None:
    """Read everything, and say what was lost."""
    with show_progress(job.total_bytes) as advance:
        for bytes_read in job.run():
            advance(bytes_read)
    for problem in job.describe_losses():
        click.echo(f"Warning: {problem}", err=True)


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
