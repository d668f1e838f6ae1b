"""The command of all commands, and what they have in common."""

from __future__ import annotations

import platform

import click

from pipeline import __version__
from pipeline.errors import SettingError
from pipeline.options import normalize_arguments

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


@main.command(short_help="Print the version.")
def version() -> None:
    """Print the version."""
    click.echo(VERSION)
