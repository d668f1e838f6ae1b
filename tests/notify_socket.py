"""The socket at which a service manager listens, sd_notify(3): for tests in which we are told something."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 64 * 1024
MAX_DESCRIPTORS = 253
"""More do not go with one message (unix(7), SCM_RIGHTS)."""


@dataclass(frozen=True, slots=True)
class Message:
    """Assignments, and descriptors, which are the receiver's to close."""

    fields: dict[str, str]
    descriptors: tuple[int, ...] = ()


def receive_message(sock: socket.socket) -> Message:
    """Return the next message."""
    data, descriptors, _, _ = socket.recv_fds(sock, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
    fields = dict(line.split("=", 1) for line in data.decode().splitlines())
    return Message(fields, tuple(descriptors))


class NotifySocket:
    """Listens without waiting; `address` is what goes into `$NOTIFY_SOCKET`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.setblocking(False)

    def receive(self) -> list[dict[str, str]]:
        """Return the assignments of the messages that have come; what they pass is closed."""
        messages: list[dict[str, str]] = []
        while True:
            try:
                message = receive_message(self.socket)
            except BlockingIOError:
                return messages
            for descriptor in message.descriptors:
                os.close(descriptor)
            messages.append(message.fields)


@contextmanager
def listening() -> Iterator[NotifySocket]:
    """Listen in a folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="notify-") as folder:
        notify = NotifySocket(f"{folder}/notify")
        with notify.socket:
            yield notify
