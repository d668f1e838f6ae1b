"""Connections to a destination, made so that neither a resolver nor a peer that is gone holds anything up."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, TypeAlias

import trio

from pipeline.errors import PushError

Resolved: TypeAlias = tuple[socket.AddressFamily, tuple[str | int, ...]]

DISCARDED_BYTES = 64 * 1024
MAX_READS = 16
MAX_MILLISECONDS = 2**31 - 1


class Resolver:
    """Asks for the addresses of one host.

    A name server that does not answer keeps a thread waiting for it. When the time for that is over the thread is left
    behind, and there is no second one before it has ended.
    """

    def __init__(self, host: str, port: int, kind: socket.SocketKind) -> None:
        self.host = host
        self.port = port
        self.kind = kind
        self.limiter = trio.CapacityLimiter(1)

    async def resolve(self) -> list[Resolved]:
        """Return the addresses in the order in which to try them. Raises `OSError`."""
        found = await trio.to_thread.run_sync(self.ask, abandon_on_cancel=True, limiter=self.limiter)
        return list(dict.fromkeys((family, address) for family, *_, address in found))

    def ask(self) -> list[tuple[Any, ...]]:
        """Ask the resolver of the system, which may take as long as it likes."""
        try:
            return socket.getaddrinfo(self.host, self.port, type=self.kind)
        except UnicodeError as error:  # of a host that cannot be a name
            raise PushError("the host has no valid name") from error


class TcpConnection:
    """One TCP connection that is kept from push to push, and made again when the peer has closed it."""

    def __init__(self, host: str, port: int, deadline_seconds: float) -> None:
        self.resolver = Resolver(host, port, socket.SOCK_STREAM)
        self.deadline_seconds = deadline_seconds
        self.socket: socket.socket | None = None

    async def connect(self) -> None:
        """Have a connection whose peer has not closed it."""
        if self.socket is not None and is_closed(self.socket):
            self.disconnect()
        if self.socket is None:
            self.socket = await self.open()

    async def open(self) -> socket.socket:
        """Return a new connection, to the first address that takes one. Each has an equal share of the time."""
        failure: OSError = OSError(errno.EADDRNOTAVAIL, "the host has no address")
        found = await self.resolver.resolve()
        for family, address in found:
            made = socket.socket(family, socket.SOCK_STREAM)
            made.setblocking(False)
            # A peer that is gone without a word acknowledges nothing: the kernel gives it up, so that it is noticed.
            patience = min(max(round(self.deadline_seconds * 1000), 1), MAX_MILLISECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
            try:
                with trio.fail_after(self.deadline_seconds / len(found)):
                    await trio.socket.from_stdlib_socket(made).connect(address)
                return made
            except trio.TooSlowError:
                made.close()
                failure = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            except OSError as error:
                made.close()
                failure = error if error.errno is None else OSError(error.errno, os.strerror(error.errno))
            except BaseException:
                made.close()
                raise
        raise failure

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the kernel."""
        if self.socket is None:
            raise PushError("there is no connection")
        sending = trio.socket.from_stdlib_socket(self.socket)
        rest = memoryview(data)
        while rest:
            rest = rest[await sending.send(rest) :]

    def disconnect(self) -> None:
        """Close the connection. What has been handed to the kernel still goes out."""
        if self.socket is not None:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
            self.socket = None


def spell_address(host: str, port: int) -> str:
    """Return an address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_closed(connection: socket.socket) -> bool:
    """Return whether the peer has closed `connection`. Some of what it has said instead is thrown away."""
    try:
        # What it has said stands before its end. One that talks on and on has not closed.
        return any(not connection.recv(DISCARDED_BYTES) for _ in range(MAX_READS))
    except BlockingIOError:
        return False
    except OSError:
        return True
