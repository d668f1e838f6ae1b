"""Addresses of hosts. Names are looked up when a sender is made, and never while a message is sent."""

from __future__ import annotations

import socket
import threading
import time
from typing import TypeAlias

from pipeline.metlog.senders.sender import SenderError

HostAddress: TypeAlias = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]

RETRY_SECONDS = 10.0
"""So often a name that is unknown is looked up again."""

MAX_PORT = 65535


class Host:
    """A host and a port. While its name is unknown, a thread of its own looks it up again now and then."""

    def __init__(self, host: str, port: int) -> None:
        if not host or "\0" in host or not 0 < port <= MAX_PORT:
            raise SenderError(f"A receiver has a host, and a port from 1 to {MAX_PORT}: not {host!r} and {port!r}.")
        self.host = host
        self.port = port
        self.next_try = 0.0
        self.address: HostAddress | None = None
        self.resolve()

    def resolve(self) -> None:
        """Ask the resolver, which may take its time."""
        self.next_try = time.monotonic() + RETRY_SECONDS
        try:
            family, _, _, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError):
            return
        assert isinstance(address[0], str)
        self.address = family, address

    def find_address(self) -> HostAddress:
        """Return the address; raises `OSError` while it is unknown, and has it looked up again."""
        if self.address is None:
            if time.monotonic() >= self.next_try:
                self.next_try = time.monotonic() + RETRY_SECONDS
                threading.Thread(target=self.resolve, daemon=True, name=f"resolve {self.host}").start()
            raise ConnectionRefusedError(111, f"The name {self.host} is unknown")
        return self.address
