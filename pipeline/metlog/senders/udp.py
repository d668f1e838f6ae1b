"""Messages as datagrams over UDP, to one host or several. Nobody is told whether they arrive."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from pipeline.metlog.senders.byte_sender import ByteSender
from pipeline.metlog.senders.patience import TIMEOUT_SECONDS
from pipeline.metlog.senders.resolution import Host, HostAddress
from pipeline.metlog.senders.sender import SenderError, close_socket

# What UDP has room for over IPv4: 65,535 less the headers.
MAX_BYTES = 65_507


class UdpSender(ByteSender):
    """Sends each message to every host. The last port is that of all further hosts.

    A message counts as sent when the system has taken it for all of them.
    """

    def __init__(
        self,
        host: str | Sequence[str],
        port: int | str | Sequence[int | str],
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        self.hosts = pair_hosts(host, port)
        self.sockets: dict[socket.AddressFamily, socket.socket] = {}

    def transmit(self, data: bytes) -> bool:
        """Send a datagram to each host; raises what was wrong with the last one that did not get it."""
        failure = None
        for host in self.hosts:
            try:
                self.send_datagram(host.find_address(), data)
            except OSError as error:
                failure = error
        if failure is not None:
            raise failure
        return True

    def send_datagram(self, target: HostAddress, data: bytes) -> None:
        """Send one datagram, and wait a moment for room if there is none."""
        family, address = target
        sock = self.sockets.get(family) or self.add_socket(family)
        try:
            sock.sendto(data, address)
        except BlockingIOError:
            if not self.patience.wait(sock.fileno(), self.patience.find_deadline()):
                raise BlockingIOError(errno.EAGAIN, "The socket's buffer is full") from None
            sock.sendto(data, address)

    def add_socket(self, family: socket.AddressFamily) -> socket.socket:
        """Return a new socket, which is kept for all hosts of a family. Connected, it would tell one of another."""
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        self.sockets[family] = sock
        return sock

    def let_go(self) -> None:
        """Close the sockets."""
        while self.sockets:
            close_socket(self.sockets.popitem()[1])


def pair_hosts(host: str | Sequence[str], port: int | str | Sequence[int | str]) -> list[Host]:
    """Return the hosts, each with its port; raises `SenderError`."""
    hosts = [host] if isinstance(host, str) else list(host)
    try:
        ports = [int(port)] if isinstance(port, int | str) else [int(one) for one in port]
    except ValueError:
        raise SenderError(f"A port is a number, not {port!r}.") from None
    if not hosts or not ports or len(ports) > len(hosts):
        raise SenderError("UDP needs at least one host and one port, and no more ports than hosts.")
    ports += ports[-1:] * (len(hosts) - len(ports))
    return [Host(name, number) for name, number in zip(hosts, ports, strict=True)]
