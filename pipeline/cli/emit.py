"""`emit`: messages and lines for a receiver, at a rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.group import SPELLINGS, main
from pipeline.cli.output import exit_with, show_progress
from pipeline.emit_flags import EMIT_FLAGS
from pipeline.emit_settings import STDOUT, EmitSettings
from pipeline.options import FlagCommand, fill, make_options

if TYPE_CHECKING:
    from pipeline.emitting import Outcome


@main.command(
    cls=FlagCommand, params=make_options(EMIT_FLAGS), short_help="Send messages or lines, at a rate.", epilog=SPELLINGS
)
def emit(**values: object) -> None:
    """Send messages of metlog, or plain lines, to the daemon or to others, at a rate: for load, and to try things.

    It tells how many were sent and dropped, and how long a send took. The exit status is 1 if not all were sent,
    or the rate was not reached.

    \b
    One counter, to see how it comes out:
      syslog-pipeline emit --to unixgram:///run/syslog-pipeline/metlog.sock --field name=logins --logger shop
    A thousand timers per second, for a minute, with values that differ:
      syslog-pipeline emit --to udp://127.0.0.1:5565 --type timer --payload "{n}" --rate 1000 --duration 1m
    How many lines can the pipe take?
      syslog-pipeline emit --to /run/syslog-pipeline/log.fifo --line "Nov 22 01:00:00 web1 app: n={n}" --count 100000
    A log file again, line by line, over four connections:
      syslog-pipeline emit --to tcp://loghost:5140 --lines /var/log/auth.log --rate 5000 --senders 4
    """
    from pipeline.emitting import Emitter

    settings = fill(EmitSettings, values)
    emitter = Emitter(settings)
    emitter.start()
    with show_progress(settings.wanted or 0, in_bytes=False) as advance:
        outcome = emitter.run(advance)
    print_outcome(outcome, on_stderr=settings.to == STDOUT)
    exit_with(failed=not outcome.is_complete)


def print_outcome(outcome: Outcome, *, on_stderr: bool) -> None:
    """Print how it went. Where lines go to standard output, it does not stand between them."""
    for line in outcome.describe():
        click.echo(line, err=on_stderr)
