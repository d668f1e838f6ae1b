"""`push-once`: log files read once, and their metrics pushed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import cast

import click

from pipeline import settings
from pipeline.cli.group import SPELLINGS, main
from pipeline.cli.output import exit_with
from pipeline.cli.replay import make_program_settings, make_source_settings, print_load_report, read_logs, start_log
from pipeline.flags import PUSH_ONCE_FLAGS
from pipeline.options import FlagCommand, fill, make_options, make_push_settings


@main.command(
    "push-once",
    cls=FlagCommand,
    params=[*make_options(PUSH_ONCE_FLAGS), click.Argument(["extra_logs"], nargs=-1, metavar="[FILE]...")],
    short_help="Read log files, push the metrics once.",
    epilog=SPELLINGS,
)
def push_once(*, logs: tuple[str, ...], extra_logs: tuple[str, ...], **values: object) -> None:
    """Read log files from start to end, run the programs on their lines, push the metrics once to all destinations.

    A destination that fails is tried again until --push_timeout is over. The exit status is 0 if all of them took
    the values. A program that cannot be loaded is reported on standard error; the metrics of the others are pushed,
    and the exit status is 1.

    \b
    Push what a nightly job has logged:
      syslog-pipeline push-once --progs backup.mtail --logs /var/log/backup.log \\
          --pushgateway_url http://gateway.example.org:9091 \\
          --pushgateway_job backup --pushgateway_grouping none
    """
    start_log(values)
    push_logs({**values, "logs": (*logs, *extra_logs)})


def push_logs(values: Mapping[str, object]) -> None:
    """Do what `push-once` does, and exit."""
    from pipeline.push_once import PushOnce

    job = PushOnce(
        settings.PushOnceSettings(
            programs=make_program_settings(values),
            sources=make_source_settings(values),
            store=fill(settings.StoreSettings, values),
            formats=fill(settings.FormatSettings, values),
            # What could not be pushed is made anew, so that nothing of it is to be kept.
            push=make_push_settings({**values, "push_spool_bytes": 0}),
            push_timeout_seconds=cast("float", values["push_timeout_seconds"]),
        )
    )
    print_load_report(job.replay)
    if not job.has_programs:
        click.echo("Error: Nothing is pushed, because no program could be loaded.", err=True)
        exit_with(failed=True)
    read_logs(job.replay)
    deliveries = job.push()
    for delivery in deliveries:
        if delivery.failure:
            click.echo(f"Error: {delivery.describe()}", err=True)
        elif sys.stdout.isatty():
            click.echo(delivery.describe())
    exit_with(failed=bool(job.replay.report.failures) or any(delivery.failure for delivery in deliveries))
