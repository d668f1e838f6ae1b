"""Connections to a destination, made so that neither a resolver nor a peer that is gone holds anything up."""

from __future__ import annotations

import errno
import os
import socket
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, TypeAlias

import trio

from pipeline.errors import PushError
from pipeline.setting_checks import split_place

Resolved: TypeAlias = tuple[socket.AddressFamily, tuple[str | int, ...]]

DISCARDED_BYTES = 64 * 1024
MAX_READS = 16
MAX_MILLISECONDS = 2**31 - 1

RETRY_SECONDS = 0.05
"""How long a unix socket is left alone whose queue of connections is full."""


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


class StreamConnection(ABC):
    """One connection that is kept from push to push, and made again when the peer has closed it."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None

    async def connect(self) -> None:
        """Have a connection whose peer has not closed it."""
        if self.socket is not None and is_closed(self.socket):
            self.disconnect()
        if self.socket is None:
            self.socket = await self.open()

    @abstractmethod
    async def open(self) -> socket.socket:
        """Return a new connection. Raises `OSError`."""

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the kernel."""
        sending = self.use()
        rest = memoryview(data)
        while rest:
            rest = rest[await sending.send(rest) :]

    async def receive(self, size: int) -> bytes:
        """Return what the peer has said, `size` bytes at most; nothing when it has hung up."""
        return await self.use().recv(size)

    def use(self) -> trio.socket.SocketType:
        """Return the connection, which must be there."""
        if self.socket is None:
            raise PushError("there is no connection")
        return trio.socket.from_stdlib_socket(self.socket)

    def disconnect(self) -> None:
        """Close the connection. What has been handed to the kernel still goes out."""
        close(self.socket)
        self.socket = None


class TcpConnection(StreamConnection):
    """A connection over TCP."""

    def __init__(self, host: str, port: int, deadline_seconds: float) -> None:
        super().__init__()
        self.resolver = Resolver(host, port, socket.SOCK_STREAM)
        self.deadline_seconds = deadline_seconds

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


class UnixConnection(StreamConnection):
    """A connection to a unix stream socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    async def open(self) -> socket.socket:
        """Return a new connection. One that has no room for it is asked again until the schedule ends that."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            while True:
                try:
                    made.connect(os.fspath(self.path))
                except BlockingIOError:  # its queue is full, and nothing tells when it is not
                    await trio.sleep(RETRY_SECONDS)
                else:
                    await trio.lowlevel.checkpoint()
                    return made
        except BaseException:
            made.close()
            raise


class DatagramConnection:
    """Sends UDP datagrams to one address of a host. What the network makes of them nobody tells.

    But that nobody listens there is told: on this host at once, and then another address of the host is asked; by
    other hosts later, and then what is sent next fails.
    """

    def __init__(self, host: str, port: int) -> None:
        self.resolver = Resolver(host, port, socket.SOCK_DGRAM)
        self.socket: socket.socket | None = None
        self.used: Resolved | None = None
        self.untried: list[Resolved] = []
        """Addresses of the host that come after the one that is used."""

    async def connect(self) -> None:
        """Have a socket for an address that the host has now."""
        if self.socket is not None:
            check_arrival(self.socket)
        found = await self.resolver.resolve()
        if self.socket is None or self.used not in found:
            self.untried = found
            self.move_on(OSError(errno.EADDRNOTAVAIL, "the host has no address"))

    def move_on(self, failure: OSError) -> None:
        """Use the next address that can be; raise `failure`, or the last one that there was, if there is none."""
        self.disconnect()
        while self.untried:
            self.used, *self.untried = self.untried
            family, address = self.used
            try:
                made = socket.socket(family, socket.SOCK_DGRAM)
            except OSError as error:  # systemd forbids the family, or the kernel has none
                failure = error
                continue
            made.setblocking(False)
            try:
                made.connect(address)
            except OSError as error:  # no way leads there
                made.close()
                failure = error
            else:
                self.socket = made
                return
        raise failure

    async def send(self, data: bytes) -> None:
        """Send a datagram."""
        while True:
            if self.socket is None:
                raise PushError("there is no connection")
            try:
                await trio.socket.from_stdlib_socket(self.socket).send(data)
                check_arrival(self.socket)
            except ConnectionRefusedError as error:
                self.move_on(error)
            else:
                return

    def disconnect(self) -> None:
        """Close the socket."""
        close(self.socket)
        self.socket = None


def check_arrival(used: socket.socket) -> None:
    """Raise `OSError` when it is known that a datagram did not arrive."""
    number = used.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def close(used: socket.socket | None) -> None:
    """Close a socket that a task of Trio may have waited for."""
    if used is not None:
        trio.lowlevel.notify_closing(used)
        used.close()


def make_stream_connection(name: str, text: str, deadline_seconds: float) -> StreamConnection:
    """Return the way to what `text` names, `HOST:PORT` or `unix://PATH`; `SettingError` if it names nothing."""
    place = split_place(name, text)
    return UnixConnection(place) if isinstance(place, Path) else TcpConnection(*place, deadline_seconds)


def spell_place(name: str, text: str) -> str:
    """Return what `text` names as people write it."""
    place = split_place(name, text)
    return str(place) if isinstance(place, Path) else spell_address(*place)


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
