"""TCP: real connections over the loopback address."""

from __future__ import annotations

import errno
import socket
import struct
from typing import NoReturn

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources.inet_address import InetAddress
from pipeline.sources.stream import accept_waiting
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.tcp import KEEPALIVE_SECONDS, TcpSource
from tests.ports import find_port
from tests.sources.collector import PATIENCE_SECONDS, SETTINGS, join_lines, number_lines, running
from tests.sources.keeper import keeping

AT_ONCE = struct.pack("ii", 1, 0)
"""With this SO_LINGER a close resets the connection (socket(7))."""


@pytest.fixture
def port() -> int:
    return find_port()


def make_source(port: int, host: str = "127.0.0.1", **settings: float) -> TcpSource:
    return TcpSource(InetAddress(f"tcp://{host}:{port}"), SourceSettings(logs=(), **settings))  # type: ignore[arg-type]


def connect(port: int, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, port))


def send(port: int, lines: list[bytes]) -> None:
    with connect(port) as client:
        client.sendall(join_lines(lines))


async def test_lines_carry_the_address_as_origin(port: int) -> None:
    """As the operator wrote it."""
    async with running(make_source(port)) as collector:
        send(port, [b"a", b"b"])
        await collector.wait_lines(2)
    assert collector.batches == [Batch.of([b"a", b"b"], f"tcp://127.0.0.1:{port}".encode())]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_no_host_is_every_address(port: int, host: str) -> None:
    """Of IPv4 and of IPv6."""
    async with running(make_source(port, "")) as collector:
        with connect(port, host) as client:
            client.sendall(b"a\n")
        await collector.wait_lines(1)
    assert collector.lines == [b"a"]


async def test_every_line_of_many_connections_arrives_once(port: int) -> None:
    """100,000 lines over four connections at once, each one's in order."""
    sent = [number_lines(25_000, f"client {client}") for client in range(4)]
    async with running(make_source(port)) as collector, trio.open_nursery() as nursery:
        for lines in sent:
            nursery.start_soon(trio.to_thread.run_sync, send, port, lines)
        await collector.wait_lines(100_000)
    for client, lines in enumerate(sent):
        assert [line for line in collector.lines if line.startswith(b"client %d" % client)] == lines


async def test_connections_are_framed_each_in_its_way(port: int) -> None:
    """One counts octets, another ends lines, at the same time; frames and lines come in parts."""
    async with running(make_source(port)) as collector:
        with connect(port) as counted, connect(port) as lined:
            for client, part in (
                (counted, b"1"),
                (lined, b"7 mon"),
                (counted, b"1 <13>two"),
                (lined, b"keys\n"),
                (counted, b"\nfoo4 <1>a"),
            ):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
                client.sendall(part)
                await wait_all_tasks_blocked()
        await collector.wait_lines(4)
    assert sorted(collector.lines) == sorted([b"7 monkeys", b"<13>two", b"foo", b"<1>a"])


async def test_silent_connection_is_closed(port: int, autojump_clock: MockClock) -> None:
    """After the time set; its last line is delivered, and one that has something to say stays."""
    source = make_source(port, idle_timeout_seconds=60)
    async with running(source) as collector:
        with connect(port) as silent, connect(port) as busy:
            silent.sendall(b"unended")
            for _ in range(3):
                await trio.sleep(40)
                busy.sendall(b"a\n")
                await collector.wait_lines(len(collector.lines) + 1)
            silent.settimeout(PATIENCE_SECONDS)
            assert silent.recv(1) == b""
            assert source.counts.connections == 1
    assert sorted(collector.lines) == [b"a", b"a", b"a", b"unended"]


async def test_connection_that_is_reset_loses_nothing_of_what_came(port: int) -> None:
    """It is no failure of ours: a writer was killed, or its machine started anew."""
    source = make_source(port)
    async with running(source) as collector:
        with connect(port) as client:
            client.sendall(b"a\nunended")
            await collector.wait_lines(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        await collector.wait_lines(2)
    assert collector.lines == [b"a", b"unended"]
    assert source.counts.errors == 0


async def test_stop_reads_what_has_come(port: int) -> None:
    """Of connections that are served, that wait, and that their writer has reset; then nobody is there."""
    source = make_source(port)
    async with running(source) as collector:
        served, reset = connect(port), connect(port)
        await wait_all_tasks_blocked()
        waiting = connect(port)
        for client, name in ((served, b"served"), (waiting, b"waiting"), (reset, b"reset")):
            client.sendall(name + b"\n" + name + b" unended")
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        reset.close()
    assert sorted(collector.lines) == sorted(
        name + end for name in (b"served", b"waiting", b"reset") for end in (b"", b" unended")
    )
    assert source.counts.errors == 0
    served.close()
    waiting.close()
    with pytest.raises(ConnectionRefusedError):
        connect(port)


async def test_port_can_be_had_again_at_once(port: int) -> None:
    """Connections of the last run linger in the kernel, and keep nobody from it."""
    for _ in range(2):
        source = make_source(port)
        async with running(source) as collector:
            client = connect(port)
            client.sendall(b"a\n")
            await collector.wait_lines(1)
        client.close()


async def test_connections_are_asked_whether_they_are_there(port: int) -> None:
    """A machine that lost its power does not keep its place for two hours."""
    source = make_source(port)
    source.prepare()
    with connect(port):
        accepted = accept_waiting(source.sockets[0].socket)
        assert accepted is not None
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == KEEPALIVE_SECONDS
    source.close()


def test_address_in_use_is_one_sentence(port: int) -> None:
    """The first one goes on."""
    first = make_source(port)
    first.prepare()
    with pytest.raises(SettingError) as caught:
        make_source(port).prepare()
    assert str(caught.value) == f"Somebody already listens on tcp://127.0.0.1:{port}."
    first.close()


async def test_connections_to_all_addresses_go_on_in_the_next_run(port: int) -> None:
    """They are bound to the address that they were made to, and are known all the same; here inside a frame."""
    lines: list[bytes] = []
    with keeping() as keeper:
        for text in (b"9 <13>", b"12345"):
            source = TcpSource(InetAddress(f"tcp://:{port}"), SETTINGS, Surroundings(descriptors=keeper.start()))
            async with running(source) as collector:
                descriptors = source.surroundings.descriptors
                descriptors.settle()
                if text.startswith(b"9"):
                    client = connect(port)
                client.sendall(text)
                await wait_all_tasks_blocked()
            lines += collector.lines
            descriptors.hand_over()
        client.close()
    assert lines == [b"<13>12345"]


class BrokenListener(socket.socket):
    """Stands for what the kernel says when a connection has failed before it was accepted."""

    def accept(self) -> NoReturn:
        raise OSError(errno.EPROTO, "Protocol error")


def test_connection_that_has_failed_already_is_passed_over() -> None:
    """accept(2) tells of it once, and the next one may be fine."""
    with BrokenListener() as listener:
        assert accept_waiting(listener) is None
