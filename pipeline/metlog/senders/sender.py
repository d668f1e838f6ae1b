"""What every sender is to the client: it takes a message, and what it cannot pass on it drops and counts.

A sender never waits longer than it says, raises nothing for want of a receiver, and tries again with the next message:
a receiver that comes back is found. All of them may be used by several threads, and from Trio and asyncio: nothing is
awaited. After a fork the child has connections and counts of its own.
"""

from __future__ import annotations

import atexit
import errno
import os
import socket
import stat
import sys
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.metlog.envelope import Message

FULL = "no room"
GONE = "nobody listens"
LARGE = "too large"
DENIED = "not allowed"
NO_SPACE = "no space on the disk"
BUSY = "busy"
NO_JSON = "not JSON"
UNWANTED = "of no type that is wanted"
LOOP = "came back from a log handler"
FAILED = "failed"

CAUSES = {
    errno.EAGAIN: FULL,
    errno.ENOBUFS: FULL,
    errno.ENOMEM: FULL,
    errno.ECONNREFUSED: GONE,
    errno.ECONNRESET: GONE,
    errno.ENOENT: GONE,
    errno.ENOTCONN: GONE,
    errno.ENXIO: GONE,
    errno.EPIPE: GONE,
    errno.ETIMEDOUT: GONE,
    errno.EHOSTUNREACH: GONE,
    errno.ENETUNREACH: GONE,
    errno.EMSGSIZE: LARGE,
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.EROFS: DENIED,
    errno.EDQUOT: NO_SPACE,
    errno.EFBIG: NO_SPACE,
    errno.ENOSPC: NO_SPACE,
}
"""Why a message was dropped, by what the system said; anything else has failed."""

# Nobody holds it longer than one message takes, except while a disk hangs.
LOCK_SECONDS = 0.1
"""So long a message waits for those of other threads."""


class SenderError(Exception):
    """A sender cannot be made like this. Its text is one sentence."""


@dataclass(slots=True)
class SenderCounts:
    """What became of messages. Each is sent or dropped, or held while a part of it is still to go."""

    sent: int = 0
    """Handed to the system, or to what the sender writes to."""
    dropped: int = 0
    held: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    """Those that were dropped, by why."""
    shortened: int = 0
    """Sent with a part of their payload, as the whole was too large."""
    last_failure: str = ""
    """Why the last one was dropped, in words."""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def drop(self, cause: str, detail: str = "") -> None:
        """Count a message that is dropped."""
        with self.lock:
            self.dropped += 1
            self.causes[cause] = self.causes.get(cause, 0) + 1
            self.last_failure = f"{cause}: {detail}" if detail else cause

    def drop_for(self, error: OSError) -> None:
        """Count a message that is dropped because of what the system said."""
        self.drop(find_cause(error), error.strerror or str(error))

    def clear(self) -> None:
        """Begin to count anew, in a process that was forked."""
        self.lock = threading.RLock()
        self.sent = self.dropped = self.held = self.shortened = 0
        self.causes.clear()
        self.last_failure = ""


class Closable(Protocol):
    """A file, or a pipe."""

    def close(self) -> None: ...


def close_file(file: Closable | None) -> None:
    """Close a file, whose descriptor the application may have closed already."""
    if file is not None:
        with suppress(OSError):
            file.close()


def close_socket(sock: socket.socket | None) -> None:
    """Close a socket, unless the application has closed its descriptor, and has something else by that number."""
    if sock is None:
        return
    try:
        is_ours = stat.S_ISSOCK(os.fstat(sock.fileno()).st_mode)
    except OSError:
        is_ours = False
    if is_ours:
        sock.close()
    else:
        sock.detach()


def find_cause(error: OSError) -> str:
    """Return why a message is dropped."""
    return CAUSES.get(error.errno or 0, FAILED)


class Sender(ABC):
    """Passes messages on to one place."""

    def __init__(self) -> None:
        self.counts = SenderCounts()
        # Of a kind that the same thread may take twice: a signal handler may log too.
        self.lock = threading.RLock()
        EVERY.add(self)

    @abstractmethod
    def send_message(self, message: Message) -> None:
        """Pass a message on, or drop and count it."""

    def flush(self, timeout_seconds: float = 1.0) -> bool:
        """Pass on what is held, and return whether nothing is left."""
        return True

    def close(self) -> None:  # noqa: B027 - not all have something to close
        """Let go of what is open. The next message opens it again."""

    def start_anew(self) -> None:
        """Begin as a sender of this process, which was forked."""
        self.lock = threading.RLock()
        self.counts.clear()


EVERY: weakref.WeakSet[Sender] = weakref.WeakSet()
"""Those of this process."""


ENDINGS: list[Callable[[], object]] = []
"""What is done at the end of a process, behind the senders' own."""

EXIT_SECONDS = 1.0
"""So long the end of a process waits for what is still to be sent."""


def start_all_anew() -> None:
    """Make the senders of the parent those of this process, which was forked."""
    for sender in list(EVERY):
        with suppress(Exception):  # one that failed while it was made has not all that it should have
            sender.start_anew()
    if "multiprocessing.util" in sys.modules:
        from multiprocessing import util

        # A process of multiprocessing runs nothing of `atexit`, and forgets what is to be done at its end until here.
        util.register_after_fork(end_process, arrange_end)


def arrange_end(end: Callable[[], object]) -> None:
    """Have a process of multiprocessing end as others do."""
    from multiprocessing import util

    util.Finalize(None, end, exitpriority=0)


def end_process() -> None:
    """Pass on what senders hold, as far as there is time, and do what else is to be done."""
    deadline = time.monotonic() + EXIT_SECONDS
    for sender in list(EVERY):
        with suppress(Exception):  # as above
            sender.flush(max(deadline - time.monotonic(), 0.0))
    for call in ENDINGS:
        call()


os.register_at_fork(after_in_child=start_all_anew)
atexit.register(end_process)
