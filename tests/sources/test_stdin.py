"""Standard input: a pipe, a file, a terminal; another descriptor stands for it here."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.sources import intake, stdin
from pipeline.sources.stdin import StdinSource
from pipeline.sources.surroundings import Surroundings
from tests.sources.collector import SETTINGS, Collector, join_lines, number_lines, running


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


async def read_to_end(descriptor: int) -> Collector:
    source = StdinSource("-", SETTINGS, descriptor=descriptor)
    collector = Collector()
    source.prepare()
    await source.run(collector)
    source.close()
    return collector


async def test_pipe_is_read_to_its_end(pipe: tuple[int, int]) -> None:
    """The unended last line included; then the source ends by itself."""
    reading, writing = pipe
    os.write(writing, b"a\nb")
    os.close(writing)
    collector = await read_to_end(reading)
    assert collector.batches == [Batch.of([b"a"], b"-"), Batch.of([b"b"], b"-")]


async def test_pipe_is_waited_for(pipe: tuple[int, int]) -> None:
    """Lines arrive while the writer goes on, and what is there at a stop arrives then."""
    reading, writing = pipe
    async with running(StdinSource("-", SETTINGS, descriptor=reading)) as collector:
        os.write(writing, b"first\n")
        await collector.wait_lines(1)
        os.write(writing, b"second\nunended")
    os.close(writing)
    assert collector.lines == [b"first", b"second", b"unended"]


def test_pipe_is_widened(pipe: tuple[int, int]) -> None:
    """So that a writer seldom waits."""
    reading, writing = pipe
    StdinSource("-", SETTINGS, descriptor=reading).prepare()
    assert fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ) == intake.PIPE_BYTES
    os.close(writing)


async def test_stop_after_the_writer_left(pipe: tuple[int, int]) -> None:
    """A stop that meets the end of the pipe ends too."""
    reading, writing = pipe
    async with running(StdinSource("-", SETTINGS, descriptor=reading)) as collector:
        os.write(writing, b"first\n")
        os.close(writing)
    assert collector.lines == [b"first"]


async def test_stop_does_not_wait_for_a_busy_writer(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is stopped reads a limited number of bytes, however much there is."""
    monkeypatch.setattr(stdin, "MAX_DRAIN_BYTES", 20)
    monkeypatch.setattr(intake, "READ_BUFFER", bytearray(10))
    reading, writing = pipe
    source = StdinSource("-", SETTINGS, descriptor=reading)
    async with running(source) as collector:
        os.write(writing, b"123456789\n" * 100)
    os.close(writing)
    assert collector.lines == [b"123456789"] * 2
    assert source.counts.bytes_left == 980


async def test_stop_obeys_the_deadline(pipe: tuple[int, int]) -> None:
    """When there is no time left nothing more is read, and what is left is known."""
    reading, writing = pipe
    source = StdinSource("-", SETTINGS, Surroundings(may_drain=lambda: False), descriptor=reading)
    async with running(source) as collector:
        await wait_all_tasks_blocked()
        os.write(writing, b"line\n")
    os.close(writing)
    assert collector.lines == []
    assert source.counts.bytes_left == 5


async def test_stop_of_a_device_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it holds nobody knows."""
    monkeypatch.setattr(stdin, "MAX_DRAIN_BYTES", 1)
    device = os.open("/dev/zero", os.O_RDONLY)
    source = StdinSource("-", SETTINGS, descriptor=device)
    async with running(source) as collector:
        await trio.lowlevel.checkpoint()
    os.close(device)
    assert [len(line) for line in collector.lines] == [SETTINGS.max_line_bytes]
    assert source.counts.bytes_left == 0


async def test_many_lines_through_a_pipe_are_all_delivered(pipe: tuple[int, int]) -> None:
    """In order, with a writer that waits whenever the pipe is full."""
    reading, writing = pipe
    lines = number_lines(200_000)

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(join_lines(lines))

    source = StdinSource("-", SETTINGS, descriptor=reading)
    collector = Collector()
    source.prepare()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, write)
        await source.run(collector)
    assert collector.lines == lines
    assert source.counts.bytes_read == len(join_lines(lines))


async def test_socket_that_is_reset_is_at_its_end() -> None:
    """Its writer closed it without reading what was sent to him; what he wrote is all there."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.send(b"unread")
        theirs.send(b"a\nb")
        theirs.close()
        collector = await read_to_end(ours.fileno())
    assert collector.lines == [b"a", b"b"]


async def test_socket_is_read_to_its_end() -> None:
    """inetd and `StandardInput=socket` give one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        source = StdinSource("/dev/stdin", SETTINGS, descriptor=ours.fileno())
        async with running(source) as collector:
            theirs.sendall(b"first\n")
            await collector.wait_lines(1)
            theirs.sendall(b"second")
        assert collector.batches == [Batch.of([b"first"], b"/dev/stdin"), Batch.of([b"second"], b"/dev/stdin")]


async def test_file_is_read_to_its_end(tmp_path: Path) -> None:
    """A redirected file cannot be waited for, and is simply read."""
    lines = number_lines(200_000)
    path = tmp_path / "log"
    path.write_bytes(join_lines(lines))
    with path.open("rb") as file:
        collector = await read_to_end(file.fileno())
    assert collector.lines == lines
    assert len(collector.batches) > 2


async def test_terminal_is_read_until_its_end() -> None:
    """Control-D at the start of a line ends it."""
    controller, terminal = os.openpty()
    os.write(controller, b"typed\n\x04")
    collector = await read_to_end(terminal)
    os.close(controller)
    os.close(terminal)
    assert collector.lines == [b"typed"]


async def test_source_has_the_name_it_was_given(pipe: tuple[int, int]) -> None:
    """`getfilename()` returns `/dev/stdin` when that is how it was named."""
    reading, writing = pipe
    os.close(writing)
    assert StdinSource("/dev/stdin", SETTINGS, descriptor=reading).counts.origin == b"/dev/stdin"


def test_what_the_watchdog_and_the_state_ask_of_standard_input(pipe: tuple[int, int]) -> None:
    """It can be looked at, and has no place where a later run could go on."""
    reading, writing = pipe
    os.close(writing)
    source = StdinSource("-", SETTINGS, descriptor=reading)
    assert (source.descriptors, source.position) == ((reading,), None)


async def test_quiet_pipe_delivers_nothing(pipe: tuple[int, int]) -> None:
    """A stop ends the wait."""
    reading, writing = pipe
    async with running(StdinSource("-", SETTINGS, descriptor=reading)) as collector:
        await wait_all_tasks_blocked()
    os.close(writing)
    assert collector.batches == []


def test_closed_standard_input_is_one_sentence() -> None:
    """A daemon that was started without standard input cannot read it."""
    descriptor = os.dup(0)
    os.close(descriptor)
    with pytest.raises(SettingError) as caught:
        StdinSource("-", SETTINGS, descriptor=descriptor).prepare()
    assert str(caught.value) == "Standard input is closed, so no lines can be read from it."


def test_folder_as_standard_input_is_one_sentence(tmp_path: Path) -> None:
    """A shell lets anybody write `< folder`."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(SettingError) as caught:
        StdinSource("-", SETTINGS, descriptor=descriptor).prepare()
    os.close(descriptor)
    assert str(caught.value) == "Standard input is a directory, so no lines can be read from it."


def test_what_waits_is_known_where_the_system_tells(pipe: tuple[int, int], tmp_path: Path) -> None:
    """Of a pipe it does, of a folder not."""
    reading, writing = pipe
    os.write(writing, b"x" * 1000)
    os.close(writing)
    assert StdinSource("-", SETTINGS, descriptor=reading).waiting_bytes == 1000
    folder = os.open(tmp_path, os.O_RDONLY)
    assert StdinSource("-", SETTINGS, descriptor=folder).waiting_bytes is None
    os.close(folder)
