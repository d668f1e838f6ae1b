"""Binds a unix socket: with its mode and group from the first moment, and never over a living one."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingError, describe_os_error
from pipeline.ownership import Ownership

LISTEN_BACKLOG = 1024
"""How many may wait to be accepted: as when all writers of a machine come back at once. Linux makes it
net.core.somaxconn if that is less."""


@dataclass(frozen=True, slots=True)
class BoundSocket:
    """A non-blocking socket, and the file it is bound to if there is one and it is ours."""

    socket: socket.socket
    path: Path | None = None
    identity: tuple[int, int] = (0, 0)

    def unlink(self) -> None:
        """Remove the socket's file, unless it is no longer ours."""
        if self.path is None:
            return
        with suppress(FileNotFoundError):
            if identify(self.path.lstat()) == self.identity:
                self.path.unlink()

    def close(self) -> None:
        """Remove the file and close the socket."""
        self.unlink()
        self.socket.close()


def bind_unix_socket(
    path: Path,
    kind: socket.SocketKind,
    ownership: Ownership = Ownership(),  # noqa: B008 - it is frozen
) -> BoundSocket:
    """Bind (a stream socket: listen too); raises `SettingError` when that cannot be.

    A socket file that nobody answers on any more is replaced.
    """
    bound = socket.socket(socket.AF_UNIX, kind)
    try:
        bound.setblocking(False)
        with lock_folder(path.parent):
            remove_stale(path)
            name_socket(bound, path, ownership)
            if kind is socket.SOCK_STREAM:
                bound.listen(LISTEN_BACKLOG)
            return BoundSocket(bound, path, identify(path.lstat()))
    except OSError as error:
        bound.close()
        raise SettingError(f"The socket {path} cannot be made: {describe_os_error(error)}.") from error
    except SettingError:
        bound.close()
        raise


def name_socket(bound: socket.socket, path: Path, ownership: Ownership) -> None:
    """Bind to `path`; at no time may anybody connect whom `ownership` keeps out.

    Linux gives the file the mode that the socket has when it is bound, less the umask: at first
    the owner's part only, until owner and group are right. When that fails the file is removed.
    """
    os.fchmod(bound.fileno(), ownership.mode & 0o700)
    bound.bind(os.fspath(path))
    ownership.apply(path)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other instances from replacing the same stale socket at the same time."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_stale(path: Path) -> None:
    """Remove a socket file that nobody answers on; raises `SettingError` for anything else that is there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise SettingError(f"{path} exists and is not a socket.")
    if is_served(path):
        raise SettingError(f"Somebody already serves the socket {path}.")
    path.unlink()


def is_served(path: Path) -> bool:
    """Return whether a process holds the socket at `path`, of whatever kind.

    A datagram socket asks: to a stream socket it cannot connect, but is told so only if somebody holds that. A
    stream socket would leave a connection there, which its server would have to serve.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return False
        except OSError as error:
            # A stream socket, or a datagram socket that hears one peer only: somebody is there.
            if error.errno in (errno.EPROTOTYPE, errno.EPERM):
                return True
            raise
    return True


def bind_abstract_socket(name: str, kind: socket.SocketKind) -> BoundSocket:
    """Bind to an abstract name (unix(7)), which has no file and goes with the socket; raises `SettingError`."""
    bound = socket.socket(socket.AF_UNIX, kind)
    try:
        bound.setblocking(False)
        bound.bind(b"\0" + os.fsencode(name))
        if kind is socket.SOCK_STREAM:
            bound.listen(LISTEN_BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingError(f"Somebody already serves the socket @{name}.") from error
        raise SettingError(f"The socket @{name} cannot be made: {describe_os_error(error)}.") from error
    return BoundSocket(bound)


def is_listening_at(sock: socket.socket, address: str | bytes) -> bool:
    """Return whether a socket accepts connections at a path, or an abstract name with its leading NUL."""
    return is_at(sock, socket.SOCK_STREAM, address) and is_listening(sock)


def is_at(sock: socket.socket, kind: socket.SocketKind, address: str | bytes) -> bool:
    """Return whether a unix socket of `kind` has that path or abstract name."""
    return sock.family == socket.AF_UNIX and sock.type == kind and sock.getsockname() == address


def is_listening(sock: socket.socket) -> bool:
    """Return whether a socket accepts connections."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def identify(status: os.stat_result) -> tuple[int, int]:
    """Return what tells one file from another of the same name."""
    return status.st_dev, status.st_ino
