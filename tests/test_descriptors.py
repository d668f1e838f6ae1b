"""Descriptors that systemd passes and keeps: real pipes and sockets."""

from __future__ import annotations

import logging
import os
import resource
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.batch import Rest
from pipeline.descriptors import (
    CONNECTION_NAME,
    MAX_RESTS_BYTES,
    PIPE_NAME,
    RESTS_NAME,
    SOCKET_NAME,
    Descriptors,
    identify_descriptor,
    read_rests,
    show_address,
    write_rests,
)


@dataclass(slots=True)
class Told:
    """Notes what systemd would be told. What goes with it is held open, as systemd would."""

    messages: list[str] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    def __call__(self, text: str, descriptors: Sequence[int]) -> None:
        self.messages.append(text)
        self.held.extend(os.dup(descriptor) for descriptor in descriptors)


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    for descriptor in told.held:
        os.close(descriptor)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="fds-") as name:
        yield Path(name)


def open_pipe(path: Path, flags: int = os.O_RDWR) -> int:
    """Make a named pipe unless it is there, and open it as systemd does."""
    if not path.exists():
        os.mkfifo(path)
    return os.open(path, flags | os.O_NONBLOCK)


def bind(path: Path, kind: socket.SocketKind = socket.SOCK_DGRAM) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, kind)
    bound.bind(str(path))
    return bound


def name_kept(kind: str, descriptor: int) -> str:
    """Return what systemd knows a descriptor by that was given to it."""
    return f"{kind}-{identify_descriptor(descriptor).replace(':', '-')}"


def test_pipe_is_found_by_its_inode(folder: Path, told: Told) -> None:
    """Whatever it is called; a pipe at another path is not it."""
    other, ours = open_pipe(folder / "other"), open_pipe(folder / "ours")
    descriptors = Descriptors.receive([(other, "a"), (ours, "b")], told, stores=False)
    assert descriptors.take_pipe(folder / "ours") == ours
    assert descriptors.take_pipe(folder / "ours") is None
    assert descriptors.take_pipe(folder / "none") is None
    assert not os.get_blocking(ours)
    assert not os.get_inheritable(ours)
    os.close(ours)
    assert descriptors.settle() == [f"a ({folder}/other)"]


def test_pipe_that_was_removed_is_found_by_its_path(folder: Path, told: Told) -> None:
    """The kernel remembers where it was; the one that took its place is another."""
    path = folder / "pipe"
    earlier = open_pipe(path)
    path.unlink()
    present = open_pipe(path)
    descriptors = Descriptors.receive([(earlier, "x"), (present, "x")], told, stores=False)
    assert descriptors.take_pipe(path) == present
    assert descriptors.take_earlier_pipes(path) == [earlier]
    os.close(earlier)
    os.close(present)


def test_socket_is_found_by_what_is_asked(folder: Path, told: Told) -> None:
    """Pipes are not asked."""
    pipe, sock = open_pipe(folder / "pipe"), bind(folder / "socket")
    descriptors = Descriptors.receive([(pipe, "a"), (sock.detach(), "b")], told, stores=False)
    assert descriptors.take_sockets(lambda one: one.type == socket.SOCK_STREAM) == []
    [found] = descriptors.take_sockets(lambda one: one.getsockname() == str(folder / "socket"))
    with found:
        assert not found.getblocking()
    assert descriptors.take_sockets(lambda _: True) == []
    descriptors.settle()


def test_what_is_passed_twice_is_held_once(folder: Path, told: Told) -> None:
    """By a unit and from the store: the unit's name stays, and the store lets go."""
    pipe = open_pipe(folder / "pipe")
    kept = name_kept(PIPE_NAME, pipe)
    descriptors = Descriptors.receive([(os.dup(pipe), kept), (pipe, "unit"), (os.dup(pipe), kept)], told, stores=True)
    assert [one.name for one in descriptors.inherited] == ["unit"]
    taken = descriptors.take_pipe(folder / "pipe")
    assert taken is not None
    assert descriptors.store(taken, PIPE_NAME)
    assert told.messages == []
    assert descriptors.settle() == []
    assert told.messages == [f"FDSTOREREMOVE=1\nFDNAME={kept}"]
    assert descriptors.keeps(taken)
    os.close(taken)


def test_what_is_stored_is_named_after_itself(folder: Path, told: Told) -> None:
    """So that systemd, which forgets by name, forgets the right one. It must not watch it: see FDPOLL."""
    pipe = open_pipe(folder / "pipe")
    descriptors = Descriptors(told, stores=True)
    assert not descriptors.keeps(pipe)
    assert descriptors.store(pipe, PIPE_NAME)
    assert descriptors.keeps(pipe)
    descriptors.forget(identify_descriptor(pipe))
    descriptors.forget(identify_descriptor(pipe))
    assert not descriptors.keeps(pipe)
    name = name_kept(PIPE_NAME, pipe)
    assert told.messages == [f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", f"FDSTOREREMOVE=1\nFDNAME={name}"]
    os.close(pipe)


def test_nothing_is_stored_unless_it_is_kept(folder: Path, told: Told) -> None:
    """Without systemd, or without the flag."""
    pipe = open_pipe(folder / "pipe")
    descriptors = Descriptors(told)
    assert not descriptors.store(pipe, PIPE_NAME)
    assert not descriptors.leave(pipe, Rest(b"begun"))
    descriptors.hand_over()
    assert told.messages == []
    os.close(pipe)


def test_socket_of_a_unit_is_kept_but_not_stored(folder: Path, told: Told) -> None:
    """systemd holds it anyway. What was read of a line cannot be left where nothing is stored."""
    pipe = open_pipe(folder / "pipe")
    for stores in (False, True):
        descriptors = Descriptors.receive([(pipe, "unit")], told, stores=stores)
        assert descriptors.store(pipe, PIPE_NAME)
        assert descriptors.leave(pipe, Rest(b"begun")) is stores
    assert told.messages == []
    os.close(pipe)


def test_more_than_systemd_keeps_is_not_given(folder: Path, told: Told, caplog: pytest.LogCaptureFixture) -> None:
    """One place is for the rests of lines. It is said once; what is kept already may be given again."""
    pipes = [open_pipe(folder / name) for name in "abc"]
    descriptors = Descriptors(told, stores=True, places=2)
    with caplog.at_level(logging.WARNING):
        assert [descriptors.store(pipe, PIPE_NAME) for pipe in [*pipes, pipes[0]]] == [True, False, False, True]
    assert len(told.messages) == 2
    assert caplog.messages == [
        "systemd keeps no more than 2 descriptors for us. What is beyond that ends with this run; "
        "FileDescriptorStoreMax= in the unit sets how many."
    ]
    assert not descriptors.leave(pipes[1], Rest(b"begun"))
    for pipe in pipes:
        os.close(pipe)


def test_rest_of_a_line_reaches_the_next_run(folder: Path, told: Told) -> None:
    """By the pipe that it was read from; it is handed over once. Nothing begun leaves nothing."""
    pipe, quiet = open_pipe(folder / "pipe"), open_pipe(folder / "quiet")
    last = Descriptors(told, stores=True)
    for one in (pipe, quiet):
        last.store(one, PIPE_NAME)
    assert last.leave(pipe, Rest(b"beg\xffun", is_cut=True))
    assert last.leave(quiet, Rest(b""))
    last.hand_over()
    assert told.messages[-1] == f"FDSTORE=1\nFDNAME={RESTS_NAME}\nFDPOLL=0"
    descriptors = Descriptors.receive([(os.dup(told.held[-1]), RESTS_NAME)], told, stores=True)
    assert descriptors.rest_of(quiet) is None
    assert descriptors.rest_of(pipe) == Rest(b"beg\xffun", is_cut=True)
    assert descriptors.rest_of(pipe) is None
    os.close(pipe)
    os.close(quiet)


def test_nothing_is_forgotten_before_the_start_has_succeeded(told: Told) -> None:
    """One that fails leaves rests and connections to the next."""
    ours, theirs = socket.socketpair()
    passed = [(write_rests({}), RESTS_NAME), (ours.detach(), CONNECTION_NAME)]
    descriptors = Descriptors.receive(passed, told, stores=True)
    [connection] = descriptors.take_sockets(lambda _: True)
    assert told.messages == []
    assert descriptors.settle() == []
    assert sorted(told.messages) == [f"FDSTOREREMOVE=1\nFDNAME={name}" for name in (CONNECTION_NAME, RESTS_NAME)]
    assert descriptors.settle() == []
    assert len(told.messages) == 2
    connection.close()
    theirs.close()


def test_what_nobody_takes_is_closed_and_forgotten(folder: Path, told: Told) -> None:
    """What the last run kept, and a setting no longer names; what a unit passes is its own matter."""
    kept, unit = bind(folder / "kept"), bind(folder / "unit")
    name = name_kept(SOCKET_NAME, kept.fileno())
    passed = [(os.dup(kept.fileno()), name), (os.dup(unit.fileno()), "unit")]
    descriptors = Descriptors.receive(passed, told, stores=True)
    assert descriptors.settle() == [f"{name} ({folder}/kept)", f"unit ({folder}/unit)"]
    assert told.messages == [f"FDSTOREREMOVE=1\nFDNAME={name}"]
    assert descriptors.inherited == []
    for descriptor, _ in passed:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    kept.close()
    unit.close()


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"[]", b"7", b'{"1:2": "x"}', b'{"1:2": [7]}', b'{"1:2": []}', b'{"1:2": ["\xc3\xa4"]}'],
    ids=repr,
)
def test_rests_that_are_none_are_nothing(data: bytes) -> None:
    """A later version may write others."""
    descriptor = os.memfd_create("x")
    os.write(descriptor, data)
    assert read_rests(descriptor) == {}
    os.close(descriptor)


def test_rests_of_a_strange_file_do_not_fill_the_memory() -> None:
    """A file in memory may claim any size."""
    descriptor = os.memfd_create("x")
    os.ftruncate(descriptor, MAX_RESTS_BYTES + 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read_rests(descriptor) == {}
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MAX_RESTS_BYTES // 8
    os.close(descriptor)


def test_rests_that_cannot_be_read_are_nothing(folder: Path) -> None:
    """As of a pipe, which has no places."""
    pipe = open_pipe(folder / "pipe")
    assert read_rests(pipe) == {}
    os.close(pipe)


def test_address_is_shown_as_logs_names_it(folder: Path) -> None:
    """Each family has its own."""
    shown = []
    for family, address in (
        (socket.AF_UNIX, str(folder / "socket")),
        (socket.AF_UNIX, f"\0{folder.name}"),
        (socket.AF_INET, ("127.0.0.1", 0)),
        (socket.AF_INET6, ("::1", 0)),
    ):
        with socket.socket(family) as sock:
            sock.bind(address)
            shown.append((show_address(sock), sock.getsockname()))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as sock:
        shown.append((show_address(sock), None))
    names = [name for name, _ in shown]
    assert names[:2] == [str(folder / "socket"), f"@{folder.name}"]
    assert names[2:4] == [f"127.0.0.1:{shown[2][1][1]}", f"[::1]:{shown[3][1][1]}"]
    assert names[4] == f"of address family {socket.AF_NETLINK}"
