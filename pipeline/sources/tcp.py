"""TCP, on the addresses that an operator names and on no others."""

from __future__ import annotations

import socket

from pipeline.settings import SourceSettings
from pipeline.sources.inet_address import InetAddress
from pipeline.sources.stream import StreamSource
from pipeline.sources.surroundings import Surroundings
from pipeline.unix_socket import BoundSocket

KEEPALIVE_SECONDS = 300
"""A peer that says nothing for so long is asked whether it is there. Linux would wait two hours (tcp(7)), and a
machine that lost its power would keep its place among the connections until then."""


class TcpSource(StreamSource):
    """Listens on one address, or on each of those that a name stands for."""

    def __init__(
        self, address: InetAddress, settings: SourceSettings, surroundings: Surroundings | None = None
    ) -> None:
        super().__init__(address.spec, settings, surroundings)
        self.address = address
        self.idle_seconds = settings.idle_timeout_seconds

    def bind(self) -> list[BoundSocket]:
        return self.address.bind(socket.SOCK_STREAM)

    def is_ours(self, sock: socket.socket) -> bool:
        return sock.type == socket.SOCK_STREAM and self.address.covers(sock)

    def tune(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
