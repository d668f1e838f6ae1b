"""The socket for HTTP that systemd passes or keeps: real sockets."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.descriptors import SOCKET_NAME, Descriptors
from pipeline.server import bind_server
from pipeline.settings import ServerSettings


@pytest.fixture
def path() -> Iterator[Path]:
    """Short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="http-") as name:
        yield Path(name) / "http"


def listen(path: Path) -> int:
    """Return the descriptor of a socket that listens, as systemd makes it."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    return sock.detach()


def say_nothing(_text: str, _descriptors: Sequence[int]) -> None:
    """Where it does not matter what systemd is told."""


def receive(*passed: tuple[int, str]) -> Descriptors:
    return Descriptors.receive(passed, say_nothing, stores=False)


def test_socket_is_found_by_its_path(path: Path) -> None:
    """Whatever it is called. It is not ours to remove."""
    passed = listen(path)
    bound = bind_server(ServerSettings(unix_socket=path), receive((passed, "x.socket")))
    assert bound is not None
    assert bound.socket.fileno() == passed
    bound.close()
    assert path.exists()


def test_socket_is_found_by_its_name(path: Path) -> None:
    """Without `--unix_socket`. Of several one serves; what does not listen is no server's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
        first, second = listen(path), listen(path.with_name("other"))
        descriptors = receive((os.dup(datagram.fileno()), "http"), (first, "http"), (second, "http"))
        bound = bind_server(ServerSettings(), descriptors)
        assert bound is not None
        assert bound.socket.fileno() == first
        bound.close()
        assert [one.name for one in descriptors.inherited] == ["http"]
        descriptors.settle()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(second)


def test_socket_whose_file_is_gone_is_bound_anew(path: Path) -> None:
    """Nobody could find it: systemd removes the folder at a restart unless told otherwise."""
    descriptors = receive((listen(path), f"{SOCKET_NAME}-1-2"))
    path.unlink()
    bound = bind_server(ServerSettings(unix_socket=path), descriptors)
    assert bound is not None
    assert path.is_socket()
    assert len(descriptors.inherited) == 1
    descriptors.settle()
    bound.close()
    assert not path.exists()


def test_socket_that_systemd_keeps_is_left_to_the_next_run(path: Path) -> None:
    """With its file."""
    held: list[int] = []
    descriptors = Descriptors(lambda _text, sent: held.extend(map(os.dup, sent)), stores=True)
    bound = bind_server(ServerSettings(unix_socket=path), descriptors)
    assert bound is not None
    bound.close()
    assert path.is_socket()
    again = bind_server(ServerSettings(unix_socket=path), receive((held[0], f"{SOCKET_NAME}-1-2")))
    assert again is not None
    assert again.socket.fileno() == held[0]
    again.close()


def test_nothing_is_served_where_nothing_is_set_or_passed() -> None:
    """The daemon warns."""
    assert bind_server(ServerSettings(), Descriptors()) is None
