"""Other programs' commands, run with a deadline."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

COMMAND_SECONDS = 20.0
"""To check a configuration takes a daemon far less; one that hangs must not hang us."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it said, on either of its outputs."""

    status: int
    output: str


def make_path() -> str:
    """Return where commands are looked for: daemons are where the PATH of an ordinary user does not lead."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def find_command(name: str) -> str | None:
    """Return the path of a command, None if there is none."""
    return shutil.which(name, path=make_path())


def run_command(command: Sequence[str], stdin: bytes = b"") -> Outcome | None:
    """Return how a command ended; None if it is not there or did not end in time."""
    path = find_command(command[0])
    if path is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command of the system, without a shell
            [path, *command[1:]],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
            env={**os.environ, "PATH": make_path(), "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Outcome(done.returncode, done.stdout.decode(errors="replace"))
