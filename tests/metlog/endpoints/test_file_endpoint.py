"""The endpoint `file`: whole lines, whatever happens to the file, the disk and the daemon."""

from __future__ import annotations

import errno
import grp
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from pipeline.endpoint_settings import FileEndpointSettings
from pipeline.errors import SettingError
from pipeline.metlog.endpoints.file import FileEndpoint
from pipeline.metlog.endpoints.message_file import MessageFile
from tests.e2e.daemons import DAEMON_PATH
from tests.full_disk import limiting_files
from tests.metlog.endpoints.messages import NOW, make_message, make_numbered
from tests.metlog.endpoints.running import make, opened, running, send_all, wait_until


def read_numbers(*paths: Path) -> list[int]:
    """Return the numbers of the messages in files, in order."""
    return [int(json.loads(line)["payload"]) for path in paths for line in path.read_text().splitlines()]


async def test_messages_stand_as_they_came(tmp_path: Path) -> None:
    """A line each, byte for byte."""
    path = tmp_path / "out.json"
    messages = [make_message(payload="ü \n 🦉", fields={"a": [1, {"b": None}]}), make_message(type="timer")]
    async with opened(FileEndpointSettings(path=path)) as endpoint:
        endpoint.take(messages, NOW)
        await send_all(endpoint)
    assert path.read_bytes() == b"".join(message.line + b"\n" for message in messages)


async def test_payload_alone_is_one_line(tmp_path: Path) -> None:
    """Whatever a stranger writes into it."""
    path = tmp_path / "out.log"
    async with opened(FileEndpointSettings(path=path, format="payload")) as endpoint:
        endpoint.take([make_message(payload="a\nb\r\nc"), make_message(), make_message(payload="ü")], NOW)
        await send_all(endpoint)
    assert path.read_bytes() == "a\\nb\\r\\nc\n\nü\n".encode()


async def test_what_is_no_envelope_any_more_is_written_all_the_same(tmp_path: Path) -> None:
    """Another version of the daemon may have put it into the spool."""
    path = tmp_path / "out.log"
    async with opened(FileEndpointSettings(path=path, format="payload")) as endpoint:
        message = make_message()
        message.line = b"something \xff else"
        endpoint.take([message], NOW)
        await send_all(endpoint)
    assert path.read_text() == "something \ufffd else\n"


@pytest.mark.parametrize(("begun", "expected"), [(b"", b""), (b"whole\n", b"whole\n"), (b"a part", b"a part\n")])
async def test_part_of_a_line_is_closed_off(tmp_path: Path, begun: bytes, expected: bytes) -> None:
    """A crash of somebody else, or of the machine, has left it."""
    path = tmp_path / "out.json"
    path.write_bytes(begun)
    async with opened(FileEndpointSettings(path=path)) as endpoint:
        endpoint.take(make_numbered([1]), NOW)
        await send_all(endpoint)
    assert path.read_bytes() == expected + make_numbered([1])[0].line + b"\n"


async def test_new_file_has_mode_and_group(tmp_path: Path) -> None:
    """Whatever the umask says; one that is there keeps its own."""
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch(0o600)
    group = grp.getgrgid(os.getgroups()[0] if os.getgroups() else os.getegid())
    umask = os.umask(0o077)
    try:
        for path in (new, old):
            async with opened(FileEndpointSettings(path=path, mode=0o664, group=group.gr_name)):
                pass
    finally:
        os.umask(umask)
    assert (new.stat().st_mode & 0o777, new.stat().st_gid) == (0o664, group.gr_gid)
    assert old.stat().st_mode & 0o777 == 0o600


async def test_group_of_the_folder_needs_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our unit forbids it (`SystemCallFilter=~@privileged`), and fails it so."""
    group = grp.getgrnam("adm")
    os.chown(tmp_path, -1, group.gr_gid)
    tmp_path.chmod(0o2750)
    monkeypatch.setattr(os, "fchown", forbid)
    async with opened(FileEndpointSettings(path=tmp_path / "out", group=group.gr_name)):
        pass
    assert (tmp_path / "out").stat().st_gid == group.gr_gid
    other = make(FileEndpointSettings(path=tmp_path / "other", group="root"))
    with pytest.raises(SettingError, match=r"cannot be written: operation not permitted\.$"):
        other.prepare()
    assert not (tmp_path / "other").exists()


def forbid(_descriptor: int, _owner: int, _group: int) -> None:
    """Fail as a filter of system calls has it."""
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.mark.parametrize(
    ("make_path", "reason"),
    [
        (lambda folder: folder, "is a directory"),
        (lambda folder: folder / "none" / "out", "no such file or directory"),
        (lambda folder: make_fifo(folder / "fifo"), "it is no file that grows"),
    ],
    ids=["folder", "no folder", "pipe"],
)
def test_what_is_no_file_is_refused(tmp_path: Path, make_path: object, reason: str) -> None:
    """Before the daemon is ready."""
    assert callable(make_path)
    path = make_path(tmp_path)
    endpoint = make(FileEndpointSettings(path=path))
    with pytest.raises(SettingError) as caught:
        endpoint.prepare()
    assert str(caught.value) == f"The file {path} of metlog endpoint it cannot be written: {reason}."


def make_fifo(path: Path) -> Path:
    """Return a pipe that nobody reads."""
    os.mkfifo(path)
    return path


def test_group_that_there_is_not_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(SettingError, match=r"^There is no group 'nobody-has-this'\.$"):
        make(FileEndpointSettings(path=tmp_path / "out", group="nobody-has-this"))


async def test_file_that_was_moved_or_removed_is_made_anew(tmp_path: Path) -> None:
    """With the next message, also if nobody tells us."""
    path = tmp_path / "out.json"
    async with opened(FileEndpointSettings(path=path)) as endpoint:
        endpoint.take(make_numbered([1]), NOW)
        await send_all(endpoint)
        path.rename(tmp_path / "out.json.1")
        endpoint.take(make_numbered([2]), NOW)
        await send_all(endpoint)
        assert read_numbers(tmp_path / "out.json.1", path) == [1, 2]
        path.unlink()
        endpoint.take(make_numbered([3]), NOW)
        await send_all(endpoint)
        assert read_numbers(path) == [3]


async def test_reopen_leads_to_the_file_that_is_there(tmp_path: Path) -> None:
    """At SIGHUP. A file that is still in its place stays as it is."""
    path = tmp_path / "out.json"
    async with opened(FileEndpointSettings(path=path)) as endpoint:
        for number in range(3):
            endpoint.take(make_numbered([number]), NOW)
            await send_all(endpoint)
            endpoint.reopen()
    assert read_numbers(path) == [0, 1, 2]


CONFS = {
    "create": "rotate 20\ncreate",
    "nocreate": "rotate 20\nnocreate\nmissingok",
    "copytruncate": "rotate 20\ncopytruncate",
    "compress": "rotate 20\ncreate\ncompress\ndelaycompress",
}


@pytest.mark.slow
@pytest.mark.parametrize("conf", CONFS)
async def test_real_logrotate_costs_no_message(tmp_path: Path, conf: str) -> None:
    """It rotates while we write. Of `copytruncate` each line that is left is whole: what it loses, it says itself."""
    folder = tmp_path / "logs"
    folder.mkdir(0o755)
    path = folder / "out.json"
    (tmp_path / "conf").write_text(f"{path} {{\n{CONFS[conf]}\n}}\n")
    count = 0
    async with running(FileEndpointSettings(path=path, queue_messages=100_000)) as endpoint:
        for _ in range(4):
            endpoint.take(make_numbered(range(count, count + 2000)), NOW)
            count += 2000
            await rotate(tmp_path)
        await wait_until(lambda: endpoint.counts.delivered == count)
    numbers = sorted(read_rotated(folder))
    if conf == "copytruncate":
        assert set(numbers) <= set(range(count))
    else:
        assert numbers == list(range(count))


async def rotate(folder: Path) -> None:
    """Run logrotate on the file, however new it is."""
    command = ["logrotate", "--force", "--state", str(folder / "state"), str(folder / "conf")]
    await trio.run_process(command, env={"PATH": DAEMON_PATH})


def read_rotated(folder: Path) -> list[int]:
    """Return the numbers in the file and in those that were rotated."""
    numbers: list[int] = []
    for path in sorted(folder.iterdir()):
        command = ["zcat", "-f", str(path)]
        text = subprocess.run(command, capture_output=True, check=True).stdout
        numbers += [int(json.loads(line)["payload"]) for line in text.splitlines() if line.strip(b"\0")]
    return numbers


async def test_full_disk_leaves_whole_lines_and_loses_none(tmp_path: Path) -> None:
    """What had no room is written when there is some, and no line was begun."""
    path = tmp_path / "out.json"
    async with opened(FileEndpointSettings(path=path, batch_messages=7)) as endpoint:
        endpoint.take(make_numbered(range(30)), NOW)
        with limiting_files(1000):
            await send_all(endpoint)
        assert endpoint.counts.last_failure == "file too large"
        assert 5 < endpoint.counts.delivered < 20
        assert read_numbers(path) == list(range(endpoint.counts.delivered))
        await send_all(endpoint)
        assert endpoint.counts.delivered == 30
        assert read_numbers(path) == list(range(30))


async def test_part_of_a_line_is_taken_back(tmp_path: Path) -> None:
    """What is whole stays."""
    path = tmp_path / "out.json"
    file = MessageFile(path, 0o600)
    with limiting_files(100):
        count, failure = file.write([b"x" * 49, b"y" * 99])
        assert count == 1
        assert isinstance(failure, OSError)
        assert path.read_bytes() == b"x" * 49 + b"\n"
    file.close()


async def test_call_that_has_no_end_keeps_the_file(tmp_path: Path) -> None:
    """It is left behind by the attempt and by the end; what it would have written stays in the spool."""
    path = tmp_path / "out.json"
    blocked = threading.Event()
    async with opened(FileEndpointSettings(path=path, spool=tmp_path / "spool")) as endpoint, trio.open_nursery() as it:
        assert isinstance(endpoint, FileEndpoint)
        it.start_soon(partial(trio.to_thread.run_sync, blocked.wait, abandon_on_cancel=True, limiter=endpoint.limiter))
        await wait_until(lambda: endpoint.limiter.borrowed_tokens)
        endpoint.deadline = 0.01
        endpoint.take(make_numbered([1]), NOW)
        assert not await endpoint.attempt()
        assert endpoint.counts.last_failure == "it did not take everything within 0.01 s"
        it.cancel_scope.cancel()
    assert endpoint.file.descriptor is not None
    assert (endpoint.counts.queued, endpoint.counts.dropped) == (1, 0)
    blocked.set()
    endpoint.file.close()


@pytest.mark.slow  # a second passes
async def test_fsync_at_intervals_and_its_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was written comes to the disk a second later; if it cannot, that is told."""
    path = tmp_path / "out.json"
    async with running(FileEndpointSettings(path=path, fsync="interval")) as endpoint:
        assert isinstance(endpoint, FileEndpoint)
        endpoint.take(make_numbered([1]), NOW)
        await wait_until(lambda: endpoint.is_dirty)
        await wait_until(lambda: not endpoint.is_dirty)
        assert endpoint.file.descriptor is not None
        with no_sync() as descriptor:
            os.dup2(descriptor, endpoint.file.descriptor)
            endpoint.sync()
            endpoint.sync()
    assert caplog.messages == [f"The file {path} was not brought to the disk: invalid argument."]


@pytest.mark.parametrize("begun", [b"", b"whole\n", b"a part"])
def test_lines_that_the_disk_does_not_have_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """Where each batch is to be brought there: it is written again, and stands there once."""
    path = tmp_path / "out.json"
    path.write_bytes(begun)
    file = MessageFile(path, 0o600, is_synced=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse_to_sync)
        for _ in range(3):
            assert file.write([b"one", b"two"])[0] == 0
    assert file.write([b"one", b"two"]) == (2, None)
    file.close()
    assert path.read_bytes() == begun + (b"\n" if begun == b"a part" else b"") + b"one\ntwo\n"


def refuse_to_sync(_descriptor: int) -> None:
    """Fail as a disk does that is broken."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@contextmanager
def no_sync() -> Iterator[int]:
    """Give a descriptor that can be written to, and knows no fsync: that of a pipe."""
    reader, writer = os.pipe()
    try:
        yield writer
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("fsync", ["always", "interval"])
async def test_fsync_changes_nothing_that_is_seen(tmp_path: Path, fsync: str) -> None:
    """But that the disk has it."""
    path = tmp_path / "out.json"
    async with running(FileEndpointSettings(path=path, fsync=fsync)) as endpoint:
        endpoint.take(make_numbered(range(10)), NOW)
        await wait_until(lambda: endpoint.counts.delivered == 10)
    assert read_numbers(path) == list(range(10))
