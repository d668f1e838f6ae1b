"""`setup`: our configuration of the syslog daemon, systemd and nginx, adapted to this machine and put into place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from pipeline import settings
from pipeline.cli.group import SPELLINGS, main
from pipeline.cli.output import count, exit_with
from pipeline.errors import InstallationError, ShippedFileError
from pipeline.options import FlagCommand, fill, make_options
from pipeline.setup_flags import SETUP_FLAGS

if TYPE_CHECKING:
    from pipeline.installation import Change, Setup, Step

COLOURS = {"+": "green", "-": "red", "@": "cyan"}
"""Of the lines of a diff on a terminal, by how they begin."""


@main.command(cls=FlagCommand, params=make_options(SETUP_FLAGS), short_help="Set up this machine.", epilog=SPELLINGS)
def setup(**values: object) -> None:
    """Put the configuration of the syslog daemon, systemd and nginx into place, adapted to this machine.

    Without --install, --into or --uninstall it writes nothing: it shows as a diff what it would write, and the
    commands that come then. It never runs them. A file that somebody has changed since is kept, and named; the
    exit status is then 1.

    \b
    What would be written here?
      syslog-pipeline setup
    Put it into place, with line programs for sshd and postfix:
      sudo syslog-pipeline setup --install --programs sshd,postfix
    Four daemons behind one rsyslog, scraped with client certificates:
      sudo syslog-pipeline setup --install --instances 4 --nginx client-certificate
    Look at the files, or take them to another machine:
      syslog-pipeline setup --into ./tree
    Take all of it away:
      sudo syslog-pipeline setup --uninstall
    """
    from pipeline.installation import Setup, holding

    chosen = fill(settings.SetupSettings, values)
    try:
        with holding(chosen.base) if chosen.is_writing else nullcontext():
            run_setup(Setup(chosen))
    except (InstallationError, ShippedFileError) as error:
        raise click.ClickException(str(error)) from error


def run_setup(job: Setup) -> None:
    """Show what would change, change it if that is wanted, tell what comes then, and exit."""
    if job.settings.is_writing:
        job.check_rights()
    print_findings(job)
    if is_preview(job):
        click.secho("This is what --install would do.\n", bold=True)
    for change in job.changes:
        print_change(change, in_full=job.settings.into is None)
    if not job.work and not job.refused:
        click.echo(f"Nothing has to be {'written' if job.choices else 'removed'}.")
    if job.settings.is_writing:
        confirm(job)
        left = job.write()
        if job.work:
            click.secho(describe_work(job), bold=True)
        for folder in left:
            click.echo(f"{folder} stays: there is something in it.")
    print_refused(job)
    print_steps(job)
    exit_with(failed=bool(job.refused))


def is_preview(job: Setup) -> bool:
    """Whether there is something to write, which is only shown."""
    return bool(job.work) and not job.settings.is_writing


def describe_work(job: Setup) -> str:
    """Return how many files were written, and how many removed."""
    removed = sum(change.new is None for change in job.work)
    done = [(len(job.work) - removed, "written"), (removed, "removed")]
    return ", ".join(f"{count(number, 'file')} {what}" for number, what in done if number) + "."


def print_findings(job: Setup) -> None:
    """Print what was found, and what does not fit."""
    click.echo(f"Found below {job.settings.root}: {', '.join(job.machine.describe()) or 'nothing'}.")
    for warning in job.list_warnings():
        click.secho(f"Warning: {warning}", bold=True)
    if job.choices is not None and job.unused_programs:
        click.echo(f"Line programs that --programs can add: {', '.join(job.unused_programs)}.")
    click.echo()


def print_change(change: Change, *, in_full: bool) -> None:
    """Print what is done with a file, in full as a unified diff."""
    from pipeline.installation import Kind, describe_difference

    if change.kind in {Kind.SAME, Kind.FORGET} and not change.is_work:
        return
    click.secho(f"{change.path} {change.describe()}.", bold=True)
    if not in_full or change.kind in {Kind.LEAVE, Kind.REMOVE, Kind.FORGET}:
        return
    for line in describe_difference(change):
        click.secho(line, fg=COLOURS.get(line[:1]))
    click.echo()


def confirm(job: Setup) -> None:
    """Ask on a terminal whether to go on."""
    if job.work and job.settings.into is None and not job.settings.yes and sys.stdin.isatty() and sys.stdout.isatty():
        what = "Write" if job.choices else "Remove"
        click.confirm(f"{what} {count(len(job.work), 'file')} below {job.settings.base}?", abort=True)


def print_refused(job: Setup) -> None:
    """Print which files stay as they are although something else is wanted, and what may be done."""
    for change in job.refused:
        click.secho(f"Kept: {change.path}, which is not as setup wrote it.", bold=True, err=True)
    if job.refused:
        click.echo("Move your changes elsewhere, or give --overwrite: it keeps the old ones as .old.", err=True)


def print_steps(job: Setup) -> None:
    """Print the commands that come then."""
    steps: Sequence[Step] = job.list_steps()
    if not steps:
        return
    if is_preview(job):
        click.secho("\nNothing has been written yet. Give --install too; then, as root, in this order:", bold=True)
    else:
        done = job.settings.install or job.settings.uninstall
        click.secho(f"\n{'Now run' if done else 'Then'}, as root, in this order:", bold=True)
    for step in steps:
        click.echo(f"    # {step.reason}")
        if step.command:
            click.echo(f"    {step.command}")
