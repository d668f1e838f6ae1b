"""Binds a unix socket: with its mode and group from the first moment, and never over a living one."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingError, describe_os_error

DEFAULT_MODE = 0o660
"""Its owner and its group may connect, a stranger may not."""

LISTEN_BACKLOG = 128

KEEP_GROUP = -1

MAX_GROUP = 2**32 - 2
"""The largest number of a group; the one above it is `KEEP_GROUP`."""


@dataclass(frozen=True, slots=True)
class BoundSocket:
    """A non-blocking socket and the file it is bound to."""

    socket: socket.socket
    path: Path
    identity: tuple[int, int]

    def unlink(self) -> None:
        """Remove the socket's file, unless it is no longer ours."""
        with suppress(FileNotFoundError):
            if identify(self.path.lstat()) == self.identity:
                self.path.unlink()

    def close(self) -> None:
        """Remove the file and close the socket."""
        self.unlink()
        self.socket.close()


def bind_unix_socket(
    path: Path, kind: socket.SocketKind, *, mode: int = DEFAULT_MODE, group: int = KEEP_GROUP
) -> BoundSocket:
    """Bind (a stream socket: listen too); raises `SettingError` when that cannot be.

    A socket file that nobody answers on any more is replaced.
    """
    bound = socket.socket(socket.AF_UNIX, kind)
    try:
        bound.setblocking(False)
        with lock_folder(path.parent):
            remove_stale(path, kind)
            name_socket(bound, path, mode, group)
            if kind is socket.SOCK_STREAM:
                bound.listen(LISTEN_BACKLOG)
            return BoundSocket(bound, path, identify(path.lstat()))
    except OSError as error:
        bound.close()
        raise SettingError(f"The socket {path} cannot be made: {describe_os_error(error)}.") from error
    except SettingError:
        bound.close()
        raise


def name_socket(bound: socket.socket, path: Path, mode: int, group: int) -> None:
    """Bind to `path`; at no time may anybody connect whom `mode` and `group` keep out.

    Linux gives the file the mode that the socket has when it is bound, less the umask: at first
    the owner's part only, until the group is right. When that fails the file is removed.
    """
    os.fchmod(bound.fileno(), mode & 0o700)
    bound.bind(os.fspath(path))
    try:
        if group != KEEP_GROUP:
            os.chown(path, -1, group)
        path.chmod(mode)
    except OSError:
        path.unlink()
        raise


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other instances from replacing the same stale socket at the same time."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_stale(path: Path, kind: socket.SocketKind) -> None:
    """Remove a socket file that nobody answers on; raises `SettingError` for anything else that is there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise SettingError(f"{path} exists and is not a socket.")
    if is_served(path, kind):
        raise SettingError(f"Somebody already serves the socket {path}.")
    path.unlink()


def is_served(path: Path, kind: socket.SocketKind) -> bool:
    """Return whether a process holds the socket at `path`."""
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return False
        except OSError as error:
            # A full backlog, or a socket of the other kind: somebody is there.
            if error.errno in (errno.EAGAIN, errno.EPROTOTYPE):
                return True
            raise
    return True


def find_group(name: str) -> int:
    """Return the number of a group given by name or number; `KEEP_GROUP` for an empty name."""
    if not name:
        return KEEP_GROUP
    if name.isdecimal() and int(name) <= MAX_GROUP:
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise SettingError(f"There is no group {name!r} for the socket.") from error


def identify(status: os.stat_result) -> tuple[int, int]:
    """Return what tells one file from another of the same name."""
    return status.st_dev, status.st_ino
