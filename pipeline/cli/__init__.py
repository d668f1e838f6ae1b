"""The commands: flags → settings → work → exit status. The only folder that prints.

Exit status: 0 fine, 1 a program or the work failed, 2 wrong use.

What a command needs is imported when it runs, so that `check` does not wait for the modules of
the daemon to load.
"""

from pipeline.cli import doctor, emit, programs, push_once, replay, run, setup
from pipeline.cli.group import main

__all__ = ["doctor", "emit", "main", "programs", "push_once", "replay", "run", "setup"]
