"""Regular files: growth, truncation, rotation, deletion. The clock jumps over each wait between two looks."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline.batch import Batch
from pipeline.settings import SourceSettings
from pipeline.sources.file import FileSource
from tests.sources.collector import SETTINGS, join_lines, number_lines, running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def look_again() -> None:
    """Let the source look at its file at least twice."""
    await trio.sleep(3 * SETTINGS.poll_interval_seconds)


async def test_file_is_read_from_its_end(path: Path, autojump_clock: MockClock) -> None:
    """What was there before we came is not read; what comes is, line by line."""
    source = FileSource(path, SETTINGS)
    async with running(source) as collector:
        append(path, b"new\nbeg")
        await look_again()
        append(path, b"un\n")
        await look_again()
    assert collector.batches == [
        Batch.of([b"new"], bytes(path)),
        Batch.of([b"begun"], bytes(path)),
    ]
    assert (source.counts.opens, source.counts.closes, source.counts.errors) == (1, 1, 0)


async def test_file_is_looked_at_every_poll_interval(path: Path, autojump_clock: MockClock) -> None:
    """And no more often while nothing comes."""
    source = FileSource(path, SourceSettings(logs=(), poll_interval_seconds=10))
    async with running(source) as collector:
        await trio.sleep(5)
        append(path, b"new\n")
        await trio.sleep(4)
        assert collector.lines == []
        await trio.sleep(2)
        assert collector.lines == [b"new"]


async def test_stop_reads_what_was_written(path: Path, autojump_clock: MockClock) -> None:
    """The unended last line is delivered too."""
    lines = number_lines(100_000)
    async with running(FileSource(path, SETTINGS)) as collector:
        append(path, join_lines(lines) + b"unended")
    assert collector.lines == [*lines, b"unended"]


async def test_truncated_file_is_read_from_its_start(path: Path, autojump_clock: MockClock) -> None:
    """The unended line is delivered, once, and does not begin the next."""
    source = FileSource(path, SETTINGS)
    async with running(source) as collector:
        append(path, b"before\nunended")
        await look_again()
        path.write_bytes(b"after\n")
        await look_again()
    assert collector.lines == [b"before", b"unended", b"after"]
    assert source.counts.file_truncates == 1


async def test_rotated_file_is_read_to_its_end_then_its_successor(path: Path, autojump_clock: MockClock) -> None:
    """A late line of the old file, its unended one, and all of the new file arrive, in this order."""
    source = FileSource(path, SETTINGS)
    async with running(source) as collector:
        append(path, b"before\n")
        await look_again()
        path.rename(path.with_suffix(".1"))
        append(path.with_suffix(".1"), b"late\nunended")
        path.write_bytes(b"after\n")
        await look_again()
    assert collector.lines == [b"before", b"late", b"unended", b"after"]
    assert (source.counts.opens, source.counts.closes) == (2, 2)


async def test_renamed_file_is_followed_until_its_successor_comes(path: Path, autojump_clock: MockClock) -> None:
    """A writer that has not opened the new file yet loses nothing."""
    async with running(FileSource(path, SETTINGS)) as collector:
        path.rename(path.with_suffix(".1"))
        await look_again()
        append(path.with_suffix(".1"), b"between\n")
        await look_again()
        path.write_bytes(b"after\n")
        await look_again()
    assert collector.lines == [b"between", b"after"]


async def test_file_that_is_moved_back_is_not_read_twice(path: Path, autojump_clock: MockClock) -> None:
    """It is the same file, whatever it was called meanwhile."""
    async with running(FileSource(path, SETTINGS)) as collector:
        append(path, b"once\n")
        path.rename(path.with_suffix(".1"))
        await look_again()
        path.with_suffix(".1").rename(path)
        await look_again()
    assert collector.lines == [b"once"]


async def test_deleted_file_is_let_go_and_its_successor_read_from_the_start(
    path: Path, autojump_clock: MockClock
) -> None:
    """Its disk space comes free at once; its unended line is delivered."""
    source = FileSource(path, SETTINGS)
    async with running(source) as collector:
        append(path, b"unended")
        await look_again()
        path.unlink()
        await look_again()
        assert collector.lines == [b"unended"]
        assert source.descriptor is None
        path.write_bytes(b"after\n")
        await look_again()
    assert collector.lines == [b"unended", b"after"]


async def test_link_that_is_switched_is_a_rotation(path: Path, autojump_clock: MockClock) -> None:
    """A symbolic link is followed."""
    link = path.with_name("link")
    link.symlink_to(path)
    async with running(FileSource(link, SETTINGS)) as collector:
        append(path, b"first\n")
        await look_again()
        other = path.with_name("other")
        other.write_bytes(b"second\n")
        link.unlink()
        link.symlink_to(other)
        await look_again()
    assert collector.lines == [b"first", b"second"]


async def test_path_that_cannot_be_read_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Each failure is counted, the first is logged, and the file is then read from its end, as any we find."""
    path = tmp_path / "log"
    path.mkdir()
    source = FileSource(path, SETTINGS)
    async with running(source) as collector:
        await look_again()
        path.rename(tmp_path / "folder")
        (tmp_path / "new").write_bytes(b"old\n")
        (tmp_path / "new").rename(path)
        await look_again()
        append(path, b"new\n")
        await look_again()
    assert collector.lines == [b"new"]
    assert source.counts.errors >= 3
    assert caplog.record_tuples == [
        (
            "pipeline.sources.file",
            logging.WARNING,
            f"{path} cannot be read: it is not a regular file."
            " It is tried again every 0.25 s; more failures are only counted.",
        )
    ]


async def test_path_that_cannot_be_looked_at_is_waited_for(path: Path, autojump_clock: MockClock) -> None:
    """A file whose folder is in a loop of links for a while is read on where we were."""
    folder = path.parent / "folder"
    folder.symlink_to(path.parent)
    source = FileSource(folder / "log", SETTINGS)
    async with running(source) as collector:
        folder.unlink()
        folder.symlink_to(folder)
        await look_again()
        folder.unlink()
        folder.symlink_to(path.parent)
        append(path, b"new\n")
        await look_again()
    assert collector.lines == [b"new"]
    assert source.counts.errors >= 1


async def test_stop_while_there_is_no_file(path: Path, autojump_clock: MockClock) -> None:
    """A stop ends the wait for a file."""
    source = FileSource(path, SETTINGS)
    async with running(source) as collector:
        path.unlink()
        await look_again()
    assert collector.lines == []
    assert not os.path.lexists(path)
