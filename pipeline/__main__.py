"""Where the command `syslog-pipeline`, which `python -m pipeline` is too, starts."""

from __future__ import annotations

import sys

from pipeline.held_signals import hold_signals


def main() -> None:
    """Run the command that the arguments name."""
    if sys.argv[1:2] == ["run"]:
        hold_signals()
    from pipeline.cli import main as run_command

    run_command(prog_name="syslog-pipeline")


if __name__ == "__main__":
    main()
