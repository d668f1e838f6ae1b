"""Unix datagram sockets: real ones, with real senders."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources import unix_datagram
from pipeline.sources.unix_datagram import Burst, UnixDatagramSource
from tests.sources.collector import SETTINGS, number_lines, running


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
    async with running(UnixDatagramSource(path, SETTINGS)) as collector:
        send(path, [b"a", b"b\n", b"c\nd"])
        await wait_all_tasks_blocked()
    assert collector.batches == [Batch.of([b"a", b"b", b"c", b"d"], f"unixgram://{path}".encode())]


async def test_line_feeds_of_a_datagram_are_its_own(path: Path) -> None:
    """Its last one begins no empty line; one alone is an empty line."""
    async with running(UnixDatagramSource(path, SETTINGS)) as collector:
        send(path, [b"a", b"b\n", b"", b"c\nd", b"\n", b"e\n\n"])
    assert collector.lines == [b"a", b"b", b"c", b"d", b"", b"e", b""]


async def test_empty_datagram_is_no_line(path: Path) -> None:
    """It delivers nothing, and ends nothing, when the source is stopped neither."""
    async with running(UnixDatagramSource(path, SETTINGS)) as collector:
        send(path, [b""])
        await wait_all_tasks_blocked()
        send(path, [b"", b"a", b"", b"b"])
    assert collector.lines == [b"a", b"b"]


@pytest.mark.slow
async def test_every_datagram_arrives_once(path: Path) -> None:
    """100,000 datagrams, in order; the sender waits when the kernel's queue is full."""
    datagrams = number_lines(100_000)
    async with running(UnixDatagramSource(path, SETTINGS)) as collector:
        await trio.to_thread.run_sync(send, path, datagrams)
    assert collector.lines == datagrams


async def test_large_datagram_arrives_whole(path: Path) -> None:
    """As large as the kernel lets anybody send."""
    lines = number_lines(10_000)
    async with running(UnixDatagramSource(path, SETTINGS)) as collector:
        send(path, [b"\n".join(lines)])
    assert collector.lines == lines


async def test_over_long_line_is_cut_and_counted(path: Path) -> None:
    """The next datagram begins a new line all the same."""
    source = UnixDatagramSource(path, SourceSettings(logs=(), max_line_bytes=5))
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
    monkeypatch.setattr(unix_datagram, "MAX_DATAGRAM_BYTES", 7)
    source = UnixDatagramSource(path, SourceSettings(logs=(), max_line_bytes=max_line_bytes))
    async with running(source) as collector:
        send(path, [datagram, b"next"])
    assert collector.lines == [line[:max_line_bytes] for line in lines] + [b"next"]
    is_cut = len(datagram) > 7 or max_line_bytes < len(lines[0])
    assert source.counts.lines_truncated == is_cut


async def test_burst_has_a_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast sender cannot keep one batch growing."""
    monkeypatch.setattr(unix_datagram, "READ_BYTES", 6)
    async with running(UnixDatagramSource(path, SETTINGS)) as collector:
        send(path, [b"12", b"34", b"56"])
        await wait_all_tasks_blocked()
    assert [batch.lines for batch in collector.batches] == [[b"12", b"34"], [b"56"]]


def test_burst_of_empty_datagrams_has_the_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They fill nothing, and could go on for ever."""
    monkeypatch.setattr(unix_datagram, "READ_BYTES", 3)
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    burst = Burst(SETTINGS.max_line_bytes)
    with sender, receiver:
        receiver.setblocking(False)
        for _ in range(5):
            sender.send(b"")
        assert [burst.receive(receiver) for _ in range(3)] == [3, 2, 0]


async def test_stop_reads_what_was_sent(path: Path) -> None:
    """Then nobody can send, and the file is gone."""
    async with running(UnixDatagramSource(path, SETTINGS)) as collector:
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
    source = UnixDatagramSource(path, SETTINGS)
    source.prepare()
    source.close()
    source.close()
    assert not path.exists()


def test_served_socket_is_left_alone(path: Path) -> None:
    """A second instance says in one sentence that it cannot start."""
    first = UnixDatagramSource(path, SETTINGS)
    first.prepare()
    with pytest.raises(SettingError) as caught:
        UnixDatagramSource(path, SETTINGS).prepare()
    assert str(caught.value) == f"Somebody already serves the socket {path}."
    first.close()
