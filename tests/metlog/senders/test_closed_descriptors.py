"""Applications that close what senders have open, as those do that become daemons."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.metlog.senders import (
    ByteSender,
    FileSender,
    PipeSender,
    TcpSender,
    UdpSender,
    UnixDatagramSender,
    UnixStreamSender,
)
from tests.metlog.senders.peers import bound_datagrams, listening, make_message

Find = Callable[[], int]
"""Returns the descriptor that a sender has open."""


def make_datagram(path: Path, stack: ExitStack) -> tuple[ByteSender, Find]:
    stack.enter_context(bound_datagrams(path))
    sender = UnixDatagramSender(path)
    return sender, lambda: sender.socket.fileno() if sender.socket else -1


def make_stream(path: Path, stack: ExitStack) -> tuple[ByteSender, Find]:
    stack.enter_context(listening(path))
    sender = UnixStreamSender(path)
    return sender, sender.fileno


def make_tcp(path: Path, stack: ExitStack) -> tuple[ByteSender, Find]:
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    # On a machine that is busy a connection may take longer than anybody would wait elsewhere.
    sender = TcpSender("127.0.0.1", server.getsockname()[1], timeout_seconds=10.0)
    return sender, sender.fileno


def make_udp(path: Path, stack: ExitStack) -> tuple[ByteSender, Find]:
    server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind(("127.0.0.1", 0))
    sender = UdpSender(*server.getsockname())
    return sender, lambda: sender.sockets[socket.AF_INET].fileno()


def make_pipe(path: Path, stack: ExitStack) -> tuple[ByteSender, Find]:
    os.mkfifo(path)
    stack.callback(os.close, os.open(path, os.O_RDWR))
    sender = PipeSender(path)
    return sender, sender.fileno


def make_file(path: Path, stack: ExitStack) -> tuple[ByteSender, Find]:
    sender = FileSender(path)
    return sender, lambda: sender.file.fileno() if sender.file else -1


SOCKETS = [make_datagram, make_stream, make_tcp, make_udp]
Make = Callable[[Path, ExitStack], tuple[ByteSender, Find]]


@pytest.mark.parametrize("make", [*SOCKETS, make_pipe, make_file])
def test_descriptor_that_the_application_has_closed(make: Make, tmp_path: Path) -> None:
    """No message is lost: each opens its own anew."""
    with ExitStack() as stack:
        sender, find = make(tmp_path / "place", stack)
        for _ in range(3):
            sender.send_message(make_message())
            os.close(find())
        sender.send_message(make_message())
        assert (sender.counts.sent, sender.counts.dropped) == (4, 0)
        os.close(find())
        sender.close()


@pytest.mark.parametrize("make", SOCKETS)
def test_number_that_the_application_has_given_to_a_file(make: Make, tmp_path: Path) -> None:
    """The file is neither written to nor closed."""
    with ExitStack() as stack:
        sender, find = make(tmp_path / "place", stack)
        sender.send_message(make_message())
        descriptor = find()
        with (tmp_path / "other").open("wb") as other:
            os.dup2(other.fileno(), descriptor)
        sender.send_message(make_message())
        assert (sender.counts.sent, sender.counts.dropped) == (2, 0)
        sender.close()
        assert os.fstat(descriptor).st_size == 0
        os.close(descriptor)
