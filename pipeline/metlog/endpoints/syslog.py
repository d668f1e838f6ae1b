"""A syslog daemon on this machine, over a unix socket.

`datagram` is what /dev/log is: a message with each datagram, and the kernel tells when the daemon does not keep up.
`stream` writes the length before each message, `lines` a line feed behind it (RFC 6587 section 3.4).
A stream says nothing of what the daemon has read; when it breaks, the batch that was being written is sent again.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import trio

from pipeline.endpoint_settings import FACILITIES, SyslogEndpointSettings
from pipeline.metlog.endpoints.endpoint import EndpointContext
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.queued_endpoint import QueuedEndpoint
from pipeline.metlog.endpoints.reading import read_entry
from pipeline.metlog.endpoints.syslog_message import SyslogForm
from pipeline.pushers import UnixConnection

# Some milliseconds pass with so many that have many fields (measured); then others have their turn.
WRITTEN_AT_ONCE = 32

UNSENDABLE = (errno.EMSGSIZE, errno.EINVAL)


class SyslogEndpoint(QueuedEndpoint):
    """Writes messages in the format of RFC 5424."""

    def __init__(self, name: str, settings: SyslogEndpointSettings, context: EndpointContext) -> None:
        super().__init__(name, str(settings.socket), settings)
        self.form = SyslogForm(FACILITIES.index(settings.facility), settings.enterprise, context.host)
        self.datagrams = DatagramSocket(settings.socket)
        self.stream = UnixConnection(settings.socket)
        self.transport = settings.transport

    async def send(self, entries: Sequence[Entry]) -> None:
        """Write messages and settle them."""
        if self.transport == "datagram":
            await self.send_datagrams(entries)
            return
        frame = frame_octets if self.transport == "stream" else frame_line
        await self.stream.connect()
        frames: list[bytes] = []
        for number, entry in enumerate(entries):
            frames.append(frame(self.write(entry)))
            if number % WRITTEN_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
        await self.stream.send(b"".join(frames))
        self.settle(delivered=len(entries))

    async def send_datagrams(self, entries: Sequence[Entry]) -> None:
        """Write messages one by one. What was taken is settled, also when another is not."""
        delivered = refused = 0
        try:
            self.datagrams.connect()
            for entry in entries:
                try:
                    await self.datagrams.send(self.write(entry))
                except OSError as error:
                    if error.errno not in UNSENDABLE:
                        raise
                    refused += 1
                    self.tell_refusal("it is longer than the socket takes")
                else:
                    delivered += 1
        finally:
            self.settle(delivered, refused)

    def write(self, entry: Entry) -> bytes:
        """Return a message as it is sent."""
        message = read_entry(entry)
        return self.form.write(message.record, message.time)

    async def disconnect(self) -> None:
        """Close the socket."""
        self.datagrams.close()
        self.stream.disconnect()


class DatagramSocket:
    """Sends datagrams to a unix socket, and waits while its queue is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket: socket.socket | None = None

    def connect(self) -> None:
        """Have a socket for who listens there now. Raises `OSError`."""
        if self.socket is None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                made.setblocking(False)
                made.connect(os.fspath(self.path))
            except OSError:
                made.close()
                raise
            self.socket = made

    async def send(self, data: bytes) -> None:
        """Send a datagram. Raises `OSError`."""
        assert self.socket is not None, "connect() comes first"
        await trio.socket.from_stdlib_socket(self.socket).send(data)

    def close(self) -> None:
        """Close the socket."""
        used, self.socket = self.socket, None
        if used is not None:
            trio.lowlevel.notify_closing(used)
            used.close()


def frame_octets(message: bytes) -> bytes:
    """Return a message behind its length."""
    return b"%d %b" % (len(message), message)


def frame_line(message: bytes) -> bytes:
    """Return a message with a line feed; it has no other."""
    return message + b"\n"
