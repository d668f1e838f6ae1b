"""Ports of the loopback address for tests."""

from __future__ import annotations

import random
import socket

PORTS = range(20_000, 32_768)
"""Below those that the kernel gives to whoever asks for any (ip(7), ip_local_port_range): these nobody has by chance
before the test has bound them."""

DICE = random.SystemRandom()
"""Each process of pytest-xdist has another turn, however a plugin has seeded the rest."""


def find_port() -> int:
    """Return a port that nobody has, neither of TCP nor of UDP, on any address."""
    while True:
        port = DICE.choice(PORTS)
        with socket.socket() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
            try:
                server.bind(("", port))
                server.listen()
                other.bind(("", port))
            except OSError:
                continue
            return port
