"""What systemd is told while the daemon runs, and what SIGUSR1 makes it say; over a socket of the test's own."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.batch import Deliver
from pipeline.errors import SettingError
from pipeline.life import STATUS_SECONDS, Watch, feed_watchdog, tell_status
from pipeline.sources import Source
from pipeline.sources.fifo import FifoSource
from pipeline.sources.unix_address import UnixAddress
from pipeline.sources.unix_datagram import UnixDatagramSource
from pipeline.sources.unix_stream import UnixStreamSource
from pipeline.supervision import MAX_RETRY_SECONDS, MIN_RETRY_SECONDS, Supervisor
from pipeline.telemetry import SourceCounts
from tests.notify_socket import NotifySocket, listening
from tests.sources.collector import SETTINGS, Collector, running

INTERVAL_SECONDS = 20.0


class PipeSource:
    """A source that has a pipe and does with it what a test says."""

    def __init__(self, behave: Callable[[], None] | None = None) -> None:
        self.name = "pipe"
        self.counts = SourceCounts(b"pipe")
        self.behave = behave
        self.descriptors: tuple[int, ...] = ()
        self.writing = -1

    @property
    def parts(self) -> Sequence[PipeSource]:
        return (self,)

    @property
    def position(self) -> None:
        return None

    @property
    def waiting_bytes(self) -> None:
        return None

    @property
    def is_there(self) -> bool:
        return True

    def prepare(self) -> None:
        reading, self.writing = os.pipe2(os.O_NONBLOCK)
        self.descriptors = (reading,)

    async def run(self, deliver: Deliver) -> None:
        """Read nothing, for ever or until `behave` says otherwise."""
        try:
            if self.behave is not None:
                self.behave()
            await trio.sleep_forever()
        finally:
            self.close()

    def close(self) -> None:
        for descriptor in (*self.descriptors, self.writing):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptors, self.writing = (), -1


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    """A service manager that listens, and wants to hear from us."""
    with listening() as notify:
        monkeypatch.setenv("NOTIFY_SOCKET", notify.address)
        monkeypatch.setenv("WATCHDOG_USEC", str(int(INTERVAL_SECONDS * 1_000_000)))
        yield notify


@asynccontextmanager
async def supervising(*sources: Source) -> AsyncIterator[Supervisor]:
    """Run sources, and feed the watchdog while they do."""
    supervisor = Supervisor(sources, Collector())
    for source in sources:
        source.prepare()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await wait_all_tasks_blocked()
        nursery.start_soon(feed_watchdog, lambda: supervisor.reading)
        yield supervisor
        nursery.cancel_scope.cancel()


async def count_meals(notified: NotifySocket, seconds: float = INTERVAL_SECONDS) -> int:
    """Return how often the watchdog is fed in so many seconds."""
    await wait_all_tasks_blocked()
    notified.receive()
    meals = 0
    end = trio.current_time() + seconds
    while trio.current_time() < end:
        await trio.sleep(min(INTERVAL_SECONDS / 4, end - trio.current_time()))
        meals += sum("WATCHDOG" in message for message in notified.receive())
    return meals


async def test_empty_datagrams_and_connections_are_progress(tmp_path: Path) -> None:
    """Whoever sends nothing but them does not make the daemon look stuck."""
    datagrams = UnixDatagramSource(UnixAddress(f"{tmp_path}/d"), SETTINGS)
    streams = UnixStreamSource(UnixAddress(f"{tmp_path}/s"), SETTINGS)
    watch = Watch()
    async with running(datagrams), running(streams):
        for _ in range(3):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"", f"{tmp_path}/d")
            with socket.socket(socket.AF_UNIX) as writer:
                writer.connect(f"{tmp_path}/s")
            assert watch.look([datagrams, streams])
            await wait_all_tasks_blocked()


async def test_watchdog_is_fed_while_there_is_nothing_to_read(
    notified: NotifySocket, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """At least twice in the interval; a quiet night is no failure."""
    async with supervising(FifoSource(tmp_path / "pipe", SETTINGS)):
        assert await count_meals(notified) >= 2


async def test_watchdog_is_fed_while_lines_come(
    notified: NotifySocket, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A pipe that always holds something is not stuck as long as it is read."""
    source = FifoSource(tmp_path / "pipe", SETTINGS)

    async def write() -> None:
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            while True:
                pipe.write(b"line\n")
                await trio.sleep(1)

    async with supervising(source), trio.open_nursery() as nursery:
        nursery.start_soon(write)
        assert await count_meals(notified) >= 2
        nursery.cancel_scope.cancel()
    assert source.counts.bytes_read > 0


async def test_source_that_does_not_read_starves_the_watchdog(
    notified: NotifySocket, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named, once; when it reads again all is well."""
    source = PipeSource()
    async with supervising(source):
        assert await count_meals(notified) >= 2
        os.write(source.writing, b"line\n")
        await trio.sleep(INTERVAL_SECONDS / 2)
        assert await count_meals(notified, 10 * INTERVAL_SECONDS) == 0
        assert caplog.messages == [
            "pipe is not read although something is there. systemd is not told any more that all is well, and starts "
            "the daemon anew unless that changes."
        ]
        source.counts.bytes_read += len(os.read(source.descriptors[0], 100))
        assert await count_meals(notified) >= 2
    assert len(caplog.messages) == 1


def test_source_that_counts_something_is_not_stuck() -> None:
    """A listener whose connections must wait for a descriptor counts its attempts, and is read as far as it can be."""
    source = PipeSource()
    source.prepare()
    os.write(source.writing, b"line\n")
    watch = Watch()
    assert watch.look([source])
    source.counts.errors += 1
    assert watch.look([source])
    assert not watch.look([source])
    assert watch.look([])
    source.close()


async def test_source_that_has_failed_starves_nobody(
    notified: NotifySocket, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """To be started anew would help it no more than its next attempt."""

    def fail() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    source = PipeSource(fail)
    async with supervising(source) as supervisor:
        assert supervisor.failing == [source]
        assert supervisor.reading == []
        assert await count_meals(notified, 10 * INTERVAL_SECONDS) >= 20
    pauses = [message.split()[-2] for message in caplog.messages]
    assert pauses[:8] == ["1", "2", "4", "8", "16", "32", "60", "60"]
    assert caplog.messages[0] == "pipe failed: input/output error. It is opened again in 1 s."
    assert source.counts.errors == len(caplog.messages)


async def test_source_that_fails_after_long_is_opened_soon(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What was wrong months ago says nothing about today."""
    lives = iter([0.0, 0.0, MAX_RETRY_SECONDS + 1])

    class Moody(PipeSource):
        async def run(self, deliver: Deliver) -> None:
            self.close()
            if (seconds := next(lives, None)) is not None:
                await trio.sleep(seconds)
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with supervising(Moody()):
        await trio.sleep(3 * MAX_RETRY_SECONDS)
    assert [message.split()[-2] for message in caplog.messages] == ["1", "2", "1"]


async def test_source_that_cannot_be_opened_is_tried_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt that fails is counted, and the pauses grow."""
    caplog.set_level(logging.INFO, "pipeline.supervision")
    attempts = iter([None, SettingError("The pipe x cannot be opened: is a directory."), None])

    class Missing(PipeSource):
        def prepare(self) -> None:
            if (failure := next(attempts)) is not None:
                raise failure
            super().prepare()

        async def run(self, deliver: Deliver) -> None:
            self.close()
            if self.counts.errors == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    source = Missing()
    async with supervising(source):
        await trio.sleep(MIN_RETRY_SECONDS * 10)
    assert caplog.messages == [
        "pipe failed: input/output error. It is opened again in 1 s.",
        "pipe failed: The pipe x cannot be opened: is a directory. It is opened again in 2 s.",
        "pipe is read again.",
        "pipe has ended.",
    ]


async def test_nobody_is_fed_who_is_not_hungry() -> None:
    """Without `WatchdogSec=` in the unit."""
    await feed_watchdog(lambda: ())


async def test_status_is_told_when_it_changes(notified: NotifySocket, autojump_clock: MockClock) -> None:
    """At once, and then every few seconds."""
    texts = iter(["a", "a", "b", "b", "b"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_status, partial(next, texts))
        await trio.sleep(4.5 * STATUS_SECONDS)
        nursery.cancel_scope.cancel()
    assert notified.receive() == [{"STATUS": "a"}, {"STATUS": "b"}]


async def test_status_is_told_to_nobody_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing wakes up for it."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    await tell_status(lambda: "never asked")
