"""UDP, on the addresses that an operator names and on no others.

When its buffer is full the kernel drops what comes, and counts it: a sender never waits. So the buffer's size is
a setting.
"""

from __future__ import annotations

import logging
import socket

from pipeline.settings import SourceSettings
from pipeline.sources.datagram import DatagramSource
from pipeline.sources.inet_address import InetAddress
from pipeline.sources.surroundings import Surroundings
from pipeline.unix_socket import BoundSocket

logger = logging.getLogger(__name__)

SO_RCVBUFFORCE = 33
"""Sets the receive buffer beyond net.core.rmem_max, for root (socket(7)); Python has no name for it."""


class UdpSource(DatagramSource):
    """Receives on one address, or on each of those that a name stands for."""

    def __init__(
        self, address: InetAddress, settings: SourceSettings, surroundings: Surroundings | None = None
    ) -> None:
        super().__init__(address.spec, settings, surroundings)
        self.address = address

    def bind(self) -> list[BoundSocket]:
        return self.address.bind(socket.SOCK_DGRAM)

    def is_ours(self, sock: socket.socket) -> bool:
        return sock.type == socket.SOCK_DGRAM and self.address.covers(sock)

    def tune(self, sock: socket.socket) -> None:
        """Make the kernel's buffer hold what the flag says, or as much as it lets us; 0 leaves it alone."""
        wanted = self.settings.receive_buffer_bytes
        if not wanted:
            return
        given = widen_buffer(sock, wanted)
        if given < wanted:
            logger.warning(
                "%s: the kernel gives %d bytes for what waits, not %d. It gives more once net.core.rmem_max is raised.",
                self.name,
                given,
                wanted,
            )


def widen_buffer(sock: socket.socket, size: int) -> int:
    """Ask the kernel for a receive buffer; return how many bytes it gives."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    # It doubles what it is asked for, as room for its own notes, and tells the double (socket(7)).
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
