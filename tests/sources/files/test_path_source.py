"""Files and patterns of such: from where on they are read, when, in which turn. The clock jumps over waits."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.settings import SourceSettings
from pipeline.sources.files import PathPattern, PathSource
from pipeline.sources.files.roster import DELETED_SECONDS, MOVED_SECONDS, REPLACED_SECONDS, Roster
from pipeline.sources.files.source import find_earliest_scan
from pipeline.sources.files.tail import find_data
from pipeline.sources.surroundings import Surroundings
from tests.sources.collector import SETTINGS, join_lines, number_lines, running
from tests.sources.files.scenes import (
    FROM_START,
    SLOW,
    PollingSource,
    append,
    count_of,
    follow,
    load_inotify,
    look_again,
    make_source,
    path,
    read_briefly,
)

__all__ = ["path"]


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
