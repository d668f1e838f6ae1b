"""Unix datagram sockets: real ones, with real senders."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.descriptors import Descriptors
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources import datagram as datagrams
from pipeline.sources.datagram import Burst, Drops
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.unix_address import UnixAddress
from pipeline.sources.unix_datagram import UnixDatagramSource
from tests.sources.collector import SETTINGS, number_lines, running
from tests.sources.keeper import Keeper

SO_SNDBUFFORCE = 32
"""Sets the send buffer beyond net.core.wmem_max, for root (socket(7)); Python has no name for it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.connect(str(path))
    return client


def send(path: Path, datagrams: list[bytes]) -> None:
    with connect(path) as client:
        for datagram in datagrams:
            client.send(datagram)


async def test_datagrams_that_wait_are_one_batch(path: Path) -> None:
    """The end of a datagram ends a line, with a line feed or without."""
    async with running(UnixDatagramSource(UnixAddress(str(path)), SETTINGS)) as collector:
        send(path, [b"a", b"b\n", b"c\nd"])
        await wait_all_tasks_blocked()
    assert collector.batches == [Batch.of([b"a", b"b", b"c", b"d"], f"unixgram://{path}".encode())]


async def test_line_feeds_of_a_datagram_are_its_own(path: Path) -> None:
    """Its last one begins no empty line; one alone is an empty line."""
    async with running(UnixDatagramSource(UnixAddress(str(path)), SETTINGS)) as collector:
        send(path, [b"a", b"b\n", b"", b"c\nd", b"\n", b"e\n\n"])
    assert collector.lines == [b"a", b"b", b"c", b"d", b"", b"e", b""]


async def test_empty_datagram_is_no_line(path: Path) -> None:
    """It delivers nothing, and ends nothing, when the source is stopped neither."""
    async with running(UnixDatagramSource(UnixAddress(str(path)), SETTINGS)) as collector:
        send(path, [b""])
        await wait_all_tasks_blocked()
        send(path, [b"", b"a", b"", b"b"])
    assert collector.lines == [b"a", b"b"]


@pytest.mark.slow
async def test_every_datagram_arrives_once(path: Path) -> None:
    """100,000 datagrams, in order; the sender waits when the kernel's queue is full."""
    datagrams = number_lines(100_000)
    async with running(UnixDatagramSource(UnixAddress(str(path)), SETTINGS)) as collector:
        await trio.to_thread.run_sync(send, path, datagrams)
    assert collector.lines == datagrams


async def test_large_datagram_arrives_whole(path: Path) -> None:
    """As large as the kernel lets anybody send."""
    lines = number_lines(10_000)
    async with running(UnixDatagramSource(UnixAddress(str(path)), SETTINGS)) as collector:
        send(path, [b"\n".join(lines)])
    assert collector.lines == lines


async def test_over_long_line_is_cut_and_counted(path: Path) -> None:
    """The next datagram begins a new line all the same."""
    source = UnixDatagramSource(UnixAddress(str(path)), SourceSettings(logs=(), max_line_bytes=5))
    async with running(source) as collector:
        send(path, [b"123456789", b"next"])
    assert collector.lines == [b"12345", b"next"]
    assert source.counts.lines_truncated == 1


@pytest.mark.parametrize(
    ("datagram", "lines"),
    [
        (b"1234567", [b"1234567"]),
        (b"12345678", [b"1234567"]),
        (b"1234\n6789", [b"1234", b"67"]),
        (b"123456\n8", [b"123456"]),
        (b"123456789", [b"1234567"]),
    ],
)
@pytest.mark.parametrize("max_line_bytes", [6, 7])
async def test_datagram_that_the_kernel_cut_is_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch, datagram: bytes, lines: list[bytes], max_line_bytes: int
) -> None:
    """Once, also where the limit cuts the same line again; what follows is not touched."""
    monkeypatch.setattr(datagrams, "MAX_DATAGRAM_BYTES", 7)
    source = UnixDatagramSource(UnixAddress(str(path)), SourceSettings(logs=(), max_line_bytes=max_line_bytes))
    async with running(source) as collector:
        send(path, [datagram, b"next"])
    assert collector.lines == [line[:max_line_bytes] for line in lines] + [b"next"]
    is_cut = len(datagram) > 7 or max_line_bytes < len(lines[0])
    assert source.counts.lines_truncated == is_cut


async def test_burst_has_a_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast sender cannot keep one batch growing."""
    monkeypatch.setattr(datagrams, "READ_BYTES", 6)
    async with running(UnixDatagramSource(UnixAddress(str(path)), SETTINGS)) as collector:
        send(path, [b"12", b"34", b"56"])
        await wait_all_tasks_blocked()
    assert [batch.lines for batch in collector.batches] == [[b"12", b"34"], [b"56"]]


def test_burst_of_empty_datagrams_has_the_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They fill nothing, and could go on for ever."""
    monkeypatch.setattr(datagrams, "READ_BYTES", 3)
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    burst = Burst(SETTINGS.max_line_bytes)
    with sender, receiver:
        receiver.setblocking(False)
        for _ in range(5):
            sender.send(b"")
        assert [burst.receive(receiver) for _ in range(3)] == [3, 2, 0]


async def test_stop_reads_what_was_sent(path: Path) -> None:
    """Then nobody can send, and the file is gone."""
    async with running(UnixDatagramSource(UnixAddress(str(path)), SETTINGS)) as collector:
        assert stat.filemode(os.lstat(path).st_mode) == "srw-rw----"
        client = connect(path)
        client.send(b"a")
        client.send(b"b")
    assert collector.lines == [b"a", b"b"]
    assert not os.path.lexists(path)
    with client, pytest.raises(ConnectionError):
        client.send(b"late")


def test_closed_source_can_be_closed_again(path: Path) -> None:
    """A source that never ran is closed by its daemon."""
    source = UnixDatagramSource(UnixAddress(str(path)), SETTINGS)
    source.prepare()
    source.close()
    source.close()
    assert not path.exists()


def test_served_socket_is_left_alone(path: Path) -> None:
    """A second instance says in one sentence that it cannot start."""
    first = UnixDatagramSource(UnixAddress(str(path)), SETTINGS)
    first.prepare()
    with pytest.raises(SettingError) as caught:
        UnixDatagramSource(UnixAddress(str(path)), SETTINGS).prepare()
    assert str(caught.value) == f"Somebody already serves the socket {path}."
    first.close()


def test_bytes_are_counted_as_they_were_sent() -> None:
    """Without the line feeds that end datagrams, and with the NULs that went."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    burst = Burst(SETTINGS.max_line_bytes)
    with sender, receiver:
        receiver.setblocking(False)
        for datagram in (b"a", b"b\n", b"c\0", b"d\n\0", b"\0"):
            sender.send(datagram)
        assert burst.receive(receiver) == 5
    assert burst.buffer[: burst.size] == b"a\nb\nc\nd\n"
    assert burst.bytes_read == 9


async def test_nul_at_the_end_of_a_datagram_goes(path: Path) -> None:
    """Python's SysLogHandler adds one. Others stay, and a second one too."""
    source = UnixDatagramSource(UnixAddress(str(path)), SETTINGS)
    async with running(source) as collector:
        send(path, [b"<14>a\0", b"<14>b\n\0", b"\0", b"c\0d\0\0"])
    assert collector.lines == [b"<14>a", b"<14>b", b"c\0d\0"]
    assert source.counts.bytes_read == 19


async def test_largest_datagram_arrives_whole(path: Path) -> None:
    """By default the system lets nobody send more than 208 KiB."""
    source = UnixDatagramSource(UnixAddress(str(path)), SourceSettings(logs=(), max_line_bytes=200 * 1024))
    async with running(source) as collector:
        send(path, [b"x" * 200 * 1024])
        await wait_all_tasks_blocked()
        send(path, [b"next"])
    assert collector.lines == [b"x" * 200 * 1024, b"next"]
    assert source.counts.lines_truncated == 0


@pytest.mark.parametrize("beyond", [0, 1])
async def test_datagram_beyond_the_limit_is_cut_and_counted(
    path: Path, beyond: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of over 1 MiB; where only root may send such, a smaller limit is put to the test."""
    size = datagrams.MAX_DATAGRAM_BYTES
    source = UnixDatagramSource(UnixAddress(str(path)), SourceSettings(logs=(), max_line_bytes=2 * size))
    async with running(source) as collector:
        with connect(path) as client:
            if widen_send_buffer(client, 2 * size) < 2 * size:
                size = 64 * 1024
                monkeypatch.setattr(datagrams, "MAX_DATAGRAM_BYTES", size)
            client.send(b"x" * (size + beyond))
            client.send(b"next")
    assert collector.lines == [b"x" * size, b"next"]
    assert source.counts.lines_truncated == beyond


def widen_send_buffer(client: socket.socket, size: int) -> int:
    """Let a socket send as much at once, beyond net.core.wmem_max if it may; return how much it can."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
    with suppress(PermissionError):
        client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, size)
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2


def test_kernel_drops_no_unix_datagram(path: Path) -> None:
    """Its queue is full at once, and then the sender waits; it tells of no drops."""
    source = UnixDatagramSource(UnixAddress(str(path)), SETTINGS)
    source.prepare()
    with connect(path) as client:
        client.setblocking(False)
        with suppress(BlockingIOError):
            for _ in range(100_000):
                client.send(b"a")
        with pytest.raises(BlockingIOError):
            client.send(b"a")
        drops = Drops(source.sockets[0].socket)
        assert drops.count() == 0
        assert drops.is_told
    source.close()


async def test_stop_does_not_wait_for_a_sender(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is stopped receives a limited number of bytes, however much there is, and leaves the rest."""
    monkeypatch.setattr(datagrams, "MAX_DRAIN_BYTES", 4)
    monkeypatch.setattr(datagrams, "READ_BYTES", 2)
    async with running(UnixDatagramSource(UnixAddress(str(path)), SETTINGS)) as collector:
        send(path, [b"1", b"2", b"3", b"4"])
    assert collector.lines == [b"1", b"2"]


async def test_socket_that_is_passed_is_left_as_it_is(path: Path) -> None:
    """A `.socket` unit has made it, and has its file: what is sent while nobody runs waits."""
    lines = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unit:
        unit.bind(str(path))
        for text in (b"first", b"second"):
            descriptors = Descriptors.receive([(os.dup(unit.fileno()), "log.socket")], Keeper(), stores=False)
            source = UnixDatagramSource(UnixAddress(str(path)), SETTINGS, Surroundings(descriptors=descriptors))
            async with running(source) as collector:
                await wait_all_tasks_blocked()
            lines.append(collector.lines)
            send(path, [text])
        assert path.is_socket()
    assert lines == [[], [b"first"]]
