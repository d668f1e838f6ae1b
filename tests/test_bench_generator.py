"""The benchmark of metlog's generator: what it measures are messages that are really sent. Nothing here measures."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bench.generator import BASE, CALLS, draining, time_calls
from tests.metlog.senders.peers import bound_datagrams, receive_all

TYPES = {"incr": "counter", "info": "oldstyle", "timer_send": "timer", "timer, as a context": "timer"}


@pytest.mark.parametrize("name", [name for name, (base, _) in CALLS.items() if base == BASE])
def test_each_call_sends_one_datagram(name: str, tmp_path: Path) -> None:
    """Ours an envelope, that of logging its line."""
    with bound_datagrams(tmp_path / "log") as peer, ExitStack() as stack:
        CALLS[name][1](tmp_path / "log", stack)()
        (data,) = receive_all(peer)
    if name == BASE:
        assert data == b"<14>shop[42]: somebody has logged in\0"
    else:
        assert json.loads(data)["type"] == TYPES[name]
        assert len(json.loads(data)) == 9


@pytest.mark.slow
def test_somebody_empties_the_socket(tmp_path: Path) -> None:
    """However many calls there are, all of them find room; at the end nobody is left."""
    path = tmp_path / "log"
    with draining(path):
        for name in CALLS:
            assert time_calls(name, path, 500) > 0
    assert not path.exists()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, pytest.raises(FileNotFoundError):
        sender.connect(str(path))
