"""Ports of the loopback address for tests."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator

PORTS = range(20_000, 32_768)
"""Below those that the kernel gives to whoever asks for any (ip(7), ip_local_port_range): these nobody has by chance
before the test has bound them."""

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
OWN = PORTS[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) :: WORKERS]
"""Those of this process alone, among the processes of pytest-xdist."""

BEGINNING = random.SystemRandom().randrange(len(OWN))
"""Other runs on this machine begin elsewhere."""

turns: Iterator[int] = itertools.cycle((*OWN[BEGINNING:], *OWN[:BEGINNING]))


def find_port() -> int:
    """Return a port that nobody has, neither of TCP nor of UDP, on any address, and that no test is given soon after.

    So a daemon that is started late, or comes back, finds it as free as it was.
    """
    for port in turns:
        with socket.socket() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
            try:
                server.bind(("", port))
                server.listen()
                other.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError("the turns have no end")
