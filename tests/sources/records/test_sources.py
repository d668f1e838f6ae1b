"""Records from every kind of source: a joiner for each stream, and nothing that has begun is lost."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.descriptors import Descriptors
from pipeline.record_settings import RecordSettings
from pipeline.settings import ReadFrom, SourceSettings
from pipeline.sources import Source, Surroundings
from pipeline.sources.confirm import ConfirmingSource
from pipeline.sources.fifo import FifoSource, HeldPipe
from pipeline.sources.files import PathPattern, PathSource
from pipeline.sources.journal import JournalSource
from pipeline.sources.replay import ReplayFile
from pipeline.sources.stdin import StdinSource
from pipeline.sources.unix_address import UnixAddress
from pipeline.sources.unix_datagram import UnixDatagramSource
from pipeline.sources.unix_stream import UnixStreamSource
from pipeline.unix_socket import BoundSocket
from tests.sources.collector import PATIENCE_SECONDS, SETTINGS, Collector, running
from tests.sources.files.scenes import look_again
from tests.sources.journals import make_entry, write_journal
from tests.sources.keeper import Keeper, keeping

JOINED = replace(SETTINGS, records=(RecordSettings(record_start="^[A-Z]"),))
"""A line that begins with a capital begins a record."""

FROM_START = replace(JOINED, read_from=ReadFrom.START)
KEPT = replace(FROM_START, read_positions=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def write(path: Path, data: bytes) -> None:
    """Write as somebody who opens a pipe or a file for it."""
    with path.open("ab", buffering=0) as file:
        file.write(data)


def follow(path: Path, settings: SourceSettings = FROM_START, position: object = None) -> PathSource:
    """Return the source of a path, which goes on where another run stopped."""
    positions = {} if position is None else {str(path): json.loads(json.dumps(position))}
    return PathSource(PathPattern.of_path(str(path)), settings, Surroundings(positions=positions))


# What is read once -------------------------------------------------------------------------------------


async def test_end_of_standard_input_ends_the_last_record(path: Path) -> None:
    """The line without a line feed goes on with it."""
    path.write_bytes(b"Boom\n  at a\nNext\n  at b")
    descriptor = os.open(path, os.O_RDONLY)
    collector = Collector()
    source = StdinSource("-", JOINED, descriptor=descriptor)
    source.prepare()
    await source.run(collector)
    os.close(descriptor)
    assert collector.lines == [b"Boom   at a", b"Next   at b"]


def test_replayed_file_is_joined(path: Path) -> None:
    """To its end, in batches that are not empty."""
    path.write_bytes(b"Boom\n  at a\n" * 20_000)
    batches = list(ReplayFile(str(path), JOINED).read_batches())
    assert [line for batch in batches for line in batch.lines] == [b"Boom   at a"] * 20_000
    assert all(batch.block for batch in batches)


# What systemd may keep ---------------------------------------------------------------------------------


def make_fifo(path: Path, keeper: Keeper | None) -> Source:
    return FifoSource(path, JOINED, Surroundings(keeper.start()) if keeper else None)


def make_stream(path: Path, keeper: Keeper | None) -> Source:
    return UnixStreamSource(UnixAddress(str(path)), JOINED, Surroundings(keeper.start()) if keeper else None)


def make_datagram(path: Path, keeper: Keeper | None) -> Source:
    return UnixDatagramSource(UnixAddress(str(path)), JOINED, Surroundings(keeper.start()) if keeper else None)


def connect(path: Path, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.connect(str(path))
    return sock


MAKERS: dict[str, Callable[[Path, Keeper | None], Source]] = {
    "fifo": make_fifo,
    "stream": make_stream,
    "datagram": make_datagram,
}
KINDS = pytest.mark.parametrize("kind", list(MAKERS))


def open_writer(path: Path, kind: str, stack: ExitStack) -> Callable[[bytes], object]:
    """Return what a writer calls with each text; `stack` closes it."""
    if kind == "fifo":
        return stack.enter_context(path.open("wb", buffering=0)).write
    sock = stack.enter_context(connect(path, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM))
    return sock.sendall


@KINDS
async def test_stop_delivers_what_has_begun(path: Path, kind: str) -> None:
    """Where nobody goes on with it; and what is read at the stop still goes on."""
    with ExitStack() as stack:
        async with running(MAKERS[kind](path, None)) as collector:
            send = open_writer(path, kind, stack)
            send(b"Boom\n")
            await wait_all_tasks_blocked()
            assert collector.lines == []
            send(b"  at a\n")
    assert collector.lines == [b"Boom   at a"]


@KINDS
async def test_next_run_goes_on_with_what_has_begun(path: Path, kind: str) -> None:
    """Where systemd keeps what it came by; nobody delivers it before."""
    lines: list[list[bytes]] = []
    send: Callable[[bytes], object] | None = None
    with keeping() as keeper, ExitStack() as stack:
        for text in (b"Boom\n", b"  at a\n", b"  at b\nNext\n", b"Last\n"):
            source = MAKERS[kind](path, keeper)
            assert isinstance(source, FifoSource | UnixStreamSource | UnixDatagramSource)
            async with running(source) as collector:
                source.surroundings.descriptors.settle()
                send = send or open_writer(path, kind, stack)
                send(text)
                await wait_all_tasks_blocked()
            source.surroundings.descriptors.hand_over()
            lines.append(collector.lines)
            assert source.counts.records is not None
            assert source.counts.records.begun == 0
    assert lines == [[], [], [b"Boom   at a   at b"], [b"Next"]]


async def test_record_begun_is_delivered_where_lines_are_joined_no_more(path: Path) -> None:
    """The operator has taken the pattern away between two runs."""
    with keeping() as keeper:
        source = FifoSource(path, JOINED, Surroundings(keeper.start()))
        async with running(source):
            write(path, b"Boom\n  at a\n")
            await wait_all_tasks_blocked()
        source.surroundings.descriptors.hand_over()
        async with running(FifoSource(path, SETTINGS, Surroundings(keeper.start()))) as collector:
            write(path, b"  at b\n")
            await wait_all_tasks_blocked()
    assert collector.lines == [b"Boom   at a", b"  at b"]


async def test_connections_have_records_of_their_own(path: Path) -> None:
    """The end of one ends its record."""
    async with running(make_stream(path, None)) as collector:
        with connect(path, socket.SOCK_STREAM) as one, connect(path, socket.SOCK_STREAM) as other:
            for sock, text in ((one, b"One\n"), (other, b"Other\n"), (one, b" a\n"), (other, b" b\n")):
                sock.sendall(text)
                await wait_all_tasks_blocked()
            assert collector.lines == []
        await collector.wait_lines(2)
    assert sorted(collector.lines) == [b"One  a", b"Other  b"]


async def test_line_begun_that_waited_too_long_goes_on_with_its_record(
    path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A line has ended then, and not the record."""
    source = FifoSource(path, replace(JOINED, partial_line_timeout_seconds=1.0))
    async with running(source) as collector:
        write(path, b"Boom\n  at")
        await trio.sleep(2.0)
        write(path, b"  more\nNext\n")
        await wait_all_tasks_blocked()
        assert collector.lines == [b"Boom   at   more"]
    assert source.counts.lines_partial == 1


# Files -------------------------------------------------------------------------------------------------


async def test_files_of_a_pattern_are_joined_each_for_itself(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Written line by line, in turns."""
    source = PathSource(PathPattern.parse(f"{tmp_path}/*.log"), FROM_START)
    async with running(source) as collector:
        for text in (b"Boom\n", b"  at a\n", b"  at b\n", b"Next\n"):
            for name in ("a.log", "b.log"):
                write(tmp_path / name, text)
                await look_again()
        assert collector.lines == [b"Boom   at a   at b"] * 2
        assert {batch.origin for batch in collector.batches} == {bytes(tmp_path / "a.log"), bytes(tmp_path / "b.log")}
    assert collector.lines[2:] == [b"Next"] * 2


async def test_record_of_a_file_goes_on_in_the_next_run(path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """The position has it with it, also that of a moment before a crash; nothing is counted twice."""
    position: object = None
    delivered: list[bytes] = []
    for text in (b"Boom\n  at", b" a\n", b"  at b\n", b"Next\nLast\n"):
        write(path, text)
        source = follow(path, KEPT, position)
        async with running(source) as collector:
            await look_again()
            position, known = source.position, len(collector.lines)
        delivered += collector.lines[:known]
        assert (source.position, len(collector.lines)) == (position, known)
    assert delivered == [b"Boom   at a   at b", b"Next"]


async def test_rotation_ends_the_record_of_the_old_file(path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """With the first line of the new one, which was written later; so records come in the order of their writing."""
    source = follow(path)
    write(path, b"Old\n  at a\n")
    async with running(source) as collector:
        await look_again()
        path.rename(path.with_suffix(".1"))
        path.touch()
        await look_again()
        write(path.with_suffix(".1"), b"  at b\n")
        await look_again()
        assert collector.lines == []
        write(path, b"New\n")
        await look_again()
        assert collector.lines == [b"Old   at a   at b"]
        write(path, b"  at c\nNext\n")
        await look_again()
    assert collector.lines == [b"Old   at a   at b", b"New   at c", b"Next"]


async def test_truncation_ends_the_record(path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """What is in the file now has nothing to do with it."""
    write(path, b"Boom, which is long enough for a truncation to be seen\n  at a\n")
    async with running(follow(path)) as collector:
        await look_again()
        path.write_bytes(b"  at b\n")
        await look_again()
        assert collector.lines == [b"Boom, which is long enough for a truncation to be seen   at a"]
    assert collector.lines[1:] == [b"  at b"]


async def test_record_goes_on_in_the_copy_of_a_truncated_file(
    path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """With copytruncate, what was not read yet is in the copy."""
    head = b"Boom " + b"x" * 100
    write(path, head + b"\n  at a\n")
    async with running(follow(path)) as collector:
        await look_again()
        write(path.with_name("log.1"), path.read_bytes() + b"  at b\n")
        path.write_bytes(b"Next\n")
        await look_again()
        assert collector.lines == [head + b"   at a   at b"]
    assert collector.lines[1:] == [b"Next"]


async def test_record_of_a_file_that_is_gone_is_delivered(path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """It was deleted while we were away."""
    write(path, b"Boom\n  at a\n")
    first = follow(path, KEPT)
    async with running(first) as collector:
        await look_again()
    assert collector.lines == []
    path.unlink()
    async with running(follow(path, KEPT, first.position)) as collector:
        await look_again()
        assert collector.lines == [b"Boom   at a"]


async def test_record_of_a_file_that_another_source_reads_now_is_counted_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The operator has put another pattern first that matches it, too."""
    path = tmp_path / "a.log"
    write(path, b"Boom\n  at a\n")
    earlier = PathSource(PathPattern.parse(f"{tmp_path}/*.log"), KEPT)
    async with running(earlier):
        await look_again()
    write(path, b"  at b\nNext\n")
    surroundings = Surroundings(positions={earlier.name: json.loads(json.dumps(earlier.position))})
    first, second = (
        PathSource(PathPattern.parse(f"{tmp_path}/{text}"), KEPT, surroundings) for text in ("a*", "*.log")
    )
    async with running(first) as ours, running(second) as theirs:
        await look_again()
        assert (ours.lines, theirs.lines) == ([b"Boom   at a   at b"], [])


async def test_source_that_is_opened_again_goes_on_with_its_records(
    path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """After a failure, as the supervisor does; without positions too."""
    source = follow(path, KEPT)
    write(path, b"Boom\n")
    async with running(source) as first:
        await look_again()
    write(path, b"  at a\nNext\n")
    async with running(source) as second:
        await look_again()
        assert (first.lines, second.lines) == ([], [b"Boom   at a"])


# Failures ----------------------------------------------------------------------------------------------


async def read_stdin(descriptor: int, collector: Collector) -> None:
    await StdinSource("-", JOINED, descriptor=descriptor).run(collector)


async def read_fifo(descriptor: int, collector: Collector) -> None:
    await FifoSource(Path("/nowhere"), JOINED).read(HeldPipe(descriptor), collector)


@pytest.mark.parametrize("read", [read_stdin, read_fifo], ids=["stdin", "fifo"])
async def test_failure_of_a_source_ends_its_records(read: Callable[[int, Collector], Awaitable[None]]) -> None:
    """And the line begun: it is opened anew, or not, and does not know them then."""
    ours, theirs = os.openpty()  # who reads a terminal fails when its other end has gone
    os.set_blocking(ours, False)
    os.write(theirs, b"Boom\n  at a\n  at b")
    os.close(theirs)
    collector = Collector()
    with pytest.raises(OSError, match="Input/output error"):
        await read(ours, collector)
    os.close(ours)
    assert collector.lines == [b"Boom   at a   at b"]


async def test_failure_of_a_datagram_socket_ends_its_records(path: Path) -> None:
    """A connection that is reset fails as no datagram socket does on purpose."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ours.sendall(b"never read")
    theirs.sendall(b"Boom\n  at a\n")
    collector = Collector()
    source = UnixDatagramSource(UnixAddress(str(path)), JOINED)

    async def hang_up() -> None:
        await wait_all_tasks_blocked()
        assert collector.lines == []
        theirs.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hang_up)
        with ours, pytest.raises(ConnectionResetError):
            await source.receive(BoundSocket(ours), collector)
    assert collector.lines == [b"Boom   at a"]


async def test_connection_that_systemd_has_no_room_for_ends_its_record(path: Path) -> None:
    """It cannot go on in the next run."""
    descriptors = Descriptors(lambda _text, _descriptors: None, stores=True, places=1)
    async with running(UnixStreamSource(UnixAddress(str(path)), JOINED, Surroundings(descriptors))) as collector:
        writer = connect(path, socket.SOCK_STREAM)
        writer.sendall(b"Boom\n  at a\n")
        await wait_all_tasks_blocked()
        assert collector.lines == []
    writer.close()
    assert collector.lines == [b"Boom   at a"]


# The journal -------------------------------------------------------------------------------------------


def follow_journal(path: Path, settings: SourceSettings, position: object = None) -> JournalSource:
    spec = f"journal://{path}?format=message"
    positions = {} if position is None else {spec: json.loads(json.dumps(position))}
    return JournalSource(spec, settings, Surroundings(positions=positions))


def log(path: Path, first: int, *messages: str) -> None:
    write_journal(path, [make_entry(number, MESSAGE=message) for number, message in enumerate(messages, first)])


async def test_record_of_the_journal_goes_on_in_the_next_run(tmp_path: Path) -> None:
    """The position has it with it; without positions it is delivered at the stop."""
    path = tmp_path / "a.journal"
    log(path, 0, "Boom", "  at a")
    source = follow_journal(path, KEPT)
    async with running(source) as collector:
        await wait_all_tasks_blocked()
    assert collector.lines == []
    log(path, 2, "  at b", "Next")
    position = source.position
    source = follow_journal(path, KEPT, position)
    assert source.position == position
    async with running(source) as collector:
        await collector.wait_lines(1)
    assert collector.lines == [b"Boom   at a   at b"]
    async with running(source) as collector:
        await wait_all_tasks_blocked()
        log(path, 4, "  at c", "Last")
        await collector.wait_lines(1)
    assert collector.lines == [b"Next   at c"]
    async with running(follow_journal(path, FROM_START)) as collector:
        await wait_all_tasks_blocked()
    assert collector.lines == [b"Boom   at a   at b", b"Next   at c", b"Last"]


# Confirmed to rsyslog ----------------------------------------------------------------------------------


class Conversation:
    """rsyslog's side of a conversation with one run of ours."""

    def __init__(self, positions: dict[str, object], settings: SourceSettings = JOINED, *, keeps: bool = True) -> None:
        stdin, self.to_us = os.pipe()
        self.from_us, stdout = os.pipe()
        self.open = [stdin, self.to_us, self.from_us, stdout]
        surroundings = Surroundings(positions=positions, keeps_state=keeps)
        self.source = ConfirmingSource("-", settings, surroundings, descriptor=stdin, answers=stdout)

    async def ask(self, text: bytes = b"") -> bytes:
        """Write messages, and return the answers."""
        os.write(self.to_us, text)
        with trio.fail_after(PATIENCE_SECONDS):
            await trio.lowlevel.wait_readable(self.from_us)
        return os.read(self.from_us, 4096)

    def close(self) -> None:
        for descriptor in self.open:
            os.close(descriptor)


async def test_record_whose_lines_are_confirmed_is_in_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rsyslog sends them to nobody again: so the next run has them, also when this one is killed."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    first = Conversation({})
    async with running(first.source) as collector:
        assert await first.ask() == b"OK\n"
        assert first.source.position is None
        assert await first.ask(b"Boom\n") == b"OK\n"
        assert await first.ask(b"  at a\n") == b"OK\n"
        state = json.loads(json.dumps({"-": first.source.position}))
    assert collector.lines == []
    assert json.loads(json.dumps({"-": first.source.position})) == state
    second = Conversation(state)
    assert second.source.position == state["-"]  # the state is written before the source runs
    async with running(second.source) as collector:
        assert await second.ask() == b"OK\n"
        assert await second.ask(b"  at b\nNext\n") == b"OK\nOK\n"
        assert collector.lines == [b"Boom   at a   at b"]
    third = Conversation(state, SETTINGS)
    async with running(third.source) as collector:
        assert await third.ask() == b"OK\n"
        assert collector.lines == [b"Boom   at a"]
        assert third.source.position is None
    for one in (first, second, third):
        one.close()


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_record_is_delivered_at_the_end_where_no_state_is_kept(
    monkeypatch: pytest.MonkeyPatch, *, hangs_up: bool
) -> None:
    """Whether we are stopped or rsyslog has gone; the lines of a transaction go on with those before."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    talk = Conversation({}, keeps=False)
    async with running(talk.source) as collector:
        assert await talk.ask() == b"OK\n"
        assert await talk.ask(b"Boom\n") == b"OK\n"
        assert await talk.ask(b"  at a\n") == b"OK\n"
        if hangs_up:
            os.close(talk.to_us)
            talk.open.remove(talk.to_us)
            await wait_all_tasks_blocked()
            assert collector.lines == [b"Boom   at a"]
    assert collector.lines == [b"Boom   at a"]
    assert select.select([talk.from_us], [], [], 0)[0] == []
    talk.close()
