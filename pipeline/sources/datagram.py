"""A datagram socket, of whatever address, drained in bursts: one batch for all datagrams that wait."""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import suppress

import trio

from pipeline.batch import Deliver, Rest
from pipeline.sources.intake import MAX_DRAIN_BYTES, READ_BYTES, Intake
from pipeline.sources.socket_source import SocketSource
from pipeline.sources.waiting import yield_after
from pipeline.unix_socket import BoundSocket

LINE_FEED = ord("\n")
NUL = 0

MAX_DATAGRAM_BYTES = 1024 * 1024
"""Longer ones are cut by the kernel, and counted. By default it lets nobody send more than 208 KiB."""

SO_MEMINFO = 55
"""What the kernel says about a socket: numbers of 32 bits (asm-generic/socket.h)."""

MEMINFO = struct.Struct("9I")
MEMINFO_DROPS = 8
"""Where among them the dropped datagrams are (linux/sock_diag.h, SK_MEMINFO_DROPS)."""


class DatagramSource(SocketSource):
    """Receives on the sockets of one address."""

    def prepare(self) -> None:
        self.open(self.is_ours)

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        assert self.sockets, "prepare() comes first"
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                for receiver in self.sockets:
                    nursery.start_soon(self.receive, receiver, deliver)
        finally:
            self.close()

    async def receive(self, receiver: BoundSocket, deliver: Deliver) -> None:
        """Deliver what comes to one socket, until cancelled; then what waits there."""
        sock = receiver.socket
        intake = self.make_intake(deliver)
        burst = Burst(self.settings.max_line_bytes)
        rest = self.surroundings.descriptors.rest_of(sock.fileno())
        intake.resume(rest)
        intake.follow(sock.fileno())
        drops = Drops(sock, rest)
        try:
            while True:
                await trio.lowlevel.wait_readable(sock)
                burst.receive(sock)
                self.pass_on(burst, intake, drops)
                await yield_after(burst.size)
        except trio.Cancelled:
            self.end(receiver)
            remaining = MAX_DRAIN_BYTES
            while remaining > 0 and self.surroundings.may_drain() and (count := burst.receive(sock)):
                self.pass_on(burst, intake, drops)
                remaining -= burst.size + count
            if self.surroundings.descriptors.leave(sock.fileno(), intake.begun._replace(drops=drops.known)):
                intake.forget()
            else:
                intake.finish()
            raise
        except OSError:
            intake.end_records()
            raise

    def end(self, receiver: BoundSocket) -> None:
        """Let nobody send to a socket any more, unless it is left to the next run."""
        if not self.is_kept(receiver):
            receiver.unlink()
            with suppress(OSError):  # a UDP socket that is connected to nobody cannot be shut down
                receiver.socket.shutdown(socket.SHUT_RD)

    def pass_on(self, burst: Burst, intake: Intake, drops: Drops) -> None:
        """Deliver what the burst holds, and count what was dropped up to its end.

        What is dropped later is counted too: there are datagrams to receive then, or none would be dropped.
        """
        self.counts.arrivals += 1
        self.counts.bytes_read += burst.bytes_read
        self.counts.lines_truncated += burst.truncated
        self.counts.datagrams_dropped += drops.count()
        intake.feed(burst.buffer, burst.size)


class Drops:
    """How many datagrams the kernel has dropped at one socket because its buffer was full.

    `rest` tells how many of them the last run has counted. A system that does not tell (Linux before 4.12) has none.
    """

    def __init__(self, sock: socket.socket, rest: Rest | None = None) -> None:
        self.sock = sock
        self.known = rest.drops if rest is not None else 0
        self.is_told = True
        """Whether the system tells how many."""

    def count(self) -> int:
        """Return how many were dropped since the last call."""
        if not self.is_told:
            return 0
        try:
            told = self.sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
            self.is_told = False
            return 0
        total: int = MEMINFO.unpack(told)[MEMINFO_DROPS]
        new, self.known = (total - self.known) % 2**32, total
        return new


class Burst:
    """The datagrams that waited when `receive` was called, as one stream in which the end of each ends a line.

    All are received into one buffer, and the framer copies whole lines out of it: 1.5 µs a datagram of 100 bytes
    in bursts of 8, most of it the kernel's. An object of its own for each, allocated large enough for any, costs
    as much at best, and 14 µs when its memory goes back to the kernel each time (measured).
    """

    __slots__ = ("buffer", "bytes_read", "max_line_bytes", "size", "truncated", "view")

    def __init__(self, max_line_bytes: int) -> None:
        self.max_line_bytes = max_line_bytes
        self.buffer = bytearray(READ_BYTES + MAX_DATAGRAM_BYTES + 1)
        self.view = memoryview(self.buffer)
        self.size = 0
        """How many bytes of the buffer are filled: whole lines."""
        self.bytes_read = 0
        """How many of them came in datagrams."""
        self.truncated = 0
        """How many lines the kernel cut, beyond those that the limit cuts anyway."""

    def receive(self, receiver: socket.socket) -> int:
        """Receive what waits, and return how many datagrams that were.

        It ends after `READ_BYTES`, so that a fast sender is no endless burst. A datagram's own last line
        feed ends its last line, and does not begin an empty one; a NUL in its place or behind it, as some
        writers add one, goes. An empty datagram holds no line.
        """
        buffer, view, receive_into = self.buffer, self.view, receiver.recv_into
        count = size = read = self.truncated = 0
        with suppress(BlockingIOError):
            while size + count < READ_BYTES:
                length = receive_into(view[size:], MAX_DATAGRAM_BYTES, socket.MSG_TRUNC)
                count += 1
                if length > MAX_DATAGRAM_BYTES:
                    length = MAX_DATAGRAM_BYTES
                    self.note_loss(size, size + length)
                if not length:
                    continue
                read += length
                start = size
                size += length
                if buffer[size - 1] == NUL:
                    size -= 1
                if size > start and buffer[size - 1] != LINE_FEED:
                    buffer[size] = LINE_FEED
                    size += 1
        self.size = size
        self.bytes_read = read
        return count

    def note_loss(self, start: int, end: int) -> None:
        """Count that the rest of the datagram in `buffer[start:end]` was lost, unless the framer will."""
        last_line = self.buffer.rfind(b"\n", start, end) + 1 or start
        self.truncated += end - last_line <= self.max_line_bytes
