"""A record is late only as far as its stream was read: what has come, and is not read yet, is waited for."""

from __future__ import annotations

import math
import os
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.sources.fifo import FifoSource
from pipeline.sources.intake import holds_more
from pipeline.sources.stdin import StdinSource
from pipeline.sources.unix_datagram import UnixDatagramSource
from pipeline.sources.unix_stream import UnixStreamSource
from tests.sources.collector import running
from tests.sources.files.scenes import look_again
from tests.sources.records.test_sources import JOINED, KINDS, MAKERS, Conversation, follow, open_writer, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@KINDS
async def test_line_that_waits_to_be_read_is_waited_for(path: Path, kind: str) -> None:
    """We may be late ourselves: after a freeze the record is late, and its next line is there."""
    source = MAKERS[kind](path, None)
    assert isinstance(source, FifoSource | UnixStreamSource | UnixDatagramSource)
    with ExitStack() as stack:
        async with running(source) as collector:
            send = open_writer(path, kind, stack)
            send(b"Boom\n")
            await wait_all_tasks_blocked()
            send(b"  at a\n")
            (way,) = source.surroundings.watch.ways
            assert not way.expire(math.inf)
            await wait_all_tasks_blocked()
            assert way.expire(math.inf)
            assert collector.lines == [b"Boom   at a"]


async def test_line_that_waits_in_standard_input_is_waited_for() -> None:
    """As of what systemd may keep."""
    stdin, writer = os.pipe()
    source = StdinSource("-", JOINED, descriptor=stdin)
    async with running(source) as collector:
        os.write(writer, b"Boom\n")
        await wait_all_tasks_blocked()
        os.write(writer, b"  at a\n")
        (way,) = source.surroundings.watch.ways
        assert not way.expire(math.inf)
        await wait_all_tasks_blocked()
        assert way.expire(math.inf)
        assert collector.lines == [b"Boom   at a"]
    os.close(stdin)
    os.close(writer)


def test_device_need_not_know_what_it_holds() -> None:
    """Then nothing more has come, as far as anybody knows."""
    with Path(os.devnull).open("rb") as file:
        assert not holds_more(file.fileno())


async def test_line_that_waits_in_a_file_is_waited_for(path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """With thousands of files behind, the next turn of one may come late."""
    source = follow(path)
    write(path, b"Boom\n")
    async with running(source) as collector:
        await look_again()
        write(path, b"  at a\n")
        (way,) = source.surroundings.watch.ways
        assert not way.expire(math.inf)
        await look_again()
        assert way.expire(math.inf)
        assert collector.lines == [b"Boom   at a"]


async def test_record_waits_while_rsyslog_waits_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends the next line when it has the answer to the last, and that may take until the disk has room."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    talk = Conversation({})
    has_room = trio.Event()
    talk.source.surroundings.save = has_room.wait
    async with running(talk.source) as collector:
        assert await talk.ask() == b"OK\n"
        os.write(talk.to_us, b"Boom\n")
        await wait_all_tasks_blocked()
        (way,) = talk.source.surroundings.watch.ways
        assert not way.expire(math.inf)
        has_room.set()
        assert await talk.ask(b"  at a\n") == b"OK\n"
        await wait_all_tasks_blocked()
        assert way.expire(math.inf)
        assert collector.lines == [b"Boom   at a"]
    talk.close()
