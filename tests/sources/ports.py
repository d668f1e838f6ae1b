"""Ports of the loopback address for tests."""

from __future__ import annotations

import socket


def find_port() -> int:
    """Return a port that nobody has, neither of TCP nor of UDP, on any address."""
    while True:
        with socket.create_server(("", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            port: int = server.getsockname()[1]
            try:
                other.bind(("", port))
            except OSError:
                continue
            return port
