"""Named pipes: real ones, with real writers."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.descriptors import Descriptors
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources import Surroundings, intake
from pipeline.sources.fifo import LOOK_SECONDS, FifoSource
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


def test_pipe_that_somebody_reads_is_not_read_by_another(path: Path, tmp_path: Path) -> None:
    """Neither under another name nor by another daemon: lines would be torn. It is free when it is let go of."""
    other_name = tmp_path / "other"
    other_name.symlink_to(path)
    source = FifoSource(path, SETTINGS)
    other = FifoSource(other_name, SETTINGS)
    source.prepare()
    with pytest.raises(SettingError) as caught:
        other.prepare()
    assert str(caught.value) == f"Somebody already reads the pipe {other_name}, perhaps under another name."
    source.close()
    other.prepare()
    other.close()


async def test_line_begun_is_delivered_after_a_while(path: Path, autojump_clock: MockClock) -> None:
    """Its writer may have died; the time begins anew with each piece. What comes later begins a line."""
    source = FifoSource(path, SourceSettings(logs=(), partial_line_timeout_seconds=10.0))
    async with running(source) as collector:
        write(path, b"be")
        await trio.sleep(9)
        write(path, b"gun")
        await trio.sleep(9)
        assert collector.lines == []
        await trio.sleep(2)
        assert collector.lines == [b"begun"]
        write(path, b"late\n")
        await wait_all_tasks_blocked()
    assert collector.lines == [b"begun", b"late"]
    assert source.counts.lines_partial == 1


async def test_line_begun_may_wait_for_ever(path: Path, autojump_clock: MockClock) -> None:
    """With --partial_line_timeout=0, and until the stop."""
    source = FifoSource(path, SourceSettings(logs=(), partial_line_timeout_seconds=0.0))
    async with running(source) as collector:
        write(path, b"begun")
        await trio.sleep(80_000)
        assert collector.lines == []
    assert collector.lines == [b"begun"]


def replace_pipe(path: Path) -> None:
    """Remove the pipe and make another, as an operator would."""
    path.unlink()
    os.mkfifo(path)


async def test_pipe_that_takes_the_place_of_ours_is_read(
    path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The earlier one too, until its last writer has gone; each has its own line begun."""
    source = FifoSource(path, SETTINGS)
    async with running(source) as collector:
        with path.open("wb", buffering=0) as earlier:
            earlier.write(b"a\nbeg")
            replace_pipe(path)
            await trio.sleep(LOOK_SECONDS * 1.5)
            write(path, b"b\n")
            earlier.write(b"un\nunended")
            await wait_all_tasks_blocked()
            assert len(source.pipes) == 2
        await wait_all_tasks_blocked()
        assert len(source.pipes) == 1
        assert sorted(collector.lines) == [b"a", b"b", b"begun", b"unended"]
        write(path, b"c\n")
    assert collector.lines[-1] == b"c"
    assert caplog.messages == [
        f"{path} is another pipe than before. It is read from now on, and the earlier one until its last writer goes."
    ]


async def test_pipe_that_comes_back_is_not_read_twice(path: Path, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Two readings would tear its lines. It is read on, and taken up anew when its last writer has gone."""
    source = FifoSource(path, SETTINGS)
    async with running(source) as collector:
        with path.open("wb", buffering=0) as writer:
            path.rename(tmp_path / "aside")
            os.mkfifo(path)
            await trio.sleep(LOOK_SECONDS * 1.5)
            (tmp_path / "aside").rename(path)
            await trio.sleep(LOOK_SECONDS)
            writer.write(b"a\nb")
            await wait_all_tasks_blocked()
            writer.write(b"c\n")
        await trio.sleep(LOOK_SECONDS)
        write(path, b"d\n")
        await wait_all_tasks_blocked()
        assert collector.lines == [b"a", b"bc", b"d"]
        assert len(source.descriptors) == 1


async def test_pipe_that_is_removed_is_made_again(path: Path, autojump_clock: MockClock) -> None:
    """A writer that opens it would make a plain file, or fail."""
    async with running(FifoSource(path, SETTINGS)) as collector:
        path.unlink()
        await trio.sleep(LOOK_SECONDS * 1.5)
        assert stat.filemode(os.lstat(path).st_mode) == "prw-rw----"
        write(path, b"line\n")
    assert collector.lines == [b"line"]


async def test_pipe_of_somebody_else_is_not_made_again(path: Path, autojump_clock: MockClock) -> None:
    """When it is back it is read."""
    os.mkfifo(path)
    async with running(FifoSource(path, SETTINGS, makes=False)) as collector:
        path.unlink()
        await trio.sleep(LOOK_SECONDS * 1.5)
        assert not path.exists()
        os.mkfifo(path)
        await trio.sleep(LOOK_SECONDS)
        write(path, b"line\n")
    assert collector.lines == [b"line"]


def test_pipe_that_is_not_to_be_made_must_be_there(path: Path) -> None:
    """One sentence."""
    with pytest.raises(SettingError) as caught:
        FifoSource(path, SETTINGS, makes=False).prepare()
    assert str(caught.value) == f"The pipe {path} cannot be opened: no such file or directory."


async def test_other_thing_in_the_place_of_the_pipe_is_told_once(
    path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """As the plain file that rsyslog makes; ours is read on, and what comes after it as well."""
    source = FifoSource(path, SETTINGS)
    async with running(source) as collector:
        with path.open("wb", buffering=0) as earlier:
            path.unlink()
            path.touch()
            await trio.sleep(LOOK_SECONDS * 3.5)
            earlier.write(b"line\n")
            await wait_all_tasks_blocked()
            assert collector.lines == [b"line"]
        path.unlink()
        path.parent.rename(path.parent.with_name("away"))
        await trio.sleep(LOOK_SECONDS)
        path.parent.with_name("away").rename(path.parent)
        await trio.sleep(LOOK_SECONDS)
        write(path, b"again\n")
    assert collector.lines == [b"line", b"again"]
    assert source.counts.errors == 4
    assert caplog.messages == [
        f"Our pipe is no longer at {path}, and none can be had there: {path} is not a named pipe. The earlier one is "
        "read on; the path is looked at again every 5 s.",
        f"Our pipe is no longer at {path}, and none can be had there: no such file or directory. The earlier one is "
        "read on; the path is looked at again every 5 s.",
        f"{path} is another pipe than before. It is read from now on, and the earlier one until its last writer goes.",
    ]


@dataclass(slots=True)
class Keeper:
    """Keeps descriptors as systemd does, for the next run of a source: each once, until it is to forget their name."""

    kept: list[tuple[int, str]] = field(default_factory=list)

    def __call__(self, text: str, descriptors: Sequence[int]) -> None:
        fields = dict(line.split("=") for line in text.splitlines())
        name = fields["FDNAME"]
        if "FDSTOREREMOVE" in fields:
            for descriptor in [descriptor for descriptor, other in self.kept if other == name]:
                os.close(descriptor)
            self.kept = [(descriptor, other) for descriptor, other in self.kept if other != name]
        for descriptor in descriptors:
            if identify_opening(descriptor) not in [identify_opening(known) for known, _ in self.kept]:
                self.kept.append((os.dup(descriptor), name))

    def start(self) -> Surroundings:
        """Return what the next run finds."""
        passed = [(os.dup(descriptor), name) for descriptor, name in self.kept]
        return Surroundings(Descriptors.receive(passed, self, stores=True))


def identify_opening(descriptor: int) -> tuple[int, int, int]:
    """Return what tells apart what was opened, where kcmp(2) is not to be had: the file, and how it was opened."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, fcntl.fcntl(descriptor, fcntl.F_GETFL)


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    keeper = Keeper()
    yield keeper
    for descriptor, _ in keeper.kept:
        os.close(descriptor)


async def test_pipe_that_is_kept_loses_and_splits_no_line(path: Path, keeper: Keeper) -> None:
    """Not what was read of it, nor what comes while nobody reads."""
    lines: list[bytes] = []
    with ExitStack() as stack:
        for part in (b"a\nb", b"e", b"gun\nc\n"):
            surroundings = keeper.start()
            source = FifoSource(path, SETTINGS, surroundings)
            async with running(source) as collector:
                surroundings.descriptors.settle()
                if not lines:
                    writer = stack.enter_context(path.open("wb", buffering=0))
                writer.write(part)
                await wait_all_tasks_blocked()
            surroundings.descriptors.hand_over()
            writer.write(b"-")
            lines += collector.lines
    assert lines == [b"a", b"b-e-gun", b"c"]
    assert source.counts.lines_partial == 0


def test_pipe_that_is_kept_can_be_opened_again(path: Path, keeper: Keeper) -> None:
    """After a failure of the source, as long as the daemon runs."""
    source = FifoSource(path, SETTINGS, keeper.start())
    source.prepare()
    source.close()
    source.prepare()
    source.close()
    assert len(keeper.kept) == 1


async def test_pipe_that_was_replaced_is_kept_until_its_last_writer_goes(
    path: Path, keeper: Keeper, autojump_clock: MockClock
) -> None:
    """Over a restart, and also if it was replaced between two runs; then nobody keeps it."""
    source = FifoSource(path, SETTINGS, keeper.start())
    async with running(source):
        earlier = path.open("wb", buffering=0)
        replace_pipe(path)
        await trio.sleep(LOOK_SECONDS * 1.5)
        assert len(keeper.kept) == 2
    earlier.write(b"a\n")
    middle = path.open("wb", buffering=0)
    replace_pipe(path)
    middle.write(b"b\n")
    async with running(FifoSource(path, SETTINGS, keeper.start())) as collector:
        write(path, b"c\n")
        await wait_all_tasks_blocked()
        assert len(keeper.kept) == 3
        earlier.close()
        middle.close()
        await wait_all_tasks_blocked()
        assert len(keeper.kept) == 1
    assert sorted(collector.lines) == [b"a", b"b", b"c"]


async def test_pipe_of_a_unit_is_held_open(path: Path) -> None:
    """systemd opens it for reading and writing; whoever passes one for reading only would see its end."""
    os.mkfifo(path)
    passed = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    descriptors = Descriptors.receive([(passed, "lines")], lambda _text, _descriptors: None, stores=False)
    async with running(FifoSource(path, SETTINGS, Surroundings(descriptors))) as collector:
        write(path, b"a\n")
        await wait_all_tasks_blocked()
        write(path, b"b\nunended")
    assert collector.lines == [b"a", b"b", b"unended"]


async def test_what_there_is_no_time_for_is_counted(path: Path) -> None:
    """And stays in the pipe."""
    late = False
    source = FifoSource(path, SETTINGS, Surroundings(may_drain=lambda: not late))
    source.prepare()
    async with trio.open_nursery() as nursery:
        await nursery.start(source.run, Collector())
        late = True
        write(path, b"123456789\n" * 5)
        nursery.cancel_scope.cancel()
    assert source.counts.bytes_left == 50
    assert source.position is None


def test_what_waits_in_the_pipe_is_known(path: Path) -> None:
    """As long as nobody reads it."""
    source = FifoSource(path, SETTINGS)
    source.prepare()
    assert source.waiting_bytes == 0
    write(path, b"x" * 1000)
    assert source.waiting_bytes == 1000
    source.close()
