"""A unix stream socket that we listen on."""

from __future__ import annotations

import socket

from pipeline.settings import SourceSettings
from pipeline.sources.stream import StreamSource
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.unix_address import UnixAddress
from pipeline.unix_socket import BoundSocket, is_at


class UnixStreamSource(StreamSource):
    """Listens on one unix stream socket."""

    def __init__(
        self, address: UnixAddress, settings: SourceSettings, surroundings: Surroundings | None = None
    ) -> None:
        super().__init__(f"unix://{address}", settings, surroundings)
        self.address = address

    def bind(self) -> list[BoundSocket]:
        return [self.address.bind(socket.SOCK_STREAM, self.settings)]

    def is_ours(self, sock: socket.socket) -> bool:
        return is_at(sock, socket.SOCK_STREAM, self.address.spelling)

    def is_reachable(self) -> bool:
        return self.address.is_reachable()
