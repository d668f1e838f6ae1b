"""Binding a unix socket: who may connect, and what is never replaced."""

from __future__ import annotations

import grp
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.ownership import KEEP, Ownership, find_group, find_owner
from pipeline.unix_socket import BoundSocket, bind_unix_socket


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A path short enough for a socket; the folder's own name may be too long."""
    old = Path.cwd()
    os.chdir(tmp_path)
    yield Path("s.sock")
    os.chdir(old)


def bind(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM, **limits: int) -> BoundSocket:
    """Bind, and let go of the socket; its file stays."""
    return bind_unix_socket(path, kind, Ownership(**limits))


def refuse(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> str:
    """Return why binding is refused."""
    with pytest.raises(SettingError) as caught:
        bind_unix_socket(path, kind)
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o660, 0o600, 0o666, 0o777])
def test_mode_is_what_was_asked_whatever_the_umask(path: Path, mode: int) -> None:
    """The umask neither takes nor gives anything."""
    for mask in (0o077, 0o000):
        old = os.umask(mask)
        try:
            bound = bind(path, mode=mode)
        finally:
            os.umask(old)
        assert path.stat().st_mode & 0o777 == mode
        bound.close()


def test_nobody_else_may_connect_before_the_group_is_set(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then the file has the owner's permissions only."""
    modes = []
    chown = os.chown
    monkeypatch.setattr(os, "chown", lambda *_: modes.append(path.stat().st_mode & 0o777))
    old = os.umask(0)
    try:
        bind(path, mode=0o666, group=os.getgid()).close()
    finally:
        os.umask(old)
        monkeypatch.setattr(os, "chown", chown)
    assert modes == [0o600]


def test_socket_gets_its_group(path: Path) -> None:
    """Given by name or by number."""
    group = grp.getgrgid(os.getgid())
    bound = bind(path, group=find_group(group.gr_name))
    assert path.stat().st_gid == group.gr_gid
    bound.close()
    assert find_group(str(group.gr_gid)) == group.gr_gid
    assert find_group("") == KEEP


def test_owner_is_given_by_name_or_number() -> None:
    """As the group is."""
    assert (find_owner("root"), find_owner("7"), find_owner("")) == (0, 7, KEEP)
    with pytest.raises(SettingError) as caught:
        find_owner("no-such-user")
    assert str(caught.value) == "There is no user 'no-such-user'."


@pytest.mark.parametrize("name", ["no-such-group", "4294967295"])
def test_unknown_group_is_refused(name: str) -> None:
    """One sentence says which."""
    with pytest.raises(SettingError) as caught:
        find_group(name)
    assert str(caught.value) == f"There is no group '{name}'."


def test_group_that_cannot_be_set_leaves_no_socket(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket with the wrong group would be there for nobody, or for the wrong ones."""

    def refuse_change(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse_change)
    with pytest.raises(SettingError) as caught:
        bind(path, group=os.getgid())
    assert str(caught.value) == "The socket s.sock cannot be made: operation not permitted."
    assert not path.exists()


def test_stale_socket_is_replaced(path: Path) -> None:
    """A daemon that was killed leaves one behind."""
    bind(path).socket.close()
    assert path.is_socket()
    bound = bind(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    bound.close()
    assert not path.exists()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_served_socket_is_refused(path: Path, kind: socket.SocketKind) -> None:
    """Also by a socket of the other kind."""
    bound = bind(path, kind)
    for other in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        assert refuse(path, other) == f"Somebody already serves the socket {path}."
    bound.close()


def test_served_socket_with_a_full_queue_is_refused(path: Path) -> None:
    """Nobody answers at once, but somebody is there."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            assert refuse(path) == f"Somebody already serves the socket {path}."


def test_datagram_socket_that_hears_one_peer_only_is_refused(path: Path) -> None:
    """Linux says then that the connection is not permitted."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        server.connect(str(path))
        assert refuse(path) == f"Somebody already serves the socket {path}."


def test_anything_else_at_the_path_is_refused(path: Path) -> None:
    """A file is never removed."""
    path.write_text("data")
    assert refuse(path) == "s.sock exists and is not a socket."
    assert path.read_text() == "data"


def test_missing_folder_is_refused(path: Path) -> None:
    """It is not made."""
    assert refuse(Path("missing/s.sock")) == "The socket missing/s.sock cannot be made: no such file or directory."


def test_path_too_long_is_refused(path: Path) -> None:
    """Linux allows 107 bytes."""
    long = Path("x" * 108)
    assert refuse(long) == f"The socket {long} cannot be made: AF_UNIX path too long."


def test_socket_that_cannot_be_tried_is_refused(path: Path) -> None:
    """Its full path is too long to connect to."""
    folder = Path("x" * 100)
    folder.mkdir()
    os.chdir(folder)
    bound = bind(path)
    long = Path.cwd() / path
    assert refuse(long) == f"The socket {long} cannot be made: AF_UNIX path too long."
    bound.close()


def test_path_that_cannot_be_followed_is_refused(path: Path) -> None:
    """A loop of links cannot be followed."""
    path.symlink_to(path)
    assert refuse(path / "s") == "The socket s.sock/s cannot be made: too many levels of symbolic links."


def test_file_of_another_is_not_removed(path: Path) -> None:
    """Somebody removed ours and bound there."""
    ours = bind(path)
    path.unlink()
    theirs = bind(path)
    ours.close()
    assert path.is_socket()
    theirs.close()
    theirs.unlink()
