"""Messages as lines over a unix stream socket."""

from __future__ import annotations

import os
import socket

from pipeline.metlog.senders.byte_sender import MAX_BYTES
from pipeline.metlog.senders.channel import ChannelSender
from pipeline.metlog.senders.datagram import spell_address
from pipeline.metlog.senders.patience import TIMEOUT_SECONDS
from pipeline.metlog.senders.sender import close_socket


class StreamSocketSender(ChannelSender):
    """Sends lines over a connection."""

    socket: socket.socket | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self.socket is not None

    def push(self, data: bytes) -> int:
        """Send what there is room for. An application may have kept SIGPIPE, which would end it."""
        assert self.socket is not None
        return self.socket.send(data, socket.MSG_NOSIGNAL)

    def fileno(self) -> int:
        """Return the descriptor of the connection."""
        assert self.socket is not None
        return self.socket.fileno()

    def hang_up(self) -> None:
        """Close the connection."""
        sock, self.socket = self.socket, None
        close_socket(sock)


class UnixStreamSender(StreamSocketSender):
    """Sends to the unix stream socket at `path`, or of the abstract name behind an `@`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        self.address = spell_address(path)

    def open(self, deadline: float) -> None:
        """Connect. Where more wait to be accepted than may, it raises `BlockingIOError` at once."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(self.address)
        except OSError:
            sock.close()
            raise
        self.socket = sock
