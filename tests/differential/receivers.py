"""What takes pushes for a comparison: every line that comes, from whoever sends it, in order."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.daemons import wait_until

TAKEN = b"0 Success: 1 value has been dispatched.\n"
MAX_DATAGRAM_BYTES = 65536


@dataclass(slots=True)
class Receiver:
    """The lines that have come to one socket."""

    listening: socket.socket
    answer: bytes = b""
    """What is said to each line. mtail would hang up on it, since it reads nothing."""
    lines: list[bytes] = field(default_factory=list)
    connection: socket.socket | None = None
    first: int = 0
    """The place of the first line of that connection."""

    def take_datagrams(self) -> None:
        """Take lines until the socket is shut down."""
        while data := self.listening.recv(MAX_DATAGRAM_BYTES):
            self.lines += data.split(b"\n")

    def take_connections(self) -> None:
        """Take lines from one connection after the other; mtail makes one for each push."""
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:  # it is shut down
                return
            self.connection, self.first = connection, len(self.lines)
            with connection, connection.makefile("rb") as file, suppress(ConnectionError):
                for line in file:
                    self.lines.append(line.removesuffix(b"\n"))
                    if self.answer:
                        connection.sendall(self.answer)

    def hang_up(self) -> None:
        """End the connection that there is."""
        if self.connection is not None:
            self.connection.shutdown(socket.SHUT_RDWR)

    def wait_push(self, marker: bytes) -> Sequence[bytes]:
        """Return the lines of a push that begins after now, each once, sorted. In each, one line has `marker` in it.

        Lines stand in any order. So those between the second marker from now and the fourth are those of the push
        around the third, and some of its neighbours, which began after now, too.
        """
        start = len(self.lines)
        wait_until(lambda: len(find_markers(self.lines[start:], marker)) > 3, "there are four pushes")
        lines = self.lines[start:]
        places = find_markers(lines, marker)
        return sorted(set(lines[places[1] : places[3]]))


def find_markers(lines: Sequence[bytes], marker: bytes) -> list[int]:
    """Return where `marker` stands."""
    return [place for place, line in enumerate(lines) if marker in line]


@dataclass(frozen=True, slots=True)
class Receivers:
    """One of each kind, for one daemon."""

    graphite: Receiver
    statsd: Receiver
    collectd: Receiver
    flags: Sequence[str]
    """How the daemon is told of them."""


@contextmanager
def receiving(path: Path, answer: bytes = b"") -> Iterator[Receivers]:
    """Take lines until the block ends, those for collectd at `path`, where `answer` is said to each."""
    with ExitStack() as stack:
        graphite = Receiver(socket.create_server(("127.0.0.1", 0)))
        statsd = Receiver(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        statsd.listening.bind(("127.0.0.1", 0))
        collectd = Receiver(socket.socket(socket.AF_UNIX), answer)
        collectd.listening.bind(str(path))
        collectd.listening.listen()
        ways = (graphite.take_connections, statsd.take_datagrams, collectd.take_connections)
        for receiver, take in zip((graphite, statsd, collectd), ways, strict=True):
            stack.enter_context(receiver.listening)
            thread = threading.Thread(target=take)
            thread.start()
            stack.callback(thread.join)
            stack.callback(shut_down, receiver.listening)
        flags = (
            *("--graphite_host_port", f"127.0.0.1:{graphite.listening.getsockname()[1]}"),
            *("--statsd_hostport", f"127.0.0.1:{statsd.listening.getsockname()[1]}"),
            *("--collectd_socketpath", str(path)),
        )
        yield Receivers(graphite, statsd, collectd, flags)


def shut_down(listening: socket.socket) -> None:
    """Have whoever waits on a socket go on; one for datagrams is woken by an empty one."""
    if listening.type is socket.SOCK_DGRAM:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", listening.getsockname())
    else:
        listening.shutdown(socket.SHUT_RDWR)
