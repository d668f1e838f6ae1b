"""Messages as lines over TCP."""

from __future__ import annotations

import errno
import os
import socket

from pipeline.metlog.senders.byte_sender import MAX_BYTES
from pipeline.metlog.senders.patience import is_writable
from pipeline.metlog.senders.resolution import Host
from pipeline.metlog.senders.sender import close_socket
from pipeline.metlog.senders.unix_stream import StreamSocketSender

# A host of the same site answers within milliseconds, one on another continent within 0.3 s.
TIMEOUT_SECONDS = 0.2


class TcpSender(StreamSocketSender):
    """Sends to a port of a host.

    A connection is waited for as long as for room. If it is not made by then, the message is dropped, and the next
    ones look whether it has been.
    """

    def __init__(
        self, host: str, port: int, *, timeout_seconds: float = TIMEOUT_SECONDS, max_bytes: int = MAX_BYTES
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        self.host = Host(host, port)
        self.connecting: socket.socket | None = None

    def open(self, deadline: float) -> None:
        """Connect, or go on with it; raises `BlockingIOError` while that takes longer."""
        if self.connecting is None:
            self.connecting = begin_connection(self.host)
        sock = self.connecting
        # One that is being connected becomes writable when it is, or has failed.
        if not is_writable(sock.fileno(), 0) and not self.patience.wait(sock.fileno(), deadline):
            raise BlockingIOError(errno.EAGAIN, "The connection is not made yet")
        self.connecting = None
        if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            sock.close()
            raise OSError(error, os.strerror(error))
        self.socket = sock

    def check(self) -> None:
        """Raise if the receiver has hung up: what is sent then would be lost, and nobody told."""
        assert self.socket is not None
        try:
            if not self.socket.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError(errno.ECONNRESET, "The receiver has hung up")
        except BlockingIOError:
            return

    def hang_up(self) -> None:
        """Close the connection, also one that is not made yet."""
        super().hang_up()
        sock, self.connecting = self.connecting, None
        close_socket(sock)


def begin_connection(host: Host) -> socket.socket:
    """Return a socket that is being connected."""
    family, address = host.find_address()
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        sock.connect(address)
    except BlockingIOError:
        return sock
    except OSError:
        sock.close()
        raise
    return sock
