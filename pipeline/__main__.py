"""Where the command `syslog-pipeline`, which `python -m pipeline` is too, starts."""

from __future__ import annotations

import os
import sys

from pipeline.held_signals import hold_signals


def main() -> None:
    """Run the command that the arguments name."""
    open_streams()
    if sys.argv[1:2] == ["run"]:
        hold_signals()
    from pipeline.cli import main as run_command

    run_command(prog_name="syslog-pipeline")


def open_streams() -> None:
    """Have standard streams where the caller has closed them, as in `>&-`; otherwise the next file takes the place.

    What is written there is lost, as it would be. Reading still fails: a log that is missing is no empty one.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


if __name__ == "__main__":
    main()
