"""Files and patterns of such: which are read, from where on, what is said and counted. The clock jumps over waits."""

from __future__ import annotations

import errno
import gzip
import json
import logging
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.settings import ReadFrom, SourceSettings
from pipeline.sources.files import PathPattern, PathSource
from pipeline.sources.files.parts import FORGET_SECONDS, MAX_GONE, Parts
from pipeline.sources.files.roster import DELETED_SECONDS, MOVED_SECONDS, REPLACED_SECONDS, Roster
from pipeline.sources.files.source import find_earliest_scan
from pipeline.sources.files.tail import find_data
from pipeline.sources.intake import READ_BYTES
from pipeline.sources.surroundings import Surroundings
from pipeline.telemetry import SourceCounts
from tests.sources.collector import SETTINGS, join_lines, number_lines, running
from tests.sources.files.scenes import (
    PollingSource,
    as_reader,
    as_writer,
    load_inotify,
    look_again,
    make_source,
    open_folder,
)

FROM_START = replace(SETTINGS, read_from=ReadFrom.START)
SLOW = replace(SETTINGS, poll_interval_seconds=10.0, poll_log_interval_seconds=10.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(b"old\n")
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def follow(path: Path, settings: SourceSettings = SETTINGS, kind: type[PathSource] = PathSource) -> PathSource:
    """Return the source of one path."""
    return kind(PathPattern.of_path(str(path)), settings)


def count_of(source: PathSource, number: int = 0) -> SourceCounts:
    return source.parts[number].counts


async def read_briefly(source: PathSource) -> list[bytes]:
    """Return the lines that are there."""
    async with running(source) as collector:
        await look_again()
    return collector.lines


async def test_file_is_read_from_its_end(path: Path, autojump_clock: MockClock) -> None:
    """What was there before we came is not read; what comes is, line by line."""
    source = follow(path)
    async with running(source) as collector:
        append(path, b"new\nbeg")
        await look_again()
        append(path, b"un\n")
        await look_again()
    assert collector.batches == [Batch.of([b"new"], bytes(path)), Batch.of([b"begun"], bytes(path))]
    counts = count_of(source)
    assert (counts.opens, counts.closes, counts.errors, counts.bytes_read) == (1, 1, 0, 10)


async def test_file_is_read_from_its_start_if_asked(path: Path, autojump_clock: MockClock) -> None:
    """Of several the one that was written to first, so that rotated lines come in order."""
    path.rename(path.with_name("app.log.1"))
    path.write_bytes(b"new\n")
    os.utime(path.with_name("app.log.1"), (1, 1))
    assert await read_briefly(make_source(path.parent, "app.log*", FROM_START)) == [b"old", b"new"]


async def test_file_that_comes_later_is_read_from_its_start(tmp_path: Path, autojump_clock: MockClock) -> None:
    """mtail reads it from its end."""
    source = make_source(tmp_path, "*.log")
    async with running(source) as collector:
        assert source.parts == []
        await look_again()
        (tmp_path / "new.log").write_bytes(b"first\n")
        await look_again()
    assert collector.batches == [Batch.of([b"first"], bytes(tmp_path / "new.log"))]


async def test_writing_wakes_us(path: Path) -> None:
    """With inotify a line does not wait for the next look, which is an hour away."""
    source = follow(path, SourceSettings(logs=(), poll_interval_seconds=3600, poll_log_interval_seconds=3600))
    async with running(source) as collector:
        await wait_all_tasks_blocked()
        append(path, b"one\n")
        await collector.wait_lines(1)
        path.rename(path.with_suffix(".1"))
        path.write_bytes(b"two\n")
        await collector.wait_lines(2)
    assert collector.lines == [b"one", b"two"]


async def test_writing_through_a_link_wakes_us(path: Path) -> None:
    """The folder of the file is watched, and that of the link."""
    (path.parent / "links").mkdir()
    link = path.parent / "links" / "app.log"
    link.symlink_to(path)
    source = follow(link, SourceSettings(logs=(), poll_interval_seconds=3600, poll_log_interval_seconds=3600))
    async with running(source) as collector:
        await wait_all_tasks_blocked()
        append(path, b"one\n")
        await collector.wait_lines(1)
        link.unlink()
        link.symlink_to("other")
        (link.parent / "other").write_bytes(b"two\n")
        await collector.wait_lines(2)
    assert collector.lines == [b"one", b"two"]


async def test_what_does_not_match_wakes_nobody(path: Path, autojump_clock: MockClock) -> None:
    """Other files of a busy folder cost no look."""
    source = follow(path, SLOW)
    async with running(source):
        await trio.sleep(1)
        planned = source.next_scan
        append(path.with_name("other"), b"line\n")
        await trio.sleep(1)
        assert source.next_scan == planned


async def test_without_inotify_files_are_looked_at_every_interval(
    path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """It is said once, and inotify is taken up again when it can be had."""
    source = follow(path, SLOW)
    load_inotify()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with path.open("ab", buffering=0) as writer:
        free = os.dup(writer.fileno())
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, limits[1]))  # enough for the log
        try:
            async with running(source) as collector:
                await trio.sleep(5)
                writer.write(b"new\n")
                await trio.sleep(4)
                assert collector.lines == []
                await trio.sleep(20)
                assert collector.lines == [b"new"]
                watching = [source.is_watching]
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                await trio.sleep(20)
                watching.append(source.is_watching)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert watching == [False, True]
    assert caplog.messages == [
        f"{path}: changes are not told of by inotify: too many open files. They are looked for every 10 s."
    ]


async def test_stop_reads_what_was_written(path: Path, autojump_clock: MockClock) -> None:
    """The unended last line is delivered too, and a file that nobody has seen yet is found."""
    lines = number_lines(100_000)
    async with running(make_source(path.parent, "*.log")) as collector:
        append(path, join_lines(lines) + b"unended")
        append(path.with_name("new.log"), b"late\n")
    assert [line for line in collector.lines if line != b"late"] == [*lines, b"unended"]
    assert b"late" in collector.lines


async def test_stop_in_a_hurry_leaves_the_rest(path: Path, autojump_clock: MockClock) -> None:
    """When the time is up nothing more is read."""
    source = PathSource(PathPattern.of_path(str(path)), SETTINGS, Surroundings(may_drain=lambda: False))
    async with running(source) as collector:
        append(path, b"late\n")
    assert collector.lines == []


async def test_unended_line_is_delivered_once_at_truncation(path: Path, autojump_clock: MockClock) -> None:
    """It does not begin the next."""
    source = follow(path)
    async with running(source) as collector:
        append(path, b"before\nunended")
        await look_again()
        path.write_bytes(b"after\n")
        await look_again()
    assert collector.lines == [b"before", b"unended", b"after"]
    counts = count_of(source)
    assert (counts.file_truncates, counts.lines_partial, counts.lag_bytes) == (1, 1, 0)


async def test_hole_that_a_truncation_leaves_is_skipped(path: Path, autojump_clock: MockClock) -> None:
    """A writer that does not append goes on at its old place."""
    source = follow(path, kind=PollingSource)
    with path.open("r+b", buffering=0) as writer:
        async with running(source) as collector:
            writer.write(b"x" * 100_000 + b"\n")
            await look_again()
            os.truncate(path, 0)
            writer.write(b"after\n")
            await look_again()
            os.truncate(path, 0)
            await look_again()
            writer.write(b"last\n")
            await look_again()
    assert collector.lines[1:] == [b"after", b"last"]


def test_data_behind_a_hole_is_found(tmp_path: Path) -> None:
    """Nothing but NUL is taken as it is."""
    for content, start in ((b"\0" * 5000 + b"x", 5000), (b"x\0", 0), (b"", 0), (b"\0" * 10, 0)):
        (tmp_path / "log").write_bytes(content)
        descriptor = os.open(tmp_path / "log", os.O_RDONLY)
        assert find_data(descriptor) == start
        os.close(descriptor)


@pytest.mark.slow
async def test_old_file_is_read_to_its_end_first(path: Path, autojump_clock: MockClock) -> None:
    """Then its successor; and what is written to it later, for a while."""
    source = follow(path)
    old = path.with_suffix(".1")
    lines = number_lines(200_000)
    async with running(source) as collector:
        path.rename(old)
        append(old, join_lines(lines))
        path.write_bytes(b"after\n")
        await look_again()
        assert collector.lines == [*lines, b"after"]
        append(old, b"late\nunended")
        await trio.sleep(REPLACED_SECONDS - 5)
        assert collector.lines[-1] == b"late"
        await trio.sleep(10)
        assert collector.lines[-1] == b"unended"
        append(old, b"too late\n")
        await look_again()
    assert collector.lines[-2:] == [b"late", b"unended"]
    assert (count_of(source).opens, count_of(source).closes) == (2, 2)


async def test_files_that_are_rotated_before_they_are_seen_are_read(path: Path) -> None:
    """Several times between two looks; inotify tells where they went. The order is that of writing."""
    source = follow(path, SLOW)
    async with running(source) as collector:
        await wait_all_tasks_blocked()
        for number in range(4):
            append(path, b"%d\n" % number)
            for old in range(number, 0, -1):
                path.with_suffix(f".{old}").rename(path.with_suffix(f".{old + 1}"))
            path.rename(path.with_suffix(".1"))
        path.with_name("other").touch()
        path.with_name("other").rename(path.with_name("other.1"))
        path.with_suffix(".3").unlink()
        path.write_bytes(b"4\n")
        await collector.wait_lines(4)
    assert [(batch.lines, batch.origin) for batch in collector.batches] == [
        ([line], bytes(path)) for line in (b"0", b"2", b"3", b"4")
    ]


async def test_file_that_is_moved_back_after_long_is_gone_on_with(path: Path, autojump_clock: MockClock) -> None:
    """It is known again by its device, inode and beginning."""
    source = follow(path, SLOW)
    async with running(source) as collector:
        append(path, b"once\n")
        path.rename(path.with_suffix(".1"))
        await trio.sleep(MOVED_SECONDS + 30)
        assert source.roster.tails == {}
        path.with_suffix(".1").rename(path)
        append(path, b"more\n")
        await look_again()
    assert collector.lines == [b"once", b"more"]


async def test_deleted_file_is_let_go_soon(path: Path, autojump_clock: MockClock) -> None:
    """Its disk space comes free, and its unended line is delivered."""
    source = follow(path)
    async with running(source) as collector:
        append(path, b"unended")
        await look_again()
        path.unlink()
        await trio.sleep(DELETED_SECONDS + 1)
        assert collector.lines == [b"unended"]
        assert source.roster.tails == {}
        path.write_bytes(b"after\n")
        await look_again()
    assert collector.lines == [b"unended", b"after"]


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


async def test_pipes_that_match_are_read(tmp_path: Path, autojump_clock: MockClock) -> None:
    """They come and go; they are opened, and never made."""
    first, second = tmp_path / "a.pipe", tmp_path / "b.pipe"
    os.mkfifo(first)
    source = make_source(tmp_path, "*.pipe")
    async with running(source) as collector:
        assert [part.name for part in source.parts] == [str(first)]
        assert len(source.descriptors) == 1
        first.write_bytes(b"one\n")
        await look_again()
        os.mkfifo(second)
        await look_again()
        second.write_bytes(b"two\nlast")
        first.unlink()
        await look_again()
        assert [part.name for part in source.parts] == [str(second)]
    assert collector.lines == [b"one", b"two", b"last"]
    assert not first.exists()


async def test_pipe_that_goes_before_it_is_read(tmp_path: Path) -> None:
    """What was opened is closed."""
    os.mkfifo(tmp_path / "pipe")
    source = make_source(tmp_path, "p*")
    source.prepare()
    (tmp_path / "pipe").unlink()
    source.pipes.update(source.roster.scan(0.0))
    assert source.parts == []
    source.close()


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


async def test_two_patterns_read_a_file_once(path: Path, autojump_clock: MockClock) -> None:
    """By its path, and when it is renamed from one to the other."""
    surroundings = Surroundings()
    first = make_source(path.parent, "app.log", surroundings=surroundings)
    second = make_source(path.parent, "app.lo*", surroundings=surroundings)
    async with running(first) as of_first, running(second) as of_second:
        append(path, b"one\n")
        await look_again()
        path.rename(path.with_suffix(".log.1"))
        append(path.with_suffix(".log.1"), b"two\n")
        path.write_bytes(b"three\n")
        await look_again()
        await trio.sleep(REPLACED_SECONDS + 5)
        append(path.with_suffix(".log.1"), b"four\n")
        await look_again()
    assert of_first.lines == [b"one", b"two", b"three"]
    assert of_second.lines == [b"four"]


def test_path_that_another_source_let_go_is_read(path: Path) -> None:
    """A file that is gone is nobody's."""
    surroundings = Surroundings()
    first = make_source(path.parent, "*.log", surroundings=surroundings).roster
    second = make_source(path.parent, "a*", surroundings=surroundings).roster
    first.start({})
    second.start({})
    path.unlink()
    first.scan(1.0)
    path.write_bytes(b"new\n")
    second.scan(2.0)
    first.scan(3.0)
    assert [tail.path for tail in second.tails.values()] == [str(path)]
    assert len(first.tails) == 1  # the deleted one, for a while
    first.close()
    second.close()


@pytest.mark.slow
async def test_what_is_counted_of_a_file_goes_long_after_it(path: Path, autojump_clock: MockClock) -> None:
    """Dates in names do not add up; the path that the operator named stays."""
    known: list[str] = []
    surroundings = Surroundings(
        add_counts=lambda counts: known.append(os.fsdecode(counts.origin)),
        remove_counts=lambda counts: known.remove(os.fsdecode(counts.origin)),
    )
    dated = path.with_name("dated.log")
    dated.write_bytes(b"")
    async with (
        running(make_source(path.parent, "dated*", SLOW, surroundings=surroundings)) as collector,
        running(make_source(path.parent, "app.log", SLOW, surroundings=surroundings)),
    ):
        dated.unlink()
        path.unlink()
        await trio.sleep(FORGET_SECONDS - 30)
        assert known == [str(dated), str(path)]
        dated.write_bytes(b"")
        await look_again()
        dated.unlink()
        await trio.sleep(FORGET_SECONDS)
        assert known == [str(dated), str(path)]
        await trio.sleep(60)
        assert known == [str(path)]
        dated.write_bytes(b"back\n")
        await look_again()
        assert known == [str(path), str(dated)]
    assert collector.lines == [b"back"]


async def test_lag_is_what_is_not_read_yet(path: Path, autojump_clock: MockClock) -> None:
    """Of the old file and the new one together, while the old one is read to its end."""
    lags: list[int] = []
    source = follow(path, FROM_START)
    path.write_bytes((b"x" * 99 + b"\n") * 5000)
    source.prepare()
    counts = count_of(source)
    assert counts.lag_bytes == 500_000
    async with trio.open_nursery() as nursery:
        path.rename(path.with_suffix(".1"))
        path.write_bytes(b"line\n")
        await nursery.start(source.run, lambda _batch: lags.append(counts.lag_bytes))
        await look_again()
        nursery.cancel_scope.cancel()
    assert lags == [500_005, 500_005 - READ_BYTES, 5]
    assert counts.lag_bytes == 0


@pytest.mark.slow
async def test_many_idle_files_let_others_work(tmp_path: Path, autojump_clock: MockClock) -> None:
    """All are looked at."""
    for number in range(250):
        (tmp_path / f"{number}.log").touch()
    async with running(make_source(tmp_path, "*.log", kind=PollingSource)) as collector:
        await look_again()
        for number in range(250):
            append(tmp_path / f"{number}.log", b"%d\n" % number)
        await look_again()
    assert sorted(map(int, collector.lines)) == list(range(250))


def test_look_at_many_files_is_not_taken_often() -> None:
    """The next one is put off by what this one took."""
    assert find_earliest_scan(100.0, 100.0) == 100.0
    assert find_earliest_scan(100.0, 101.0) == 120.0


async def test_busy_file_starves_no_other(path: Path, autojump_clock: MockClock) -> None:
    """Files of one source take turns, a batch each."""
    other = path.with_name("other.log")
    source = make_source(path.parent, "*.log", FROM_START)
    append(path, b"x" * 99 + b"\n")
    with path.open("ab") as file:
        file.write((b"x" * 99 + b"\n") * 20_000)
    other.write_bytes(b"other\n")
    async with running(source) as collector:
        await look_again()
    assert b"other" in [line for batch in collector.batches[:2] for line in batch.lines]


async def test_end_looks_at_the_time_before_each_file(path: Path) -> None:
    """A thousand files that are far behind would else take a thousand batches."""
    batches: list[Batch] = []
    surroundings = Surroundings(may_drain=lambda: not batches)
    source = make_source(path.parent, "*.log", surroundings=surroundings)
    source.prepare()
    source.roster.deliver = batches.append
    for name in ("app.log", "web.log"):
        append(path.with_name(name), b"new\n")
    source.drain()
    source.close()
    assert batches == [Batch.of([b"new"], bytes(path))]


async def test_position_is_kept_only_if_asked(path: Path) -> None:
    """And is nothing otherwise."""
    source = follow(path)
    source.prepare()
    assert source.position is None
    source.close()


async def test_position_of_a_file_that_is_gone_is_told_of(
    path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """What was written behind it can be read nowhere."""
    settings = replace(SETTINGS, read_positions=True)
    source = make_source(path.parent, "app.log", settings)
    async with running(source):
        append(path, b"one\n")
    surroundings = Surroundings(positions={str(path): source.position})
    path.unlink()
    path.write_bytes(b"two\n")
    assert await read_briefly(make_source(path.parent, "app.log", settings, surroundings=surroundings)) == [b"two"]
    assert caplog.messages == [
        f"{path}: the file that was read up to byte 8 is gone. What was written to it after that is not read."
    ]


async def test_position_in_a_folder_that_is_gone_is_told_of(
    path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """The file is waited for."""
    settings = replace(SETTINGS, read_positions=True)
    folder = path.parent / "folder"
    folder.mkdir()
    (folder / "app.log").write_bytes(b"old\n")
    source = follow(folder / "app.log", settings)
    await read_briefly(source)
    (folder / "app.log").unlink()
    folder.rmdir()
    surroundings = Surroundings(positions={source.name: source.position})
    again = PathSource(source.roster.pattern, settings, surroundings)
    assert await read_briefly(again) == []
    assert len(caplog.messages) == 1


async def test_file_that_was_renamed_while_away_keeps_its_new_name(path: Path, autojump_clock: MockClock) -> None:
    """Unless another took the old one, as in a rotation."""
    settings = replace(SETTINGS, read_positions=True)
    source = make_source(path.parent, "*.log", settings)
    await read_briefly(source)
    path.rename(path.with_name("web.log"))
    append(path.with_name("web.log"), b"new\n")
    surroundings = Surroundings(positions={source.name: source.position})
    again = make_source(path.parent, "*.log", settings, surroundings=surroundings)
    async with running(again) as collector:
        await look_again()
    assert collector.batches == [Batch.of([b"new"], bytes(path.with_name("web.log")))]


async def test_file_that_a_whole_run_could_not_open_is_read_from_where_it_ended(autojump_clock: MockClock) -> None:
    """A restart that gives us the right to read it is no reason to count what was there long before."""
    settings = replace(SETTINGS, read_positions=True)
    with open_folder() as folder:
        path = folder / "app.log"
        path.write_bytes(b"old\n")
        path.chmod(0)
        before = make_source(folder, "*.log", settings)
        with as_reader():
            assert await read_briefly(before) == []
        path.chmod(0o644)
        append(path, b"new\n")
        surroundings = Surroundings(positions={before.name: json.loads(json.dumps(before.position))})
        after = make_source(folder, "*.log", settings, surroundings=surroundings)
        with as_reader():
            assert await read_briefly(after) == [b"new"]


@pytest.mark.parametrize("own", [None, {"files": []}])
async def test_file_goes_on_when_another_item_matches_it_now(
    path: Path, own: object, autojump_clock: MockClock
) -> None:
    """As when the operator makes a pattern of a path, or puts the items in another order."""
    settings = replace(SETTINGS, read_positions=True)
    before = follow(path, settings)
    await read_briefly(before)
    append(path, b"new\n")
    positions = {before.name: before.position, f"{path.parent}/*.log": own}
    after = make_source(path.parent, "*.log", settings, surroundings=Surroundings(positions=positions))
    assert await read_briefly(after) == [b"new"]


async def test_what_two_items_remember_of_a_file_is_one(path: Path, autojump_clock: MockClock) -> None:
    """It would else double at each restart, until nothing else is remembered."""
    path.write_bytes(b"this line is long enough for a copy of the file to be known by it\n")
    settings = replace(SETTINGS, read_positions=True)
    positions: dict[str, object] = {}
    for _ in range(3):
        surroundings = Surroundings(positions=positions)
        both = [make_source(path.parent, name, settings, surroundings=surroundings) for name in ("*.log", "app*")]
        async with running(both[0]), running(both[1]):
            await look_again()
            path.write_bytes(b"")
            await look_again()
        positions = {source.name: source.position for source in both}
    assert len(surroundings.ledger.past) == 1


async def test_source_can_be_prepared_again(path: Path, autojump_clock: MockClock) -> None:
    """After a failure it goes on where it was."""
    source = follow(path)
    await read_briefly(source)
    append(path, b"between\n")
    assert await read_briefly(source) == [b"between"]


def count_calls(work: Callable[[], object]) -> int:
    """Return how many functions of the sources `work` calls; Python may collect garbage meanwhile, and call others."""
    calls = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call" and "/pipeline/sources/" in frame.f_code.co_filename

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_new_file_costs_the_same_beside_many(tmp_path: Path) -> None:
    """Whether it is a copy shows in how it begins; nobody hashes all others for that."""
    roster = Roster(PathPattern.parse(f"{tmp_path}/*.log"), SETTINGS, Surroundings())
    costs = []
    for number in range(3):
        for other in range(20):
            (tmp_path / f"{number}-{other}.log").write_bytes(
                b"%d.%d: a line that is like no other, and is a long one\n" % (number, other)
            )
        roster.scan(0.0)
        usual = count_calls(lambda: roster.scan(0.0))
        (tmp_path / f"{number}.log").write_bytes(b"%d is new, and a line that is like no other, and long\n" % number)
        costs.append(count_calls(lambda: roster.scan(0.0)) - usual)
    roster.close()
    assert len(set(costs)) == 1


def test_files_that_are_gone_do_not_add_up() -> None:
    """However many come and go within the hour: those that have been gone longest are forgotten."""
    removed: list[bytes] = []
    surroundings = Surroundings(remove_counts=lambda counts: removed.append(counts.origin))
    parts = Parts(surroundings, 1.0, "/kept")
    for number in range(MAX_GONE + 1):
        parts.count(f"/{number}")
    parts.forget_others({"/0"}, 1.0)
    assert removed == []
    parts.forget_others(set(), 2.0)
    assert removed == [b"/1"]
    parts.forget_others(set(), FORGET_SECONDS + 1.0)
    assert [*parts.by_path] == ["/kept", "/0"]


async def test_path_that_is_named_is_counted_whatever_comes_there(path: Path, autojump_clock: MockClock) -> None:
    """A compressed file is let go of, and the series of the path stay."""
    source = follow(path)
    async with running(source) as collector:
        path.unlink()
        await trio.sleep(2 * DELETED_SECONDS)
        path.write_bytes(gzip.compress(b"x\n"))
        await look_again()
        assert [part.name for part in source.parts] == [str(path)]
    assert collector.lines == []
