"""Writes a prepared stream to a daemon as fast as it takes it: into a named pipe, or as datagrams."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.bench.daemons import RunningDaemon, wait_until
from tests.bench.measure import BenchError

PIPE_BYTES = 1024 * 1024
"""As our daemon asks of the kernel. mtail asks for nothing, and gets the same here."""

STALL_SECONDS = 30
"""A writer that waits longer gives up."""


EMPTY_POLL_SECONDS = 0.001


@contextmanager
def held_pipe(path: Path) -> Iterator[int]:
    """Make a pipe and hold it open for both ends, without blocking, so that no reader finds it unheld."""
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    with suppress(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def count_unread(pipe: int) -> int:
    """Return how many bytes wait in a pipe; both ends can tell."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def write_pipe(pipe: int, data: bytes, daemon: RunningDaemon) -> None:
    """Write everything, waiting whenever the pipe is full, and at the end until it is empty."""
    poller = select.poll()
    poller.register(pipe, select.POLLOUT)
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(pipe, view[:PIPE_BYTES]) :]
        except BlockingIOError:
            daemon.require_life()
            if not poller.poll(STALL_SECONDS * 1000):
                raise daemon.fail(f"read nothing from its pipe for {STALL_SECONDS} s") from None
    wait_until(lambda: count_unread(pipe) == 0, daemon, poll_seconds=EMPTY_POLL_SECONDS)


def send_datagrams(path: Path, data: bytes, daemon: RunningDaemon) -> None:
    """Send each line, its line feed included, as a datagram; the kernel makes us wait while too many wait."""
    lines = data.splitlines(keepends=True)
    wait_until(path.exists, daemon)  # mtail answers scrapes before it has bound this
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", STALL_SECONDS, 0))
        try:
            sender.connect(str(path))
            for line in lines:
                sender.send(line)
        except BlockingIOError:
            raise daemon.fail(f"received no datagram for {STALL_SECONDS} s") from None
        except OSError as error:
            raise BenchError(f"No datagram can be sent to {path}: {error.strerror}.") from error
