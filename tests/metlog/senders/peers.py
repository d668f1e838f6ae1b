"""Receivers for senders: real sockets and pipes, which read when a test says so, hang, hang up, and come back."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.metlog.envelope import Message

LARGE = 1024 * 1024
DEADLINE_SECONDS = 60.0


def make_message(payload: str = "1", **changes: object) -> Message:
    """Return a message as the client makes it."""
    return {
        "type": "counter",
        "timestamp": "2026-03-05T06:07:08.000000Z",
        "logger": "shop",
        "severity": 6,
        "payload": payload,
        "fields": {"name": "logins", "rate": 1.0},
        "env_version": "0.8",
        "metlog_pid": 42,
        "metlog_hostname": "web1",
        **changes,
    }


def read_payload(data: bytes) -> str:
    """Return the payload of a message."""
    payload = json.loads(data)["payload"]
    assert isinstance(payload, str)
    return payload


def run_forked(call: Callable[[], int]) -> int:
    """Return what a call returns in a process that is forked, from 0 to 99. One that raises returns 111."""
    child = os.fork()
    if child == 0:
        status = 111
        try:
            status = call()
        finally:
            os._exit(status)  # whatever happens: the rest of the tests is for the parent
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def bound_datagrams(path: Path | str) -> Iterator[socket.socket]:
    """Give a unix datagram socket at `path`, which is gone behind the block."""
    address = "\0" + path[1:] if isinstance(path, str) else str(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.setblocking(False)
        try:
            yield sock
        finally:
            if isinstance(path, Path):
                path.unlink()


@contextmanager
def listening(path: Path, backlog: int = 8) -> Iterator[socket.socket]:
    """Give a unix stream socket that listens at `path`, which is gone behind the block."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))
        sock.listen(backlog)
        sock.settimeout(DEADLINE_SECONDS)
        try:
            yield sock
        finally:
            path.unlink()


def receive_all(sock: socket.socket) -> list[bytes]:
    """Return the datagrams that wait."""
    received = []
    while True:
        try:
            received.append(sock.recv(LARGE))
        except BlockingIOError:
            return received


def read_waiting(descriptor: int) -> bytes:
    """Return what waits in a pipe or a connection; end of file is nothing."""
    os.set_blocking(descriptor, False)
    data = b""
    while True:
        try:
            piece = os.read(descriptor, LARGE)
        except BlockingIOError:
            return data
        if not piece:
            return data
        data += piece
