"""Named pipes: real ones, with real writers."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources import intake
from pipeline.sources.fifo import FifoSource
from tests.sources.collector import SETTINGS, Collector, join_lines, number_lines, running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pipe"


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def write(path: Path, data: bytes) -> None:
    """Open the pipe, write all of `data`, and leave, as `cat` would."""
    with path.open("wb", buffering=0) as pipe:
        view = memoryview(data)
        while view:
            view = view[pipe.write(view) :]


async def test_pipe_is_made_where_nothing_is(path: Path, strict_umask: None) -> None:
    """Owner and group may write to it, whatever the umask; it stays when the source stops."""
    async with running(FifoSource(path, SETTINGS)):
        pass
    assert stat.filemode(os.lstat(path).st_mode) == "prw-rw----"


async def test_lines_carry_the_path_as_origin(path: Path) -> None:
    """`getfilename()` returns the absolute path."""
    async with running(FifoSource(path, SETTINGS)) as collector:
        write(path, b"a\nb\n")
    assert collector.batches == [Batch.of([b"a", b"b"], bytes(path))]


async def test_writer_that_came_first_is_served(path: Path) -> None:
    """A writer blocks in its open until we come; nothing is lost by the order of start."""
    os.mkfifo(path)
    source = FifoSource(path, SETTINGS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, write, path, b"early\n")
        await wait_all_tasks_blocked()
        async with running(source) as collector:
            await collector.wait_lines(1)
    assert collector.lines == [b"early"]


async def test_writers_come_and_go(path: Path) -> None:
    """The end of a writer is not the end of the pipe."""
    async with running(FifoSource(path, SETTINGS)) as collector:
        for text in (b"first\n", b"second\n"):
            write(path, text)
            await wait_all_tasks_blocked()
    assert [batch.lines for batch in collector.batches] == [[b"first"], [b"second"]]


async def test_partial_line_waits_for_its_rest(path: Path) -> None:
    """The rest may come from the next writer."""
    async with running(FifoSource(path, SETTINGS)) as collector:
        write(path, b"be")
        await wait_all_tasks_blocked()
        assert collector.lines == []
        write(path, b"gun\n")
    assert collector.lines == [b"begun"]


async def test_stop_delivers_what_is_in_the_pipe(path: Path) -> None:
    """Lines that were written before the stop arrive, the unended last one too."""
    lines = number_lines(50_000)
    async with running(FifoSource(path, SETTINGS)) as collector:
        write(path, join_lines(lines) + b"unended")
    assert collector.lines == [*lines, b"unended"]


async def test_stop_does_not_wait_for_a_busy_writer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is stopped reads a limited number of bytes, however much there is."""
    monkeypatch.setattr(intake, "MAX_DRAIN_BYTES", 40)
    monkeypatch.setattr(intake, "READ_BUFFER", bytearray(10))
    async with running(FifoSource(path, SETTINGS)) as collector:
        write(path, b"123456789\n" * 100)
    assert collector.lines == [b"123456789"] * 4


@pytest.mark.parametrize("writers", [1, 2])
async def test_every_line_arrives_once(path: Path, writers: int) -> None:
    """100,000 lines, from one writer or two at once, each writer's in order."""
    sent = [number_lines(100_000 // writers, f"writer {writer}") for writer in range(writers)]
    async with running(FifoSource(path, SETTINGS)) as collector, trio.open_nursery() as nursery:
        for lines in sent:
            nursery.start_soon(trio.to_thread.run_sync, write_in_blocks, path, lines)
    assert len(collector.lines) == 100_000
    for writer, lines in enumerate(sent):
        assert [line for line in collector.lines if line.startswith(b"writer %d" % writer)] == lines


def write_in_blocks(path: Path, lines: list[bytes]) -> None:
    """Write whole lines in blocks that the kernel does not mix with another writer's (pipe(7): PIPE_BUF)."""
    with path.open("wb", buffering=0) as pipe:
        for start in range(0, len(lines), 100):
            pipe.write(join_lines(lines[start : start + 100]))


async def test_any_bytes_pass(path: Path) -> None:
    """NUL, invalid UTF-8 and lone carriage returns stay; the batch is then not ASCII."""
    async with running(FifoSource(path, SETTINGS)) as collector:
        write(path, b"nul \0\nbad \xff\xfe\ncr \r here\r\n")
    assert collector.batches == [Batch.of([b"nul \0", b"bad \xff\xfe", b"cr \r here"], bytes(path))]


async def test_ten_megabytes_without_a_line_feed_are_one_cut_line(path: Path) -> None:
    """The line is cut at the limit and counted, and the next one is whole."""
    source = FifoSource(path, SourceSettings(logs=(), max_line_bytes=1000))
    async with running(source) as collector:
        await trio.to_thread.run_sync(write, path, b"x" * 10_000_000 + b"\nnext\n")
    assert collector.lines == [b"x" * 1000, b"next"]
    assert source.counts.lines_truncated == 1


async def test_busy_pipe_does_not_starve_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line in a quiet pipe is delivered within a few batches of the busy one, not after all of them."""
    monkeypatch.setattr(intake, "READ_BUFFER", bytearray(100))
    busy, quiet = (FifoSource(tmp_path / name, SETTINGS) for name in ("busy", "quiet"))
    collector = Collector()
    async with trio.open_nursery() as nursery:
        for pipe in (busy, quiet):
            pipe.prepare()
            await nursery.start(pipe.run, collector)
        write(busy.path, b"123456789\n" * 5000)
        write(quiet.path, b"quiet\n")
        await collector.wait_lines(5001)
        nursery.cancel_scope.cancel()
    assert len(collector.batches) > 500
    assert [batch.lines for batch in collector.batches].index([b"quiet"]) < 5


async def test_pipe_is_as_wide_as_the_kernel_allows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 MiB for anybody; where that is refused, the next smaller size."""
    source = FifoSource(path, SETTINGS)
    source.prepare()
    assert source.descriptor is not None
    assert fcntl.fcntl(source.descriptor, fcntl.F_GETPIPE_SZ) == intake.PIPE_BYTES
    monkeypatch.setattr(intake, "PIPE_BYTES", 8 * intake.PIPE_BYTES)
    before = os.geteuid()
    os.seteuid(before or 65534)  # root may have any size
    try:
        intake.widen_pipe(source.descriptor)
    finally:
        os.seteuid(before)
    assert fcntl.fcntl(source.descriptor, fcntl.F_GETPIPE_SZ) == intake.PIPE_BYTES // 8
    source.close()
    source.close()


def test_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """The operator is told what could not be opened, and why."""
    path = tmp_path / "none" / "pipe"
    with pytest.raises(SettingError) as caught:
        FifoSource(path, SETTINGS).prepare()
    assert str(caught.value) == f"The pipe {path} cannot be opened: no such file or directory."


def test_something_else_in_the_place_of_the_pipe_is_one_sentence(path: Path) -> None:
    """What took the pipe's place since the flags were read is not read as a pipe."""
    path.touch()
    with pytest.raises(SettingError) as caught:
        FifoSource(path, SETTINGS).prepare()
    assert str(caught.value) == f"{path} is not a named pipe."
