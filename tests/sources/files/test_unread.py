"""What is not read: what fails is tried again; what is compressed, a copy, ignored or no file is passed over."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from trio.testing import MockClock

from pipeline.batch import Batch
from tests.sources.collector import join_lines, number_lines, running
from tests.sources.files.scenes import (
    FROM_START,
    append,
    as_reader,
    as_writer,
    count_of,
    follow,
    look_again,
    make_source,
    open_folder,
    path,
    read_briefly,
)

__all__ = ["path"]


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
async def test_file_that_cannot_be_opened_at_the_start_is_read_from_where_it_ended(
    pattern: str, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Each failure is counted, the first is logged; no line is lost."""
    with open_folder() as folder:
        path = folder / "app.log"
        with path.open("wb", buffering=0) as writer:
            writer.write(b"old\n")
            path.chmod(0)
            source = make_source(folder, pattern)
            with as_reader():
                async with running(source) as collector:
                    await look_again()
                    writer.write(b"new\n")
                    with as_writer():
                        path.chmod(0o644)
                    await look_again()
    assert collector.lines == [b"new"]
    assert count_of(source).errors >= 2
    assert caplog.messages == [
        f"{path} cannot be read: permission denied. It is tried again every 0.25 s; more failures are only counted."
    ]


async def test_path_that_cannot_be_looked_at_is_waited_for(path: Path, autojump_clock: MockClock) -> None:
    """A file whose folder is in a loop of links for a while is read on where we were."""
    folder = path.parent / "folder"
    folder.symlink_to(path.parent)
    source = follow(folder / "app.log")
    async with running(source) as collector:
        folder.unlink()
        folder.symlink_to(folder)
        await look_again()
        folder.unlink()
        folder.symlink_to(path.parent)
        append(path, b"new\n")
        await look_again()
    assert collector.lines == [b"new"]
    assert count_of(source).errors >= 1


async def test_folder_that_cannot_be_listed_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Neither can it be watched."""
    (tmp_path / "loop").symlink_to("loop")
    assert await read_briefly(make_source(tmp_path, "loop/*")) == []
    trouble = "too many levels of symbolic links"
    assert caplog.messages == [
        f"{tmp_path}/loop cannot be listed: {trouble}. Files in it are not found until it can be.",
        f"{tmp_path}/loop/*: changes are not told of by inotify: {trouble}. They are looked for every 0.25 s.",
    ]


class FailingRead:
    """A call to the system as it is over NFS, or over a broken disk, for some times."""

    def __init__(self, number: int, times: int, real: Callable[..., object]) -> None:
        self.number = number
        self.times = times
        self.real = real

    def __call__(self, *arguments: object) -> object:
        if self.times:
            self.times -= 1
            raise OSError(self.number, os.strerror(self.number))
        return self.real(*arguments)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO])
async def test_read_that_fails_is_tried_again(
    path: Path, number: int, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The same file is gone on with, after a stale handle of NFS too, which has to be opened anew."""
    source = follow(path)
    async with running(source) as collector:
        append(path, b"one\n")
        await look_again()
        monkeypatch.setattr(os, "preadv", FailingRead(number, 1, os.preadv))
        append(path, b"two\n")
        await look_again()
        append(path, b"three\n")
        await look_again()
    assert collector.lines == [b"one", b"two", b"three"]
    counts = count_of(source)
    assert (counts.errors, counts.opens) == (1, 1 + (number == errno.ESTALE))


async def test_stale_handle_of_a_file_that_was_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """The new one is read from its start."""
    async with running(follow(path)) as collector:
        append(path, b"one\n")
        await look_again()
        monkeypatch.setattr(os, "preadv", FailingRead(errno.ESTALE, 1, os.preadv))
        path.unlink()
        path.write_bytes(b"two\n")
        await look_again()
    assert collector.lines == [b"one", b"two"]
    assert caplog.messages == [
        f"{path} cannot be read: stale file handle. It is tried again every 0.25 s; more failures are only counted."
    ]


async def test_file_that_fails_holds_up_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The successor of a file that cannot be read to its end is read."""
    async with running(follow(path)) as collector:
        await look_again()
        append(path, b"one\n")
        path.rename(path.with_suffix(".1"))
        path.write_bytes(b"two\n")
        monkeypatch.setattr(os, "preadv", FailingRead(errno.EIO, 1, os.preadv))
        await look_again()
    assert sorted(collector.lines) == [b"one", b"two"]


async def test_file_that_cannot_be_looked_into_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Its descriptor is closed meanwhile."""
    source = make_source(path.parent, "*.log")
    async with running(source) as collector:
        monkeypatch.setattr(os, "pread", FailingRead(errno.EIO, 1, os.pread))
        path.with_name("new.log").write_bytes(b"new\n")
        await look_again()
    assert collector.lines == [b"new"]
    assert [part.counts.errors for part in source.parts] == [0, 1]


async def test_compressed_file_is_not_read(
    path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """It is said once, and nothing is counted of it; one that is there at the start neither."""
    caplog.set_level(logging.INFO)
    data = gzip.compress(b"line\n" * 1000)
    (path.parent / "app.log.2.gz").write_bytes(data)
    source = make_source(path.parent, "app.log*")
    async with running(source) as collector:
        with (path.parent / "app.log.1.gz").open("wb", buffering=0) as file:
            for start in range(0, len(data), 10):
                file.write(data[start : start + 10])
                await look_again()
    assert collector.lines == []
    assert [part.name for part in source.parts] == [str(path)]
    assert caplog.messages == [
        f"{path}.2.gz is not read: it is compressed by gzip.",
        f"{path}.1.gz is not read: it is compressed by gzip.",
    ]


async def test_file_whose_first_byte_tells_nothing_is_read_when_more_comes(
    path: Path, autojump_clock: MockClock
) -> None:
    """A `B` may begin a line or what bzip2 wrote."""
    new = path.with_name("new.log")
    async with running(make_source(path.parent, "*.log")) as collector:
        append(new, b"B")
        await look_again()
        append(new, b"y\n")
        await look_again()
    assert collector.lines == [b"By"]


async def test_copy_is_not_read(path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock) -> None:
    """Until something else is in it than in the file that is read."""
    caplog.set_level(logging.INFO)
    lines = number_lines(10)
    other = path.with_name("app.log.1")
    async with running(make_source(path.parent, "app.log*")) as collector:
        append(path, join_lines(lines))
        await look_again()
        other.write_bytes(path.read_bytes())
        await look_again()
        assert collector.lines == lines
        append(other, b"more\n")
        await look_again()
        assert collector.lines == lines
        other.write_bytes(b"other\n")
        await look_again()
    assert collector.lines == [*lines, b"other"]
    assert caplog.messages == [f"{other} is not read: it is a copy of a file that is read."]


async def test_copy_at_the_path_of_an_older_file_takes_nothing_from_it(path: Path, autojump_clock: MockClock) -> None:
    """The older one is counted on under the path where it was found."""
    first, second = path.with_name("app.log.1"), path.with_name("app.log.2")
    path.write_bytes(join_lines(number_lines(20)))
    first.write_bytes(b"older\n")
    source = make_source(path.parent, "app.log*")
    async with running(source) as collector:
        first.rename(second)
        first.write_bytes(path.read_bytes())
        append(second, b"more\n")
        await look_again()
    assert collector.batches == [Batch.of([b"more"], bytes(first))]
    assert {part.name for part in source.parts} == {str(first), str(path)}


async def test_copy_is_looked_for_among_what_is_there(path: Path, autojump_clock: MockClock) -> None:
    """A folder of such a name is none, nor is a file that begins otherwise."""
    lines = number_lines(20)
    source = follow(path)
    async with running(source) as collector:
        append(path, join_lines(lines[:10]))
        await look_again()
        path.with_name("app.log.0").mkdir()
        path.with_name("web.log").touch()
        path.with_name("app.log.1").write_bytes(b"other\n" * 100)
        append(path, join_lines(lines[10:]))
        path.with_name("app.log.2").write_bytes(path.read_bytes())
        path.write_bytes(b"")
        await look_again()
    assert collector.lines == lines


async def test_names_that_match_the_ignore_pattern_are_not_read(path: Path, autojump_clock: MockClock) -> None:
    """It is searched for in the name without the folder."""
    settings = replace(FROM_START, ignore_filename_regex_pattern=r"\.old|^x")
    for name in ("app.log.old", "x.log"):
        path.with_name(name).write_bytes(b"ignored\n")
    assert await read_briefly(make_source(path.parent, "*", settings)) == [b"old"]


async def test_what_is_neither_file_nor_pipe_is_told_of_once(
    path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Of a folder nothing is said, unless it is the one path that was named."""
    (path.parent / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{path.parent}/s")
    assert await read_briefly(make_source(path.parent, "*", FROM_START)) == [b"old"]
    assert await read_briefly(follow(path.parent / "folder")) == []
    assert caplog.messages == [
        f"{path.parent}/s is not read: it is neither a file nor a named pipe.",
        f"{path.parent}/folder is not read: it is neither a file nor a named pipe.",
    ]


async def test_pipe_that_cannot_be_opened_is_tried_again(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Each failure is counted, the first is logged."""
    with open_folder() as folder:
        pipe = folder / "pipe"
        os.mkfifo(pipe)
        pipe.chmod(0)
        source = make_source(folder, "p*")
        with as_reader():
            async with running(source) as collector:
                await look_again()
                assert count_of(source).errors >= 2
                with as_writer():
                    pipe.chmod(0o666)
                await look_again()
                pipe.write_bytes(b"line\n")
                await look_again()
    assert collector.lines == [b"line"]
    assert caplog.messages == [
        f"The pipe {pipe} cannot be opened: permission denied."
        " It is tried again every 0.25 s; more failures are only counted."
    ]


async def test_pipe_that_fails_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Files and other pipes are read on meanwhile."""
    os.mkfifo(tmp_path / "pipe")
    source = make_source(tmp_path, "p*")
    async with running(source) as collector:
        await look_again()
        holder = os.open(tmp_path / "pipe", os.O_RDWR)
        monkeypatch.setattr(os, "readv", FailingRead(errno.EIO, 1, os.readv))
        os.write(holder, b"line\n")
        await collector.wait_lines(1)
        os.close(holder)
    assert collector.lines == [b"line"]
    assert caplog.messages == [
        f"{tmp_path}/pipe failed: input/output error. It is tried again every 0.25 s; more failures are only counted."
    ]
