"""The daemon as systemd and an operator see it, in this process: what it is told, what it tells, what it leaves."""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.daemon import Daemon
from pipeline.settings import (
    DaemonSettings,
    FormatSettings,
    LanguageSettings,
    LifeSettings,
    ProgramSettings,
    ServerSettings,
    SourceSettings,
    StateSettings,
    StoreSettings,
)
from pipeline.sources.intake import STDIN
from pipeline.state_file import read_state
from tests.metlog.senders.peers import run_forked
from tests.notify_socket import NotifySocket, listening
from tests.readiness import wait_obeying
from tests.running_daemon import signal_handlers

__all__ = ["signal_handlers"]

FIRST_PASSED = 3
"""SD_LISTEN_FDS_START (sd_listen_fds(3))."""


@pytest.fixture
def settings(tmp_path: Path) -> DaemonSettings:
    """One program, one pipe."""
    (tmp_path / "p.mtail").write_text("counter c\n/line/ {\n  c++\n}\n")
    return DaemonSettings(
        programs=ProgramSettings(progs=tmp_path / "p.mtail", language=LanguageSettings()),
        sources=SourceSettings(logs=(f"{tmp_path}/pipe",)),
        store=StoreSettings(),
        formats=FormatSettings(),
        server=ServerSettings(),
    )


@contextmanager
def reading(descriptor: int) -> Iterator[None]:
    """Have a descriptor as standard input; what that was is back at the end."""
    before = os.dup(STDIN)
    os.dup2(descriptor, STDIN)
    os.close(descriptor)
    yield
    os.dup2(before, STDIN)
    os.close(before)


@asynccontextmanager
async def running(daemon: Daemon) -> AsyncIterator[None]:
    """Run the daemon, and stop it by a signal."""
    with ExitStack() as stack:
        daemon.prepare(stack)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_obeying()
            yield
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    """A service manager that listens, and wants to hear from us."""
    with listening() as notify:
        monkeypatch.setenv("NOTIFY_SOCKET", notify.address)
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        yield notify


async def test_systemd_is_told_of_the_course_of_things(settings: DaemonSettings, notified: NotifySocket) -> None:
    """In this order; a reload is over when it is said to be."""
    async with running(Daemon(settings)):
        start = notified.receive()
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_all_tasks_blocked()
        reload = notified.receive()
    assert sorted(name for message in start for name in message) == ["READY", "STATUS", "WATCHDOG"]
    assert {"STATUS": "0 lines/s, 0 lines, 1 of 1 programs running"} in start
    assert [list(message) for message in reload] == [["RELOADING", "MONOTONIC_USEC"], ["READY"]]
    assert notified.receive() == [{"STOPPING": "1"}]


async def test_ready_is_told_when_a_crash_would_find_the_positions(
    settings: DaemonSettings, notified: NotifySocket, tmp_path: Path
) -> None:
    """Not before: the run after the crash would begin at the end of a file, and miss what this one has read."""
    (tmp_path / "log").write_bytes(b"line\n")
    sources = SourceSettings(logs=(f"{tmp_path}/log",), read_positions=True)
    state = StateSettings(state_file=tmp_path / "state")
    async with running(Daemon(replace(settings, sources=sources, state=state))):
        while {"READY": "1"} not in notified.receive():
            await trio.lowlevel.checkpoint()
        assert read_state(tmp_path / "state").positions.keys() == {f"{tmp_path}/log"}


@contextmanager
def disk_occupied() -> Iterator[None]:
    """Let nobody have a thread, and so nobody write the state, until the block ends."""
    limiter = trio.to_thread.current_default_thread_limiter()
    borrowers = [object() for _ in range(int(limiter.total_tokens))]
    for borrower in borrowers:
        limiter.acquire_on_behalf_of_nowait(borrower)
    yield
    for borrower in borrowers:
        limiter.release_on_behalf_of(borrower)


async def read_health(path: Path) -> tuple[int, int]:
    """Return the statuses that tell whether the daemon that serves at `path` is ready, and healthy."""
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return (await client.get("/-/ready")).status_code, (await client.get("/-/healthy")).status_code


async def test_readiness_is_that_of_systemd(settings: DaemonSettings, notified: NotifySocket, tmp_path: Path) -> None:
    """Not while the state of the start is written, nor from when the end begins; but healthy all along."""
    server, state = ServerSettings(unix_socket=tmp_path / "http"), StateSettings(state_file=tmp_path / "state")
    with ExitStack() as stack:
        daemon = Daemon(replace(settings, server=server, state=state))
        daemon.prepare(stack)
        async with trio.open_nursery() as nursery:
            with disk_occupied():
                nursery.start_soon(daemon.run)
                await wait_all_tasks_blocked()
                assert (await read_health(tmp_path / "http"), notified.receive()) == ((503, 200), [])
            await wait_obeying()
            assert await read_health(tmp_path / "http") == (200, 200)
            assert {"READY": "1"} in notified.receive()
            with disk_occupied():
                os.kill(os.getpid(), signal.SIGTERM)
                await wait_all_tasks_blocked()
                assert (await read_health(tmp_path / "http"), notified.receive()) == ((503, 200), [{"STOPPING": "1"}])


async def test_end_of_all_sources_is_the_end_of_readiness(settings: DaemonSettings, tmp_path: Path) -> None:
    """Here the only one is a file on standard input; the state of the end is still to be written."""
    server = ServerSettings(unix_socket=tmp_path / "http")
    state = StateSettings(state_file=tmp_path / "state", state_interval_seconds=0.0)
    with reading(os.open(tmp_path / "p.mtail", os.O_RDONLY)), ExitStack() as stack:
        daemon = Daemon(replace(settings, sources=SourceSettings(logs=("-",)), server=server, state=state))
        daemon.prepare(stack)
        async with trio.open_nursery() as nursery:
            with disk_occupied():
                nursery.start_soon(daemon.run)
                await wait_all_tasks_blocked()
                assert daemon.telemetry.lines > 0
                assert await read_health(tmp_path / "http") == (503, 200)


async def test_report_is_logged_at_sigusr1(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time it is asked for, and nothing else happens."""
    caplog.set_level(logging.INFO, "pipeline.daemon")
    async with running(Daemon(settings)):
        (tmp_path / "pipe").write_text("line\n" * 3)
        await wait_all_tasks_blocked()
        caplog.clear()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGUSR1)
            await wait_all_tasks_blocked()
        reports = list(caplog.messages)
    assert [report.partition(" after ")[0] for report in reports] == ["Report"] * 2
    for report in reports:
        assert re.search(rf"^ +3 +[\d,]+ +15 +0 +0 +0  {tmp_path}/pipe$", report, re.MULTILINE)


async def test_what_there_is_no_time_for_is_said(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Here there is none at all."""
    daemon = Daemon(replace(settings, life=LifeSettings(shutdown_timeout_seconds=0.0)))
    async with running(daemon):
        (tmp_path / "pipe").write_text("line\n" * 3)
        daemon.stop()
    assert daemon.telemetry.lines == 0
    assert caplog.messages[-1] == (
        f"15 bytes are left unread in {tmp_path}/pipe, because there is an end to how long the end may take. "
        "The next run reads them if systemd keeps the descriptors; else they are lost."
    )


async def test_signals_that_come_with_the_one_that_stops_end_nothing(settings: DaemonSettings, tmp_path: Path) -> None:
    """They wait behind it: none may hit the daemon while it reads its sources to their end."""
    daemon = Daemon(settings)
    with ExitStack() as stack:
        daemon.prepare(stack)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_all_tasks_blocked()
            (tmp_path / "pipe").write_text("line\n" * 3)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
                os.kill(os.getpid(), number)
    assert daemon.telemetry.lines == 3


def test_what_belongs_to_nothing_is_closed_with_a_warning(
    settings: DaemonSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As a socket of a unit that no setting names."""
    os.mkfifo(tmp_path / "other")
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_FDNAMES", "lines")

    def start() -> int:
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.dup2(os.open(tmp_path / "other", os.O_RDWR), FIRST_PASSED)
        with ExitStack() as stack:
            Daemon(settings).prepare(stack)
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(FIRST_PASSED)
        assert caplog.messages == [
            f"What systemd passed as lines ({tmp_path}/other) belongs to nothing that is set. It is closed."
        ]
        return 0

    # In a process of its own: in this one, pytest-xdist may be told by that number at any time what is to be run next.
    assert run_forked(start) == 0
