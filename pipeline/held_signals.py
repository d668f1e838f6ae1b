"""Signals that are held back while the daemon starts, until it obeys them; before that they would end the process.

A service may be told to stop or to reload at any time, the first tenths of a second included, in which modules are
loaded. So this is what `__main__` does first. What comes before, while Python itself starts (some 20 ms),
cannot be helped.
"""

from __future__ import annotations

import signal

HELD = (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1)
"""Not SIGINT: whoever presses Ctrl-C at a start means the end."""


def hold_signals() -> None:
    """Keep signals that are meant for the daemon until somebody obeys them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def release_signals() -> None:
    """Let signals through, with those that have come meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
