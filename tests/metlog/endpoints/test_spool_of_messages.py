"""The spool of an endpoint: nothing that the disk has is lost, whatever happens to the process, and order is kept."""

from __future__ import annotations

import logging
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SettingError
from pipeline.message_counts import EndpointCounts
from pipeline.metlog.endpoints.spool import Spool
from pipeline.metlog.endpoints.spool_folder import MAX_SET_ASIDE
from tests.e2e.daemons import wait_until
from tests.metlog.endpoints.messages import NOW, assert_accounted, make_numbered, read_number

SEGMENT_BYTES = 600
"""Room for five small messages or so."""


def make_spool(folder: Path, max_bytes: int = 10**7, fsync: str = "never") -> Spool:
    """Return a spool that is open, with small segments, of which little is in memory."""
    spool = Spool(
        EndpointCounts("spooled"),
        folder,
        max_bytes=max_bytes,
        max_memory_messages=1000,
        max_memory_bytes=2000,
        fsync=fsync,
    )
    spool.segment_bytes = SEGMENT_BYTES
    spool.ahead_bytes = 300
    spool.retry_seconds = 0.0
    spool.open()
    return spool


async def drain(spool: Spool, at_once: int = 10) -> list[int]:
    """Take out all messages, and return their numbers."""
    numbers = []
    while entries := await spool.fetch(at_once, 10**6):
        numbers += [read_number(entry.line) for entry in entries]
        spool.counts.delivered += len(entries)
        spool.settle(len(entries))
    return numbers


def die(spool: Spool) -> None:
    """Have the spool end as the kernel ends a process that is killed: it closes descriptors and does nothing else."""
    for descriptor in (spool.writer.descriptor, *spool.writer.ended):
        if descriptor is not None:
            os.close(descriptor)
    spool.folder.close()


@dataclass
class Disk:
    """A folder that can forget what was not brought to the disk."""

    folder: Path
    safe: dict[str, bytes] = field(default_factory=dict)

    def keep(self) -> None:
        """Note what the disk has."""
        self.safe = {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def lose_power(self, luck: random.Random) -> None:
        """Go back to what the disk had, and by luck to a part of what came then."""
        for path in list(self.folder.iterdir()):
            safe = self.safe.get(path.name)
            now = path.read_bytes()
            if safe is None and luck.random() < 0.5:
                path.unlink()
            elif path.name != "position" and now.startswith(safe or b""):
                path.write_bytes(now[: luck.randint(len(safe or b""), len(now))])
            elif safe is not None:
                path.write_bytes(safe)
        for name, safe in self.safe.items():
            if not (self.folder / name).exists():
                (self.folder / name).write_bytes(safe)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 12)),
        st.tuples(st.just("send"), st.integers(0, 15)),
        st.tuples(st.just("fail"), st.integers(1, 15)),
        st.tuples(st.sampled_from(["sync", "kill", "stop", "power"]), st.integers(0, 1000)),
    ),
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=150)
@given(STEPS)
def test_what_the_disk_has_is_delivered_in_order(steps: list[tuple[str, int]]) -> None:
    """Over kills and stops all of it, once but for what was in flight; over power failures all that was synced."""
    with tempfile.TemporaryDirectory() as name:
        trio.run(live_through, Path(name), steps)


async def live_through(folder: Path, steps: list[tuple[str, int]]) -> None:
    """Do all steps, then send what is left."""
    disk = Disk(folder)
    spool = make_spool(folder, fsync="always")
    number = 0
    wanted: list[int] = []
    settled: list[int] = []
    safe = settled_safe = 0
    for step, size in steps:
        match step:
            case "put":
                spool.counts.taken += size
                spool.put(make_numbered(range(number, number + size)), NOW)
                wanted += range(number, number + size)
                number += size
            case "send" | "fail":
                entries = await spool.fetch(15, 10**6)
                sent = min(size, len(entries)) if step == "send" else 0
                settled += [read_number(entry.line) for entry in entries[:sent]]
                spool.counts.delivered += sent
                spool.settle(sent)
                spool.lay_back()
            case "sync":
                await spool.writer.sync()
                disk.keep()
                safe, settled_safe = number, len(settled)
            case "kill":
                die(spool)
                spool = make_spool(folder, fsync="always")
            case "stop":
                spool.close()
                spool = make_spool(folder, fsync="always")
                disk.keep()
                safe, settled_safe = number, len(settled)
            case "power":
                die(spool)
                disk.lose_power(random.Random(size))
                spool = make_spool(folder, fsync="always")
                assert spool.counts.queued >= 0
                # What came later may be there or not. It is no promise, and the model forgets it.
                rest = await drain(spool, 1000)
                assert rest == sorted(rest)
                assert {one for one in wanted if one < safe} <= {*settled, *rest}
                assert not {*settled[:settled_safe]} & {*rest}
                assert_accounted(spool.counts)
                wanted, settled = [], []
                safe, settled_safe = number, 0
                await spool.writer.sync()
                disk.keep()
        assert_accounted(spool.counts)
    settled += await drain(spool)
    assert settled == wanted
    assert_accounted(spool.counts)
    spool.close()
    assert not list(folder.glob("*.log"))


@pytest.mark.slow
@settings(max_examples=150)
@given(st.integers(1, 60), st.data())
def test_damage_loses_what_it_touches_and_no_more(count: int, data: st.DataObject) -> None:
    """A byte that was changed costs one record, or two where it was the line feed between them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spool = make_spool(folder)
        spool.put(make_numbered(range(count)), NOW)
        die(spool)
        path = data.draw(st.sampled_from(sorted(folder.glob("*.log"))))
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        spool = make_spool(folder)
        numbers = trio.run(drain, spool)
        assert numbers == sorted(set(numbers))
        assert count - 2 <= len(numbers) < count
        assert_accounted(spool.counts)
        spool.close()


async def test_damaged_segment_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a warning, and a count; but not more of them than somebody would look at."""
    for _ in range(MAX_SET_ASIDE + 2):
        spool = make_spool(tmp_path)
        for number in range(20):
            spool.put(make_numbered([number]), NOW)
        die(spool)
        path = sorted(tmp_path.glob("*.log"))[1]
        path.write_bytes(path.read_bytes().replace(b'"payload"', b'"playoad"', 1))
        spool = make_spool(tmp_path)
        assert len(await drain(spool)) == 19
        assert (spool.counts.dropped, spool.counts.set_aside) == (1, 1)
        spool.close()
        assert (tmp_path / f"{path.name}.damaged").exists()
    assert len(list(tmp_path.glob("*.damaged"))) == MAX_SET_ASIDE
    assert caplog.messages.count(
        f"The file {path} of a spool is damaged. It is set aside; what is whole in it is sent."
    )


@pytest.mark.parametrize("text", [b"", b"nonsense", b"\0" * 80, b"00000000 " + b"0" * 32 + b" 7\n"])
async def test_position_that_cannot_be_read_delivers_again(tmp_path: Path, text: bytes) -> None:
    """At least once: all that is still there."""
    spool = make_spool(tmp_path)
    spool.put(make_numbered(range(3)), NOW)
    await spool.fetch(2, 1000)
    spool.settle(2)
    die(spool)
    (tmp_path / "position").write_bytes(text)
    spool = make_spool(tmp_path)
    assert await drain(spool) == [0, 1, 2]
    spool.close()


async def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """What is not called like a segment is none."""
    (tmp_path / "notes.log").write_text("mine")
    (tmp_path / f"{3:020}.log").symlink_to(tmp_path / "notes.log")
    spool = make_spool(tmp_path)
    assert await drain(spool) == []
    spool.close()
    assert (tmp_path / "notes.log").read_text() == "mine"


def test_folder_and_files_are_private(tmp_path: Path) -> None:
    """Messages may hold what is nobody's business."""
    spool = make_spool(tmp_path / "spool")
    spool.put(make_numbered([1]), NOW)
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()} == {0o600}
    spool.close()


def test_second_user_is_refused(tmp_path: Path) -> None:
    """Also one of the same process: two endpoints would send the same messages."""
    spool = make_spool(tmp_path)
    with pytest.raises(SettingError, match=rf"^Somebody already uses the spool {tmp_path}\.$"):
        make_spool(tmp_path)
    spool.close()
    make_spool(tmp_path).close()


def test_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(SettingError, match=r"/a/b cannot be used: no such file or directory\.$"):
        make_spool(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"/file cannot be used: not a directory\.$"):
        make_spool(tmp_path / "file")


async def test_oldest_segments_make_room(tmp_path: Path) -> None:
    """Those in hand are kept, and the rest is in order; on the disk there is never more than the limit."""
    spool = make_spool(tmp_path, max_bytes=4 * SEGMENT_BYTES)
    spool.counts.taken = 3
    spool.put(make_numbered(range(3)), NOW)
    assert len(await spool.fetch(3, 10**6)) == 3
    for number in range(3, 103):
        spool.counts.taken += 1
        spool.put(make_numbered([number]), NOW)
        assert sum(path.stat().st_size for path in tmp_path.glob("*.log")) <= 4 * SEGMENT_BYTES
        assert_accounted(spool.counts)
    spool.lay_back()
    numbers = await drain(spool)
    assert numbers[:3] == [0, 1, 2]
    assert numbers[3:] == list(range(103 - len(numbers) + 3, 103))
    assert spool.counts.dropped == 103 - len(numbers) > 50
    assert_accounted(spool.counts)
    spool.close()


async def test_long_outage_fills_the_disk_and_not_the_memory(tmp_path: Path) -> None:
    """The newest are on disk alone."""
    spool = make_spool(tmp_path)
    for number in range(300):
        spool.put(make_numbered([number], padding=500), NOW)
    assert spool.held_bytes == sum(len(entry.line) for entry in spool.ahead) < 2000
    assert spool.counts.queued_bytes > 150_000
    assert await drain(spool) == list(range(300))
    spool.close()


async def test_what_comes_while_a_segment_is_read_waits_for_its_turn(tmp_path: Path) -> None:
    """The file has grown meanwhile, and nothing of it is taken for damaged."""
    first = make_spool(tmp_path)
    first.put(make_numbered(range(3)), NOW)
    first.close()
    spool = make_spool(tmp_path)
    limiter = trio.to_thread.current_default_thread_limiter()
    for number in range(int(limiter.total_tokens)):
        limiter.acquire_on_behalf_of_nowait(number)  # so that the thread that reads has to wait
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spool.fetch, 1, 1)
        await trio.testing.wait_all_tasks_blocked()
        spool.put(make_numbered([3]), NOW)
        for number in range(int(limiter.total_tokens)):
            limiter.release_on_behalf_of(number)
    spool.lay_back()
    assert await drain(spool) == [0, 1, 2, 3]
    assert (spool.counts.dropped, spool.counts.set_aside) == (0, 0)
    spool.close()


async def test_message_longer_than_a_read_comes_whole(tmp_path: Path) -> None:
    """It is read in larger and larger pieces."""
    spool = make_spool(tmp_path)
    spool.put(make_numbered([0, 1, 2], padding=300_000), NOW)
    assert await drain(spool) == [0, 1, 2]
    spool.close()


async def test_full_disk_has_messages_wait_in_memory(tmp_path: Path) -> None:
    """The disk gets them when it has room again; what finds no room in memory is dropped, the oldest first."""
    spool = make_spool(tmp_path)
    spool.counts.taken = 60
    spool.put(make_numbered(range(10)), NOW)
    with limiting_files(100):
        for number in range(10, 50):
            spool.put(make_numbered([number]), NOW)
    assert spool.counts.queued == 50 - spool.counts.dropped
    assert 10 < spool.counts.dropped < 30  # what has no room in memory
    spool.put(make_numbered(range(50, 60)), NOW)
    assert_accounted(spool.counts)
    die(spool)
    dropped = spool.counts.dropped
    spool = make_spool(tmp_path)
    assert await drain(spool) == [*range(10), *range(10 + dropped, 60)]
    spool.close()


@contextmanager
def limiting_files(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as when a disk is full."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


async def test_what_is_in_memory_alone_goes_to_the_disk_at_the_end(tmp_path: Path) -> None:
    """In hand or not, and when its own segment has been dropped."""
    spool = make_spool(tmp_path, max_bytes=4 * SEGMENT_BYTES)
    with limiting_files(100):
        spool.put(make_numbered(range(4)), NOW)
        assert len(await spool.fetch(2, 10**6)) == 2
        spool.put(make_numbered([4]), NOW)
    spool.close()
    assert spool.counts.dropped == 0
    spool = make_spool(tmp_path, max_bytes=4 * SEGMENT_BYTES)
    assert len(await spool.fetch(2, 10**6)) == 2
    for number in range(5, 60):
        spool.put(make_numbered([number]), NOW)
    spool.close()
    spool = make_spool(tmp_path, max_bytes=4 * SEGMENT_BYTES)
    numbers = await drain(spool)
    assert {0, 1, 59} <= {*numbers}
    spool.close()


async def test_what_makes_room_at_the_end_is_counted(tmp_path: Path) -> None:
    """What was in hand has its own segment dropped, and takes the place of what comes next."""
    spool = make_spool(tmp_path, max_bytes=2 * SEGMENT_BYTES)
    spool.ahead_bytes = 10_000
    spool.counts.taken = 5
    spool.put(make_numbered(range(5)), NOW)
    assert len(await spool.fetch(3, 10**6)) == 3
    while not spool.counts.dropped or spool.bytes < 2 * SEGMENT_BYTES - 300:
        spool.put(make_numbered([spool.counts.taken]), NOW)
        spool.counts.taken += 1
    spool.close()
    assert_accounted(spool.counts)
    kept = spool.counts.queued
    spool = make_spool(tmp_path, max_bytes=2 * SEGMENT_BYTES)
    assert len(await drain(spool)) == kept
    spool.close()


async def test_spool_of_one_segment_makes_room(tmp_path: Path) -> None:
    """Its only segment goes, with what was ahead of it in memory."""
    spool = make_spool(tmp_path, max_bytes=SEGMENT_BYTES)
    for number in range(50):
        spool.counts.taken += 1
        spool.put(make_numbered([number]), NOW)
        assert_accounted(spool.counts)
    numbers = await drain(spool)
    assert numbers == list(range(50 - len(numbers), 50))
    assert_accounted(spool.counts)
    spool.close()


@pytest.mark.slow  # a second passes
async def test_written_messages_are_brought_to_the_disk(tmp_path: Path) -> None:
    """At once, a second later, or never; and all at the end."""
    for fsync, soon in (("always", 9), ("interval", 9), ("never", -1)):
        spool = make_spool(tmp_path / fsync, fsync=fsync)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spool.run)
            await trio.testing.wait_all_tasks_blocked()
            for number in range(10):
                spool.put(make_numbered([number]), NOW)
            with trio.move_on_after(60 if soon > 0 else 0.1):
                await wait_for(spool, soon)
            assert spool.writer.synced == soon
            nursery.cancel_scope.cancel()
        spool.put(make_numbered([10]), NOW)
        spool.close()
        assert spool.writer.synced == (10 if soon > 0 else -1)
        assert not spool.writer.ended


async def wait_for(spool: Spool, number: int) -> None:
    """Return when the disk has a record."""
    while spool.writer.synced != number or number < 0:  # noqa: ASYNC110 - a thread does it
        await trio.sleep(0.01)


async def test_disk_that_cannot_be_synced_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was written is not taken for safe. That is told once in a while, and not for each message."""
    spool = make_spool(tmp_path, fsync="always")
    spool.put(make_numbered([1]), NOW)
    reader, writer = os.pipe()  # which knows no fsync
    assert spool.writer.descriptor is not None
    os.dup2(writer, spool.writer.descriptor)
    for _ in range(3):
        await spool.writer.sync()
    assert spool.writer.synced == -1
    assert caplog.messages == [f"The spool {tmp_path} was not brought to the disk: invalid argument."]
    os.close(reader)
    os.close(writer)
    shutil.rmtree(tmp_path)
    spool.writer.end()
    spool.writer.ended.clear()
    spool.writer.warnings.next_time = None
    await spool.writer.sync()
    assert caplog.messages[1:] == [f"The spool {tmp_path} was not brought to the disk: no such file or directory."]
    await drain(spool)
    spool.close()


async def test_position_and_segments_that_cannot_be_changed_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages go on all the same; they may be sent again after a restart."""
    spool = make_spool(tmp_path)
    for number in range(30):
        spool.put(make_numbered([number]), NOW)
    path = min(tmp_path.glob("*.log"))
    path.unlink()
    path.mkdir()
    assert spool.folder.descriptor is not None
    os.close(spool.folder.descriptor)
    spool.folder.descriptor = os.open(os.devnull, os.O_RDONLY)
    await drain(spool)
    spool.warnings.next_time = None
    spool.note_position()
    assert f"The position of the spool {tmp_path} cannot be noted: bad file descriptor." in caplog.messages
    spool.warnings.next_time = None
    spool.remove_first()
    spool.close()


async def test_messages_that_the_disk_did_not_take_are_delivered(tmp_path: Path) -> None:
    """A destination that works needs no disk that does."""
    spool = make_spool(tmp_path / "spool")
    shutil.rmtree(tmp_path / "spool")
    spool.put(make_numbered(range(10)), NOW)
    assert spool.counts.queued == 10
    assert await drain(spool) == list(range(10))
    assert_accounted_after(spool, 10)
    spool.put(make_numbered([10]), NOW)
    spool.close()
    assert spool.counts.dropped == 1


async def test_full_disk_has_so_many_messages_wait_in_memory(tmp_path: Path) -> None:
    """However small they are: each takes more room than its line."""
    spool = make_spool(tmp_path)
    spool.max_memory_messages = 3
    spool.counts.taken = 5
    with limiting_files(0):
        spool.put(make_numbered(range(5)), NOW)
    assert (spool.counts.queued, spool.counts.dropped) == (3, 2)
    assert await drain(spool) == [2, 3, 4]
    assert_accounted(spool.counts)
    spool.close()


async def test_full_disk_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """What waits is not written anew with each batch, and is when the while is over, or at the end."""
    spool = make_spool(tmp_path / "spool")
    spool.retry_seconds = 1000.0
    shutil.rmtree(tmp_path / "spool")
    spool.put(make_numbered(range(3)), NOW)
    (tmp_path / "spool").mkdir()
    spool.put(make_numbered([3]), NOW)
    assert not list((tmp_path / "spool").iterdir())
    spool.retry_time = 0.0
    spool.put(make_numbered([4]), NOW)
    assert len(list((tmp_path / "spool").glob("*.log"))) == 1
    assert (len(spool.unwritten), spool.unwritten_bytes) == (0, 0)
    assert await drain(spool) == list(range(5))
    spool.close()


def assert_accounted_after(spool: Spool, taken: int) -> None:
    """All that was taken is accounted for."""
    spool.counts.taken = taken
    assert_accounted(spool.counts)


KILLED = """
import sys
from pathlib import Path
from tests.metlog.endpoints.test_spool_of_messages import put_for_ever
put_for_ever(Path(sys.argv[1]))
"""


def put_for_ever(folder: Path) -> None:
    """Put messages, and say which the spool has taken."""
    spool = make_spool(folder)
    for number in range(100_000):
        spool.put(make_numbered([number]), NOW)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


@contextmanager
def putting(folder: Path, said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that puts messages, and kill it."""
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(folder)], stdout=output, cwd=Path(__file__).parents[3]
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.slow
async def test_killed_process_loses_nothing_that_it_has_taken(tmp_path: Path) -> None:
    """Not one message, without any sync."""
    said = tmp_path / "said"
    with putting(tmp_path / "spool", said):
        wait_until(lambda: said.exists() and said.read_bytes().count(b"\n") > 500, "messages are put")
    taken = [int(line) for line in said.read_text().split("\n")[:-1]]
    spool = make_spool(tmp_path / "spool")
    numbers = await drain(spool, 1000)
    assert numbers[: len(taken)] == taken
    assert len(numbers) <= len(taken) + 1
    spool.close()


async def test_damage_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that has gone, too: whoever has removed it may not know what it was."""
    spool = make_spool(tmp_path)
    spool.put(make_numbered(range(5)), NOW)
    for number in range(5, 40):
        spool.put(make_numbered([number]), NOW)
    sorted(tmp_path.glob("*.log"))[2].unlink()
    with caplog.at_level(logging.WARNING):
        numbers = await drain(spool)
    assert len(numbers) + spool.counts.dropped == 40
    assert any("cannot be read: no such file or directory" in message for message in caplog.messages)
    spool.close()
