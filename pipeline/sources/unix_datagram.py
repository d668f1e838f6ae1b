"""A unix datagram socket.

Linux charges a unix datagram to its sender, whatever our SO_RCVBUF says, and lets net.unix.max_dgram_qlen of
them wait (10 on Debian, measured); then the sender blocks. So the kernel drops none.
"""

from __future__ import annotations

import socket

from pipeline.settings import SourceSettings
from pipeline.sources.datagram import DatagramSource
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.unix_address import UnixAddress
from pipeline.unix_socket import BoundSocket, is_at


class UnixDatagramSource(DatagramSource):
    """Receives on one unix datagram socket."""

    def __init__(
        self, address: UnixAddress, settings: SourceSettings, surroundings: Surroundings | None = None
    ) -> None:
        super().__init__(f"unixgram://{address}", settings, surroundings)
        self.address = address

    def bind(self) -> list[BoundSocket]:
        return [self.address.bind(socket.SOCK_DGRAM, self.settings)]

    def is_ours(self, sock: socket.socket) -> bool:
        return is_at(sock, socket.SOCK_DGRAM, self.address.spelling)

    def is_reachable(self) -> bool:
        return self.address.is_reachable()
