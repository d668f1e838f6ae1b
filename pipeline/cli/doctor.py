"""`doctor`: what is wrong with the way of a line on this machine."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING

import click

from pipeline import settings
from pipeline.cli.group import main
from pipeline.cli.output import exit_with
from pipeline.doctor_flags import DOCTOR_CONFIG, DOCTOR_FLAGS
from pipeline.options import FlagCommand, FlagOption, fill

if TYPE_CHECKING:
    from pipeline.doctor import Check, Finding, State

COLOURS = {"ok": "green", "warning": "yellow", "failure": "red", "not checked": "bright_black"}
LOUD = ("ok", "warning", "failure")
WORD_WIDTH = 12
"""What the words for states take, with a blank behind them."""


@main.command(
    cls=FlagCommand,
    params=[FlagOption(flag) for flag in (*DOCTOR_FLAGS, DOCTOR_CONFIG)],
    short_help="Say what is wrong with the way of a line on this machine.",
    epilog="Exit status: 0 all is well, 1 something is wrong, 2 wrong use. Run it as root, as what other users may do "
    "and have open is hidden from an ordinary one.",
)
def doctor(*, json: bool, **values: object) -> None:
    """Check the whole way of a line on this machine, and print for what is wrong the command that mends it.

    What an application logs goes through the syslog daemon into a pipe or a socket, through our daemon's programs
    into metrics, and through nginx to Prometheus. A test line is sent along. Nothing is changed.

    \b
    Is all well here?
      syslog-pipeline doctor
    With what Prometheus knows:
      syslog-pipeline doctor --url https://localhost:9443 --ca ca.crt --user prometheus --password_file FILE
    """
    from pipeline.doctor import State, describe_summary, examine, make_record, make_site

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold what a terminal has no letters for
    site = make_site(fill(settings.DoctorSettings, values))
    results = []
    with showing_progress() as show:
        for check, findings in examine(site, show):
            show("")
            results.append((check, findings))
            if not json:
                print_check(check, findings)
    every = [finding for _, findings in results for finding in findings]
    if json:
        click.echo(json_format.dumps(make_record(results), indent=2))
    else:
        print_waiting(results)
        click.echo()
        click.secho(describe_summary(every), bold=True)
    exit_with(failed=any(finding.state is State.FAILURE for finding in every))


def print_check(check: Check, findings: list[Finding]) -> None:
    """Print what a check found: with marks and colours on a terminal, with words elsewhere."""
    from pipeline.doctor import describe_check

    for state, lines in describe_check(check, [finding for finding in findings if not finding.cause]):
        print_lines(state, lines)


def print_lines(state: State, lines: list[str]) -> None:
    """Print the lines of a finding, the first with what stands for its state."""
    from pipeline.doctor import MARKS

    can_show_marks = sys.stdout.isatty() and sys.stdout.encoding.lower().startswith("utf")
    mark = f"{MARKS[state]} " if can_show_marks else f"{state.value:<{WORD_WIDTH}}"
    click.echo(click.style(mark, fg=COLOURS[state.value]) + click.style(lines[0], dim=state.value not in LOUD or None))
    for line in lines[1:]:
        click.echo(" " * len(mark) + click.style(line, bold=line.startswith(" ") or None))


def print_waiting(results: list[tuple[Check, list[Finding]]]) -> None:
    """Print in a line each what was not checked for the same cause."""
    from pipeline.doctor import State, describe_waiting

    for line in describe_waiting(results):
        print_lines(State.SKIPPED, [line])


@contextmanager
def showing_progress() -> Iterator[Callable[[str], None]]:
    """Yield what is told what is being waited for; on a terminal a line shows it, until the next one."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(text: str) -> None:
        click.echo(f"\r\x1b[K{text + ' …' if text else ''}", err=True, nl=False)

    try:
        yield show
    finally:
        show("")
