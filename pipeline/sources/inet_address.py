"""Where a TCP or UDP socket is: `HOST:PORT` as an operator writes it.

The host may be a name, an address, or nothing for all addresses. A name is resolved once, at the start: a source
that is opened again after a failure waits for no name server.
"""

from __future__ import annotations

import errno
import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias, cast

from pipeline.errors import SettingError, describe_os_error
from pipeline.unix_socket import LISTEN_BACKLOG, BoundSocket

Ip: TypeAlias = IPv4Address | IPv6Address
SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]

HOST_AND_PORT = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
MAX_PORT = 65535

NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""A name may stand for an address that this machine does not have, such as ::1 where there is no IPv6."""


class InetAddress:
    """`spec` is what the operator wrote, from the scheme on; raises `SettingError` if it is no address."""

    def __init__(self, spec: str) -> None:
        self.spec = spec
        found = HOST_AND_PORT.fullmatch(spec.partition("://")[2])
        if found is None:
            raise SettingError(f"The source {spec!r} names no host and port: write HOST:PORT, [IPV6]:PORT or :PORT.")
        self.host: str = found["bracketed"] or found["host"] or ""
        self.port = int(found["port"])
        # With port 0 the system would choose one, which no writer could know.
        if not 0 < self.port <= MAX_PORT:
            raise SettingError(f"The source {spec!r} names no port from 1 to {MAX_PORT}.")
        self.resolved: list[SocketAddress] = []

    @property
    def addresses(self) -> list[SocketAddress]:
        """What the host stands for; raises `SettingError`."""
        if not self.resolved:
            self.resolved = self.resolve()
        return self.resolved

    def resolve(self) -> list[SocketAddress]:
        """Ask the resolver. No host means all: `::`, which takes IPv4 too, where there is IPv6."""
        if not self.host:
            return [("::" if socket.has_dualstack_ipv6() else "0.0.0.0", self.port)]  # noqa: S104 - it was asked for
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise self.describe(error) from error
        return list(dict.fromkeys(cast("SocketAddress", address) for *_, address in found))

    def bind(self, kind: socket.SocketKind) -> list[BoundSocket]:
        """Return a non-blocking socket for each address, bound; a stream socket listens. Raises `SettingError`."""
        bound: list[BoundSocket] = []
        missing = None
        for address in self.addresses:
            try:
                bound.append(BoundSocket(bind_inet_socket(address, kind)))
            except OSError as error:
                if error.errno not in NOT_HERE:
                    close_all(bound)
                    raise self.describe(error) from error
                missing = error
        if not bound and missing is not None:
            raise self.describe(missing) from missing
        return bound

    def describe(self, error: OSError) -> SettingError:
        """Return why the address cannot be had."""
        if error.errno == errno.EADDRINUSE:
            return SettingError(f"Somebody already listens on {self.spec}.")
        return SettingError(f"{self.spec} cannot be bound: {describe_os_error(error)}.")

    def covers(self, sock: socket.socket) -> bool:
        """Return whether a socket is bound to this address, or to a part of it.

        A connection to a socket that listens on all addresses is bound to the one it was made to.
        """
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        host, port = sock.getsockname()[:2]
        local = parse_ip(host)
        return bool(port == self.port) and any(is_part(local, parse_ip(own[0])) for own in self.addresses)


def parse_ip(host: str) -> Ip:
    """Return an address without its zone; one of IPv4 that is written as IPv6 as that of IPv4."""
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_part(local: Ip, own: Ip) -> bool:
    """Return whether `local` is `own`, or one of all that `own` stands for: `::` takes IPv4 too."""
    return local == own or (own.is_unspecified and (own.version == 6 or local.version == 4))


def bind_inet_socket(address: SocketAddress, kind: socket.SocketKind) -> socket.socket:
    """Return a non-blocking socket that is bound there, and listens if it is a stream socket."""
    bound = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind)
    try:
        bound.setblocking(False)
        if address[0] == "::":
            # All addresses, whatever net.ipv6.bindv6only says.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, False)
        if kind is socket.SOCK_STREAM:
            # Connections of the last run may linger in TIME_WAIT; they would keep us from the port.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        bound.bind(address)
        if kind is socket.SOCK_STREAM:
            bound.listen(LISTEN_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def close_all(bound: list[BoundSocket]) -> None:
    for one in bound:
        one.close()
