"""Sources by the names of what systemd passes: real pipes and sockets."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.descriptors import PIPE_NAME, Descriptors
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources import Surroundings, parse_items
from pipeline.sources.inherited import resolve_names


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="fds-") as name:
        yield Path(name)


def open_pipe(path: Path) -> int:
    os.mkfifo(path)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def bind(
    family: socket.AddressFamily, kind: socket.SocketKind, address: str | tuple[object, ...], *, listens: bool = False
) -> int:
    """Return the descriptor of a bound socket."""
    bound = socket.socket(family, kind)
    bound.bind(address)
    if listens:
        bound.listen()
    return bound.detach()


def receive(*passed: tuple[int, str]) -> Descriptors:
    return Descriptors.receive(passed, lambda _text, _descriptors: None, stores=False)


def test_name_stands_for_the_address_of_what_is_passed(folder: Path) -> None:
    """Its kind too; other items stay as they are."""
    unix, stream, datagram = socket.AF_UNIX, socket.SOCK_STREAM, socket.SOCK_DGRAM
    tcp = bind(socket.AF_INET, stream, ("127.0.0.1", 0), listens=True)
    udp = bind(socket.AF_INET6, datagram, ("::1", 0))
    ports = [socket.socket(fileno=os.dup(descriptor)) for descriptor in (tcp, udp)]
    numbers = [sock.getsockname()[1] for sock in ports]
    descriptors = receive(
        (open_pipe(folder / "pipe"), "lines"),
        (bind(unix, stream, f"{folder}/stream", listens=True), "lines"),
        (bind(unix, datagram, f"\0{folder.name}"), "abstract"),
        (tcp, "tcp"),
        (udp, "udp"),
    )
    specs = ["/a", "fd://lines", "fd://abstract", "fd://tcp", "fd://udp"]
    assert resolve_names(specs, descriptors) == [
        "/a",
        f"{folder}/pipe",
        f"unix://{folder}/stream",
        f"unixgram://@{folder.name}",
        f"tcp://127.0.0.1:{numbers[0]}",
        f"udp://[::1]:{numbers[1]}",
    ]
    for sock in ports:
        sock.close()
    descriptors.settle()


@pytest.mark.parametrize("name", ["lines", ""])
def test_unknown_name_is_one_sentence(folder: Path, name: str) -> None:
    """It lists what there is; what the last run left goes by no name."""
    descriptors = receive(
        (open_pipe(folder / "a"), "b"), (open_pipe(folder / "b"), "a"), (open_pipe(folder / "c"), PIPE_NAME)
    )
    with pytest.raises(SettingError) as caught:
        resolve_names([f"fd://{name}"], descriptors)
    assert str(caught.value) == f"systemd passes no descriptor named {name!r}; it passes only a, b."
    descriptors.settle()


def test_name_without_systemd_is_one_sentence() -> None:
    """Nothing is passed."""
    with pytest.raises(SettingError) as caught:
        resolve_names(["fd://lines"], Descriptors())
    assert str(caught.value) == "systemd passes no descriptor named 'lines'; it passes nothing."


def test_what_gives_no_lines_is_one_sentence(folder: Path) -> None:
    """A file, a pipe without a name, a connection, a socket of a kind that is not read."""
    file = os.open(folder, os.O_RDONLY)
    pipe, other = os.pipe()
    ours, theirs = socket.socketpair()
    packets = bind(socket.AF_UNIX, socket.SOCK_SEQPACKET, f"{folder}/packets", listens=True)
    netlink = bind(socket.AF_NETLINK, socket.SOCK_RAW, (0, 0))
    for descriptor in (file, pipe, ours.detach(), packets, netlink):
        descriptors = receive((descriptor, "x"))
        with pytest.raises(SettingError) as caught:
            resolve_names(["fd://x"], descriptors)
        assert str(caught.value) == (
            "The descriptor 'x', which systemd passes, is neither a named pipe nor a socket that listens for streams "
            "or receives datagrams."
        )
        descriptors.settle()
    os.close(other)
    theirs.close()


def test_sources_of_a_name_take_what_was_passed(folder: Path) -> None:
    """They are called by their addresses, and bind nothing anew."""
    pipe = open_pipe(folder / "pipe")
    stream = bind(socket.AF_UNIX, socket.SOCK_STREAM, f"{folder}/stream", listens=True)
    surroundings = Surroundings(receive((pipe, "lines"), (stream, "lines")))
    sources = list(parse_items(SourceSettings(logs=("fd://lines",)), surroundings).values())
    for source in sources:
        source.prepare()
    assert [source.name for source in sources] == [f"{folder}/pipe", f"unix://{folder}/stream"]
    assert [list(source.descriptors) for source in sources] == [[pipe], [stream]]
    for source in sources:
        source.close()
