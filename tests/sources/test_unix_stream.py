"""Unix stream sockets: real ones, with real clients."""

from __future__ import annotations

import logging
import os
import resource
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.sources.unix_stream import UnixStreamSource
from tests.sources.collector import SETTINGS, join_lines, number_lines, running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(str(path))
    return client


def send(path: Path, lines: list[bytes]) -> None:
    with connect(path) as client:
        client.sendall(join_lines(lines))


async def test_lines_carry_the_address_as_origin(path: Path) -> None:
    """`getfilename()` returns the address."""
    async with running(UnixStreamSource(path, SETTINGS)) as collector:
        send(path, [b"a", b"b"])
        await collector.wait_lines(2)
    assert collector.batches == [Batch.of([b"a", b"b"], f"unix://{path}".encode())]


async def test_each_connection_has_lines_of_its_own(path: Path) -> None:
    """A line begun on one connection is not ended on another."""
    async with running(UnixStreamSource(path, SETTINGS)) as collector:
        with connect(path) as first, connect(path) as second:
            for client, part in ((first, b"fir"), (second, b"sec"), (first, b"st\n"), (second, b"ond\n")):
                client.sendall(part)
                await wait_all_tasks_blocked()
    assert collector.lines == [b"first", b"second"]


async def test_end_of_a_connection_ends_its_last_line(path: Path) -> None:
    """A client that leaves without a line feed loses nothing."""
    async with running(UnixStreamSource(path, SETTINGS)) as collector:
        with connect(path) as client:
            client.sendall(b"a\nunended")
        await collector.wait_lines(2)
    assert collector.lines == [b"a", b"unended"]


async def test_every_line_of_many_connections_arrives_once(path: Path) -> None:
    """100,000 lines over four connections at once, each one's in order."""
    sent = [number_lines(25_000, f"client {client}") for client in range(4)]
    async with running(UnixStreamSource(path, SETTINGS)) as collector, trio.open_nursery() as nursery:
        for lines in sent:
            nursery.start_soon(trio.to_thread.run_sync, send, path, lines)
    assert len(collector.lines) == 100_000
    for client, lines in enumerate(sent):
        assert [line for line in collector.lines if line.startswith(b"client %d" % client)] == lines


async def test_stop_reads_what_was_sent(path: Path) -> None:
    """Served connections and those that still wait to be accepted are read to their end; then nobody can send."""
    async with running(UnixStreamSource(path, SETTINGS)) as collector:
        served = connect(path)
        await wait_all_tasks_blocked()
        waiting = connect(path)
        for client, name in ((served, b"served"), (waiting, b"waiting")):
            client.sendall(name + b"\n" + name + b" unended")
    assert sorted(collector.lines) == [b"served", b"served unended", b"waiting", b"waiting unended"]
    for client in (served, waiting):
        with client, pytest.raises(BrokenPipeError):
            client.sendall(b"late\n")


async def test_socket_file_is_removed_at_the_end(path: Path) -> None:
    """Owner and group may connect while it is there."""
    source = UnixStreamSource(path, SETTINGS)
    async with running(source):
        assert stat.filemode(os.lstat(path).st_mode) == "srw-rw----"
    assert not os.path.lexists(path)
    source.close()


async def test_served_socket_is_left_alone(path: Path) -> None:
    """A second instance says in one sentence that it cannot start, and the first goes on."""
    async with running(UnixStreamSource(path, SETTINGS)) as collector:
        with pytest.raises(SettingError) as caught:
            UnixStreamSource(path, SETTINGS).prepare()
        send(path, [b"still here"])
        await collector.wait_lines(1)
    assert str(caught.value) == f"Somebody already serves the socket {path}."


async def test_connections_over_the_limit_are_closed_and_counted(path: Path) -> None:
    """The ones before go on; a place that comes free is given away again."""
    source = UnixStreamSource(path, SETTINGS)
    source.max_connections = 1
    async with running(source) as collector:
        with connect(path) as first:
            await wait_all_tasks_blocked()
            with connect(path) as refused:
                await wait_all_tasks_blocked()
                assert refused.recv(1) == b""
            first.sendall(b"first\n")
        await collector.wait_lines(1)
        await wait_all_tasks_blocked()
        send(path, [b"second"])
        await collector.wait_lines(2)
    assert source.counts.connections_refused == 1
    assert collector.lines == [b"first", b"second"]


async def test_connection_waits_while_there_is_no_descriptor(
    path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Without descriptors the source goes on, and takes the connection once there is one."""
    source = UnixStreamSource(path, SETTINGS)
    async with running(source) as collector:
        client = connect(path)
        client.sendall(b"patient\n")
        with forbid_descriptors():
            await trio.sleep(0.25)
        await collector.wait_lines(1)
        client.close()
    assert source.counts.errors >= 2
    assert caplog.record_tuples == [
        (
            "pipeline.sources.unix_stream",
            logging.WARNING,
            f"unix://{path}: a new connection has to wait: too many open files."
            " It is tried again every 0.1 s; more failures are only counted.",
        )
    ]


@contextmanager
def forbid_descriptors() -> Iterator[None]:
    """Let the kernel refuse every new descriptor."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_broken_listener_is_not_hidden(path: Path) -> None:
    """What cannot be waited for ends the daemon, instead of a loop that does nothing."""
    source = UnixStreamSource(path, SETTINGS)
    source.prepare()
    assert source.listener is not None
    not_listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with not_listening, pytest.raises(OSError, match="Invalid argument"):
        await source.accept(not_listening)
    source.close()
