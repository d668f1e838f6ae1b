"""The spool of an endpoint when room is short or the disk fails: what goes, what waits in memory, what is told."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pipeline.metlog.endpoints.spool import Spool
from tests.full_disk import limiting_files
from tests.metlog.endpoints.messages import NOW, assert_accounted, make_numbered
from tests.metlog.endpoints.spools import SEGMENT_BYTES, die, drain, make_spool


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
