"""How commands print: on a terminal with colours and progress bars, elsewhere plainly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.language import Diagnostic

FAILED = 1


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
