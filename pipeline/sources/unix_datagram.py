"""A unix datagram socket, drained in bursts: one batch for all datagrams that wait.

The receive buffer is left alone: Linux charges a unix datagram to its sender and lets
net.unix.max_dgram_qlen of them wait (10 on Debian, measured, whatever SO_RCVBUF says), then the sender blocks.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import trio

from pipeline.batch import Deliver
from pipeline.settings import SourceSettings
from pipeline.sources.intake import READ_BYTES, Intake
from pipeline.sources.waiting import yield_after
from pipeline.telemetry import SourceCounts
from pipeline.unix_socket import BoundSocket, bind_unix_socket

LINE_FEED = ord("\n")

MAX_DATAGRAM_BYTES = 1024 * 1024
"""Longer ones are cut by the kernel, and counted. By default it lets nobody send more than 208 KiB."""


class UnixDatagramSource:
    """Receives on one unix datagram socket."""

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        self.name = f"unixgram://{path}"
        self.path = path
        self.counts = SourceCounts(os.fsencode(self.name))
        self.max_line_bytes = settings.max_line_bytes
        self.receiver: BoundSocket | None = None

    def prepare(self) -> None:
        self.receiver = bind_unix_socket(self.path, socket.SOCK_DGRAM)

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        assert self.receiver is not None, "prepare() comes first"
        receiver = self.receiver.socket
        intake = Intake(self.counts, deliver, self.max_line_bytes)
        burst = Burst(self.max_line_bytes)
        try:
            task_status.started()
            while True:
                await trio.lowlevel.wait_readable(receiver)
                burst.receive(receiver)
                self.pass_on(burst, intake)
                await yield_after(burst.size)
        except trio.Cancelled:
            self.receiver.unlink()
            receiver.shutdown(socket.SHUT_RD)
            while burst.receive(receiver):
                self.pass_on(burst, intake)
            raise
        finally:
            self.close()

    def pass_on(self, burst: Burst, intake: Intake) -> None:
        """Deliver what the burst holds."""
        self.counts.lines_truncated += burst.truncated
        intake.feed(burst.buffer, burst.size)

    def close(self) -> None:
        if self.receiver is not None:
            self.receiver.close()
            self.receiver = None


class Burst:
    """The datagrams that waited when `receive` was called, as one stream in which the end of each ends a line.

    All are received into one buffer, and the framer copies whole lines out of it: 1.5 µs a datagram of 100 bytes
    in bursts of 8, most of it the kernel's. An object of its own for each, allocated large enough for any, costs
    as much at best, and 14 µs when its memory goes back to the kernel each time (measured).
    """

    __slots__ = ("buffer", "max_line_bytes", "size", "truncated", "view")

    def __init__(self, max_line_bytes: int) -> None:
        self.max_line_bytes = max_line_bytes
        self.buffer = bytearray(READ_BYTES + MAX_DATAGRAM_BYTES + 1)
        self.view = memoryview(self.buffer)
        self.size = 0
        """How many bytes of the buffer are filled: whole lines."""
        self.truncated = 0
        """How many lines the kernel cut, beyond those that the limit cuts anyway."""

    def receive(self, receiver: socket.socket) -> int:
        """Receive what waits, and return how many datagrams that were.

        It ends after `READ_BYTES`, so that a fast sender is no endless burst. A datagram's own last line
        feed ends its last line, and does not begin an empty one. An empty datagram holds no line.
        """
        buffer, view, receive_into = self.buffer, self.view, receiver.recv_into
        count = size = self.truncated = 0
        with suppress(BlockingIOError):
            while size + count < READ_BYTES:
                length = receive_into(view[size:], MAX_DATAGRAM_BYTES, socket.MSG_TRUNC)
                count += 1
                if length > MAX_DATAGRAM_BYTES:
                    length = MAX_DATAGRAM_BYTES
                    self.note_loss(size, size + length)
                size += length
                if length and buffer[size - 1] != LINE_FEED:
                    buffer[size] = LINE_FEED
                    size += 1
        self.size = size
        return count

    def note_loss(self, start: int, end: int) -> None:
        """Count that the rest of the datagram in `buffer[start:end]` was lost, unless the framer will."""
        last_line = self.buffer.rfind(b"\n", start, end) + 1 or start
        self.truncated += end - last_line <= self.max_line_bytes
