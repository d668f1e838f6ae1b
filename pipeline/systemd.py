"""What we tell systemd, and what it tells us: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).

Without systemd nothing is told and nothing passed.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress

from pipeline.descriptors import Descriptors
from pipeline.errors import SettingError, describe_os_error

MICROSECONDS = 1_000_000

MAX_STATUS_CHARACTERS = 500
"""`systemctl status` shows one line, and a datagram must not grow beyond what the kernel takes."""


PATIENCE_SECONDS = 5.0
"""How long the start and the end wait for systemd to take a message. It lets few wait: net.unix.max_dgram_qlen."""


def is_listening() -> bool:
    """Return whether somebody wants to be told."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(text: str, descriptors: Sequence[int] = (), *, patience_seconds: float = PATIENCE_SECONDS) -> bool:
    """Tell systemd `text`, lines such as `READY=1`, and pass it `descriptors`; return whether it has arrived.

    A message that does not arrive is not worth an end: systemd may be busy, or restarting itself. That is also why
    this is not sd_notify(3), which waits for as long as that takes, and our lines with it.
    """
    if not is_listening():
        return False
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, suppress(OSError):
        sock.settimeout(patience_seconds)
        sock.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        # Names of files need not be UTF-8, and systemd takes nothing else.
        socket.send_fds(sock, [text.encode("utf-8", "replace")], descriptors)
        return True
    return False


class Messenger:
    """Brings systemd what it is to keep. That may be a message for each connection: only one is waited for in vain."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.patience_seconds = patience_seconds
        self.is_heard = True
        """Whether systemd has taken the last message."""

    def tell(self, text: str, descriptors: Sequence[int]) -> None:
        """Tell systemd `text`, and pass it `descriptors`."""
        patience = self.patience_seconds if self.is_heard else 0
        self.is_heard = notify(text, descriptors, patience_seconds=patience)


def notify_ready() -> None:
    """Tell that everything is open and bound."""
    notify("READY=1")


def notify_reloading() -> None:
    """Tell that a reload begins; the time tells systemd which of several (`Type=notify-reload`)."""
    # Python's monotonic clock is CLOCK_MONOTONIC on Linux, which systemd compares with its own.
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def notify_stopping() -> None:
    """Tell that the end has begun."""
    notify("STOPPING=1")


def notify_status(text: str) -> None:
    """Tell how it goes, in one line, which `systemctl status` shows."""
    line = " ".join(text.split())
    text = line if len(line) <= MAX_STATUS_CHARACTERS else f"{line[: MAX_STATUS_CHARACTERS - 1]}…"
    notify(f"STATUS={text}", patience_seconds=0)


def feed_watchdog() -> None:
    """Tell that we are well."""
    notify("WATCHDOG=1", patience_seconds=0)


def read_watchdog_seconds() -> float | None:
    """Return how often at least systemd wants to hear from us, None if it does not."""
    microseconds = read_number("WATCHDOG_USEC")
    process = read_number("WATCHDOG_PID") if "WATCHDOG_PID" in os.environ else os.getpid()
    return microseconds / MICROSECONDS if microseconds and process == os.getpid() and is_listening() else None


def receive_descriptors(*, stores: bool | None) -> Descriptors:
    """Return what systemd passes. Raises `SettingError`.

    `stores` says whether it keeps what we give it; None leaves that to `$FDSTORE`, in which systemd since 254 tells
    how many descriptors it keeps.
    """
    places = read_number("FDSTORE")
    if stores is None:
        stores = bool(places)
    return Descriptors.receive(list_passed(), Messenger().tell, stores=stores and is_listening(), places=places or None)


def list_passed() -> list[tuple[int, str]]:
    """Return the descriptors that systemd passes, with their names; raises `SettingError`."""
    text = os.environ.get("LISTEN_FDS")
    if text is None or read_number("LISTEN_PID") != os.getpid():
        return []
    if read_number("LISTEN_FDS") is None:
        raise SettingError(f"What systemd passes cannot be taken: LISTEN_FDS is {text!r}, and not a number.")
    if not read_number("LISTEN_FDS"):
        return []  # sd_listen_fds(3) fails on 0 in some versions
    try:
        import systemd.daemon

        passed: dict[int, str] = systemd.daemon.listen_fds_with_names()
    except ImportError as error:
        raise SettingError("systemd passes sockets, but the Python package systemd-python is missing.") from error
    except OSError as error:
        raise SettingError(f"What systemd passes cannot be taken: {describe_os_error(error)}.") from error
    return list(passed.items())


def read_number(variable: str) -> int | None:
    """Return the number that a variable of the environment spells, None if it is unset or spells none."""
    text = os.environ.get(variable, "")
    # More digits than a 64-bit number has are no number of systemd's.
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
