"""UDP: real datagrams over the loopback address."""

from __future__ import annotations

import errno
import os
import socket
from typing import NoReturn

import pytest
from trio.testing import wait_all_tasks_blocked

from pipeline.batch import Batch, Rest
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources.datagram import Drops
from pipeline.sources.inet_address import InetAddress
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.udp import UdpSource, widen_buffer
from tests.ports import find_port
from tests.sources.collector import SETTINGS, number_lines, running, running_prepared
from tests.sources.keeper import keeping

SMALL = SourceSettings(logs=(), receive_buffer_bytes=4096)
"""A buffer that a few datagrams fill."""


@pytest.fixture
def port() -> int:
    return find_port()


def make_source(port: int, settings: SourceSettings = SETTINGS, surroundings: Surroundings | None = None) -> UdpSource:
    return UdpSource(InetAddress(f"udp://127.0.0.1:{port}"), settings, surroundings)


def send(port: int, datagrams: list[bytes], host: str = "127.0.0.1") -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as client:
        for datagram in datagrams:
            client.sendto(datagram, (host, port))


async def test_datagrams_that_wait_are_one_batch(port: int) -> None:
    """The end of a datagram ends a line, with a line feed or without."""
    async with running(make_source(port)) as collector:
        send(port, [b"a", b"b\n", b"c\nd", b"", b"e\0"])
        await wait_all_tasks_blocked()
    assert collector.batches == [Batch.of([b"a", b"b", b"c", b"d", b"e"], f"udp://127.0.0.1:{port}".encode())]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_no_host_is_every_address(port: int, host: str) -> None:
    """Of IPv4 and of IPv6."""
    async with running(UdpSource(InetAddress(f"udp://:{port}"), SETTINGS)) as collector:
        send(port, [b"a"], host)
    assert collector.lines == [b"a"]


async def test_largest_datagram_arrives_whole(port: int) -> None:
    """UDP over IPv4 carries 65,507 bytes."""
    async with running(make_source(port)) as collector:
        send(port, [b"x" * 65_507])
    assert collector.lines == [b"x" * 65_507]


async def test_what_the_kernel_drops_is_counted(port: int) -> None:
    """Counted lines and counted drops are all that was sent: before the first read, later, and right before the end."""
    source = make_source(port, SMALL)
    source.prepare()
    send(port, number_lines(1000))
    async with running_prepared(source) as collector:
        await wait_all_tasks_blocked()
        first = len(collector.lines)
        assert 0 < first < 1000
        assert source.counts.datagrams_dropped == 1000 - first
        send(port, number_lines(1000))
        await wait_all_tasks_blocked()
        send(port, number_lines(1000))
    assert len(collector.lines) + source.counts.datagrams_dropped == 3000
    assert len(collector.lines) > first


async def test_drops_are_counted_once_by_two_runs(port: int) -> None:
    """The socket remembers them, and goes from one run to the next; those between the two are the second one's."""
    dropped, lines = [], 0
    with keeping() as keeper:
        for _ in range(2):
            source = make_source(port, SMALL, Surroundings(descriptors=keeper.start()))
            async with running(source) as collector:
                source.surroundings.descriptors.settle()
                send(port, number_lines(1000))
                await wait_all_tasks_blocked()
            source.surroundings.descriptors.hand_over()
            lines += len(collector.lines)
            dropped.append(source.counts.datagrams_dropped)
            send(port, number_lines(500))
        last = make_source(port, SMALL, Surroundings(descriptors=keeper.start()))
        async with running(last) as collector:
            await wait_all_tasks_blocked()
        lines += len(collector.lines)
    assert min(dropped) > 0
    assert lines + sum(dropped) + last.counts.datagrams_dropped == 3000


class OlderSocket(socket.socket):
    """Stands for a system that does not tell what it dropped."""

    error = errno.ENOPROTOOPT

    def getsockopt(self, *_: object) -> NoReturn:
        raise OSError(self.error, os.strerror(self.error))


def test_system_that_tells_no_drops_counts_none() -> None:
    """It is asked once. Any other trouble is not hidden."""
    with OlderSocket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        drops = Drops(sock)
        assert [drops.count(), drops.count()] == [0, 0]
        assert not drops.is_told
        sock.error = errno.EBADF
        with pytest.raises(OSError, match="Bad file descriptor"):
            Drops(sock, Rest()).count()


def test_buffer_is_as_large_as_asked(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Where the kernel allows it, nothing is said."""
    source = make_source(port, SourceSettings(logs=(), receive_buffer_bytes=100_000))
    source.prepare()
    assert source.sockets[0].socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 200_000
    assert caplog.messages == []
    source.close()


async def test_smaller_buffer_than_asked_is_said(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence says how much there is, and what would change it."""
    wanted = 2**31 - 1  # more than any system gives: it doubles what it is asked for, in 32 bits
    source = make_source(port, SourceSettings(logs=(), receive_buffer_bytes=wanted))
    source.prepare()
    given = source.sockets[0].socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    assert caplog.messages == [
        f"udp://127.0.0.1:{port}: the kernel gives {given} bytes for what waits, not {wanted}."
        " It gives more once net.core.rmem_max is raised."
    ]
    source.close()


def test_ordinary_user_gets_what_the_system_allows_him() -> None:
    """Root may have more."""
    before = os.geteuid()
    os.seteuid(before or 65534)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            assert widen_buffer(sock, 2**30) < 2**30
    finally:
        os.seteuid(before)


def test_address_in_use_is_one_sentence(port: int) -> None:
    """The first one goes on."""
    first = make_source(port)
    first.prepare()
    with pytest.raises(SettingError) as caught:
        make_source(port).prepare()
    assert str(caught.value) == f"Somebody already listens on udp://127.0.0.1:{port}."
    first.close()
