"""The spool of an endpoint: nothing that the disk has is lost, whatever happens to the process, and order is kept."""

from __future__ import annotations

import logging
import random
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
from pipeline.metlog.endpoints.spool import Spool
from pipeline.metlog.endpoints.spool_folder import MAX_SET_ASIDE
from tests.e2e.daemons import wait_until
from tests.metlog.endpoints.messages import NOW, assert_accounted, make_numbered, read_number
from tests.metlog.endpoints.spools import die, drain, make_spool


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
