"""Descriptors that outlive a run of the daemon: those systemd passes at the start, and those it keeps for the next.

systemd passes the sockets and pipes of `.socket` units, and what the last run gave it to keep
(sd_listen_fds(3); sd_notify(3), FDSTORE=1). A source finds its own by what the kernel says about
them: a socket by its kind and address, a pipe by its device and inode. So it makes no difference
how they are named, and an operator who wants to go by name may (`fd://NAME`).

While systemd keeps a descriptor, the kernel keeps what lies in it. What a source has already read
of a line whose end has not come is no longer there: these rests go over to the next run in one
more descriptor, a file in memory.

systemd forgets by name only, so each pipe and socket that we give it has a name of its own. Until a start
has succeeded nothing is forgotten: one that fails on a mistake in a setting leaves all to the next.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from pipeline.batch import Rest

logger = logging.getLogger(__name__)

Notify: TypeAlias = Callable[[str, Sequence[int]], None]
"""Tells systemd something, and passes it descriptors."""

KEPT = "kept-"
"""How all names begin that we give to systemd, so that what it kept for us differs from what `.socket` units pass."""

RESTS_NAME = f"{KEPT}rests"
CONNECTION_NAME = f"{KEPT}connection"
PIPE_NAME = f"{KEPT}pipe"
SOCKET_NAME = f"{KEPT}socket"
"""What descriptors are called in systemd's store; of a pipe and a socket, device and inode follow."""

GIVEN_ANEW = (RESTS_NAME, CONNECTION_NAME)
"""What only the end of a run gives to systemd, under one name for all. While we run, a connection that
systemd held too would not end for its writer when we close it."""

DELETED = " (deleted)"
"""What the kernel adds to the path of a file that is no longer there (proc_pid_fd(5))."""

MAX_RESTS_BYTES = 1 << 30
"""More than 4,096 connections leave behind. Whatever claims to hold more is none of ours."""


@dataclass(slots=True)
class Inherited:
    """A descriptor passed to us; who takes it owns it."""

    descriptor: int
    name: str

    @property
    def key(self) -> str:
        return identify_descriptor(self.descriptor)

    @property
    def is_kept(self) -> bool:
        """Whether it comes from the last run, and not from a `.socket` unit."""
        return self.name.startswith(KEPT)

    @property
    def is_pipe(self) -> bool:
        """Whether it is a pipe, named or not."""
        return stat.S_ISFIFO(os.fstat(self.descriptor).st_mode)

    @property
    def path(self) -> Path:
        """Where it was opened, or now is; what the kernel calls it if it has no path."""
        return Path(str(Path(f"/proc/self/fd/{self.descriptor}").readlink()).removesuffix(DELETED))

    @contextmanager
    def borrow_socket(self) -> Iterator[socket.socket | None]:
        """Yield the socket that this is, to look at; None if it is none."""
        if not stat.S_ISSOCK(os.fstat(self.descriptor).st_mode):
            yield None
            return
        with socket.socket(fileno=os.dup(self.descriptor)) as same:
            yield same

    def asks(self, question: Callable[[socket.socket], bool]) -> bool:
        """Return the answer to a question about the socket that this is; no if it is none."""
        with self.borrow_socket() as same:
            return same is not None and question(same)

    def open_socket(self) -> socket.socket:
        """Return the descriptor as a non-blocking socket."""
        opened = socket.socket(fileno=self.descriptor)
        opened.setblocking(False)
        return opened


@dataclass(slots=True)
class Descriptors:
    """What the last run left, and what this one leaves. Without systemd it is empty, and keeps nothing.

    `stores` says that systemd keeps what we give it; then a source that ends leaves its descriptors open.
    `places` is how many descriptors systemd keeps, None if that is not known.
    """

    notify: Notify = lambda _text, _descriptors: None
    stores: bool = False
    places: int | None = None
    inherited: list[Inherited] = field(default_factory=list)
    rests: dict[str, Rest] = field(default_factory=dict)
    left: dict[str, Rest] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    """The names of what systemd keeps for us, by what identifies it."""
    passed: set[str] = field(default_factory=set)
    """What identifies the descriptors of `.socket` units. systemd holds them whether we run or not."""
    to_forget: list[str] = field(default_factory=list)
    """Names of what only this start needs."""
    has_reported: bool = False

    @classmethod
    def receive(
        cls, passed: Iterable[tuple[int, str]], notify: Notify, *, stores: bool, places: int | None = None
    ) -> Descriptors:
        """Return what was passed as pairs of a descriptor and its name."""
        descriptors = cls(notify, stores, places)
        for descriptor, name in passed:
            descriptors.add(Inherited(descriptor, name))
        return descriptors

    def add(self, one: Inherited) -> None:
        """Take note of what was passed. A pipe or socket that was passed twice is held once."""
        os.set_inheritable(one.descriptor, False)
        if one.name in GIVEN_ANEW and one.name not in self.to_forget:
            self.to_forget.append(one.name)
        if one.name == RESTS_NAME:
            self.rests.update(read_rests(one.descriptor))
            os.close(one.descriptor)
            return
        if not one.is_kept:
            self.passed.add(one.key)
        elif one.name not in GIVEN_ANEW:
            self.kept[one.key] = one.name
        twin = next((other for other in self.inherited if other.key == one.key), None)
        if twin is None:
            self.inherited.append(one)
        else:
            twin.name = twin.name if one.is_kept else one.name
            os.close(one.descriptor)

    def take(self, found: Sequence[Inherited]) -> Sequence[Inherited]:
        """Hand over what was found."""
        self.inherited = [one for one in self.inherited if one not in found]
        return found

    def take_pipe(self, path: Path) -> int | None:
        """Return the inherited descriptor of the named pipe at `path`, non-blocking, or None."""
        try:
            status = path.stat()
        except OSError:
            return None
        key = make_key(status)
        return next(self.take_pipes(lambda one: one.key == key), None)

    def take_earlier_pipes(self, path: Path) -> list[int]:
        """Return those of named pipes that were at `path` and are no longer there, non-blocking."""
        # The kernel knows no symbolic links, such as /var/run.
        real = path.parent.resolve() / path.name
        return list(self.take_pipes(lambda one: one.path == real))

    def take_pipes(self, is_wanted: Callable[[Inherited], bool]) -> Iterator[int]:
        """Return the inherited pipes that are wanted, non-blocking."""
        for one in self.take([one for one in self.inherited if one.is_pipe and is_wanted(one)]):
            os.set_blocking(one.descriptor, False)
            yield one.descriptor

    def take_sockets(self, is_wanted: Callable[[socket.socket], bool]) -> list[socket.socket]:
        """Return the inherited sockets that are wanted, non-blocking."""
        found = self.take([one for one in self.inherited if one.asks(is_wanted)])
        return [one.open_socket() for one in found]

    def rest_of(self, descriptor: int) -> Rest | None:
        """Return what the last run had begun to read from `descriptor`, if anything."""
        return self.rests.pop(identify_descriptor(descriptor), None)

    def keeps(self, descriptor: int) -> bool:
        """Return whether systemd holds `descriptor` too, so that the next run will have it."""
        key = identify_descriptor(descriptor)
        return key in self.kept or key in self.passed

    def store(self, descriptor: int, kind: str) -> bool:
        """Have systemd keep `descriptor` until it is told otherwise; return whether it does, as far as we know."""
        key = identify_descriptor(descriptor)
        if self.stores and key not in self.passed:
            if key not in self.kept and self.is_full:
                self.report_full()
                return False
            self.kept[key] = kind if kind in GIVEN_ANEW else f"{kind}-{key.replace(':', '-')}"
            self.give(descriptor, self.kept[key])
        return self.keeps(descriptor)

    def give(self, descriptor: int, name: str) -> None:
        """Give a descriptor to systemd."""
        # FDPOLL=0: systemd would drop a connection whose writer has gone, with what lies in it.
        self.notify(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", (descriptor,))

    def take_back(self, name: str) -> None:
        """Have systemd let go of all that it has under a name."""
        self.notify(f"FDSTOREREMOVE=1\nFDNAME={name}", ())

    def report_full(self) -> None:
        """Say, once, that systemd keeps too few."""
        if not self.has_reported:
            logger.warning(
                "systemd keeps no more than %s descriptors for us. What is beyond that ends with this run; "
                "FileDescriptorStoreMax= in the unit sets how many.",
                self.places,
            )
        self.has_reported = True

    @property
    def is_full(self) -> bool:
        """Whether systemd would keep no more. One place is for the rests."""
        return self.places is not None and len(self.kept) + 1 >= self.places

    def forget(self, key: str) -> None:
        """Have systemd let go of what `identify_descriptor` calls `key`."""
        if (name := self.kept.pop(key, None)) is not None:
            self.take_back(name)

    def leave(self, descriptor: int, rest: Rest) -> bool:
        """Note what is to be known of `descriptor`; return whether the next run will have it, and this."""
        if not (self.stores and self.keeps(descriptor)):
            return False
        if rest != Rest():
            self.left[identify_descriptor(descriptor)] = rest
        return True

    def hand_over(self) -> None:
        """Leave the rests to the next run. Call it at the end, when all sources have left theirs."""
        if self.left:
            descriptor = write_rests(self.left)
            self.give(descriptor, RESTS_NAME)
            os.close(descriptor)

    def settle(self) -> list[str]:
        """Close what nobody has taken, and have systemd forget that; return what it was.

        Call it when the start has succeeded: what the last run left is ours from here on.
        """
        others = [describe(one) for one in self.inherited]
        for key in {one.key for one in self.inherited} | self.passed:
            self.forget(key)
        for one in self.inherited:
            os.close(one.descriptor)
        self.inherited.clear()
        for name in self.to_forget:
            self.take_back(name)
        self.to_forget.clear()
        return sorted(set(others))


def describe(one: Inherited) -> str:
    """Return what to call an inherited descriptor in a message."""
    with one.borrow_socket() as same:
        return f"{one.name} ({one.path if same is None else show_address(same)})"


def show_address(sock: socket.socket) -> str:
    """Return where a socket is, in the way `--logs` names a unix path, an abstract name, or a host and a port."""
    match sock.family, sock.getsockname():
        case socket.AF_UNIX, bytes() as name:
            return f"@{os.fsdecode(name[1:])}"
        case socket.AF_UNIX, path:
            return str(path)
        case socket.AF_INET, (host, port):
            return f"{host}:{port}"
        case socket.AF_INET6, (host, port, *_):
            return f"[{host}]:{port}"
    return f"of address family {sock.family}"


def identify_descriptor(descriptor: int) -> str:
    """Return what tells a pipe or a socket from others as long as anybody holds it."""
    return make_key(os.fstat(descriptor))


def make_key(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


def write_rests(rests: dict[str, Rest]) -> int:
    """Return the descriptor of a file in memory that holds `rests`."""
    # What an earlier version does not know is left out where there is none of it.
    table = {
        key: [base64.b64encode(rest.text).decode(), *rest[1:-1], *([list(rest.records)] if rest.records else [])]
        for key, rest in rests.items()
    }
    descriptor = os.memfd_create(RESTS_NAME)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(json.dumps(table).encode())
    return descriptor


def read_rests(descriptor: int) -> dict[str, Rest]:
    """Return what `write_rests` wrote; nothing if it is something else."""
    try:
        size = os.fstat(descriptor).st_size
        table = json.loads(os.pread(descriptor, size, 0)) if size <= MAX_RESTS_BYTES else {}
        return {key: Rest(base64.b64decode(text, validate=True), *others) for key, (text, *others) in table.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
