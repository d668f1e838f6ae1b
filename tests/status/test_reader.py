"""What is read of the daemon's parts: sources of each kind, destinations, the state file."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.bindings import Bindings
from pipeline.formats import PrometheusOptions
from pipeline.language import CompileOptions
from pipeline.metrics import Store
from pipeline.push_settings import GraphiteSettings, PushSettings
from pipeline.pushers import PushContext, Pushes, make_pushers
from pipeline.runtime import Dispatcher, ProgramLoader
from pipeline.server import MAX_ROWS, SourceState, StateStatus
from pipeline.settings import ReadFrom, SourceSettings, StateSettings
from pipeline.sources import Source, Surroundings, parse_items
from pipeline.state import StateKeeper
from pipeline.state_file import Capture, capture_state
from pipeline.status import Parts, StatusReader
from pipeline.supervision import MAX_RETRY_SECONDS, Supervisor
from pipeline.telemetry import Telemetry

PROGRAM = "counter lines\n/$/ {\n  lines++\n}\n"


class Machine:
    """Parts of a daemon, without the daemon: what is to be read of them is up to the test."""

    def __init__(self, folder: Path, *logs: str, push: PushSettings | None = None, state: Path | None = None) -> None:
        self.folder = folder
        self.failure: OSError | None = None
        self.wall_time = 9
        self.store = Store()
        self.telemetry = Telemetry(self.store)
        (folder / "a.mtail").write_text(PROGRAM)
        self.loader = ProgramLoader(folder / "a.mtail", self.store, self.telemetry, CompileOptions())
        self.loader.load(1)
        self.dispatcher = Dispatcher(self.telemetry)
        self.dispatcher.use(self.loader.programs)
        surroundings = Surroundings(add_counts=self.telemetry.add_source, remove_counts=self.telemetry.remove_source)
        settings = SourceSettings(logs=logs or ("-",), read_from=ReadFrom.START)
        self.sources: list[Source] = list(parse_items(settings, surroundings).values()) if logs else []
        self.supervisor = Supervisor(self.sources, self.deliver)
        push = push or PushSettings()
        context = PushContext("host", PrometheusOptions(), lambda: 7)
        self.pushes = Pushes(make_pushers(push, context), push, self.store.view, lambda: 7, lambda: 0.0)
        self.keeper = StateKeeper(state, StateSettings(state_file=state), self.capture, lambda: 5) if state else None

    def deliver(self, batch: Batch) -> None:
        """Run the program, or fail as a test wants it."""
        if self.failure is not None:
            raise self.failure
        self.dispatcher.dispatch(batch, 1)

    def capture(self) -> Capture:
        """Return a state without anything."""
        return capture_state((), {})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StatusReader]:
        """Read the sources, and give what reads the status."""
        for source in self.sources:
            source.prepare()
        parts = Parts(
            "host",
            self.telemetry,
            self.store,
            self.loader,
            Bindings(),
            self.sources,
            self.supervisor,
            self.pushes,
            self.keeper,
            lambda: self.wall_time,
        )
        reader = StatusReader(parts)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader.run)
            nursery.start_soon(self.supervisor.run)
            await wait_all_tasks_blocked()
            yield reader
            nursery.cancel_scope.cancel()


async def test_rates_of_sources_are_read(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Of lines and of bytes, and how long none came."""
    machine = Machine(tmp_path, f"{tmp_path}/log.fifo", f"unixgram://{tmp_path}/datagram")
    async with machine.running() as reader:
        (tmp_path / "log.fifo").write_bytes(b"12345678\n12345678\n\n\n")
        await trio.sleep(20)
        status = reader.read()
    pipe, datagram = status.sources.rows
    assert (pipe.name, pipe.state, pipe.lines, pipe.bytes_read) == (f"{tmp_path}/log.fifo", SourceState.READ, 4, 20)
    assert (pipe.line_rate, pipe.byte_rate, pipe.waiting_bytes, pipe.silent_seconds) == (0.2, 1.0, 0, 15.0)
    assert (datagram.waiting_bytes, datagram.silent_seconds) == (None, None)
    daemon = status.daemon
    assert (daemon.host, daemon.lines, daemon.line_rate, daemon.rate_seconds) == ("host", 4, 0.2, 20.0)
    assert (daemon.programs, daemon.running_programs, daemon.series) == (1, 1, 1)
    assert status.programs.rows[0].match_rate == 0.2


async def test_setting_the_clock_does_not_make_the_daemon_older(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A machine without a battery starts in 1970, until somebody tells it the time."""
    machine = Machine(tmp_path)
    async with machine.running() as reader:
        await trio.sleep(20)
        machine.wall_time = 1_700_000_000 * 10**9
        daemon = reader.read().daemon
    assert (daemon.started, daemon.now) == (1_699_999_980 * 10**9, 1_700_000_000 * 10**9)


async def test_lag_of_a_file_is_what_waits(tmp_path: Path, autojump_clock: MockClock) -> None:
    """And what it lost is told in words."""
    (tmp_path / "a.log").write_bytes(b"x\n")
    machine = Machine(tmp_path, f"{tmp_path}/a.log")
    async with machine.running() as reader:
        await trio.sleep(1)
        counts = machine.sources[0].parts[0].counts
        counts.lag_bytes, counts.lines_truncated, counts.datagrams_dropped = 1234, 5, 6789
        await trio.sleep(9)
        (source,) = reader.read().sources.rows
        await trio.sleep(70)
        (later,) = reader.read().sources.rows
    assert (source.lines, source.waiting_bytes) == (1, 1234)
    assert source.losses == ("datagrams dropped by the kernel: 6,789", "lines cut at --max_line_bytes: 5")
    assert (source.loss_rate, later.loss_rate, later.losses) == (679.4, 0, source.losses)


async def test_file_that_is_not_there_is_not_read(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Nothing is wrong: it may be yet to come. But a misspelled path is not ticked off."""
    machine = Machine(tmp_path, f"file://{tmp_path}/a.log")
    async with machine.running() as reader:
        await trio.sleep(1)
        (before,) = reader.read().sources.rows
        (tmp_path / "a.log").write_bytes(b"x\n")
        await trio.sleep(1)
        (after,) = reader.read().sources.rows
    assert (before.state, before.lines) == (SourceState.MISSING, 0)
    assert (after.state, after.lines) == (SourceState.READ, 1)


async def test_source_that_had_errors_in_the_last_minute_says_so(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A file that may not be read is tried again by the one that reads it, which does not fail as a whole."""
    for name in ("a.log", "b.log"):
        (tmp_path / name).touch()
    machine = Machine(tmp_path, f"{tmp_path}/a.log", f"{tmp_path}/b.log")
    async with machine.running() as reader:
        await trio.sleep(1)
        machine.sources[1].parts[0].counts.errors += 1
        await trio.sleep(5)
        faulty, sound = reader.read().sources.rows
        await trio.sleep(70)
        later, _ = reader.read().sources.rows
    assert (faulty.name, faulty.state, sound.state) == (f"{tmp_path}/b.log", SourceState.TROUBLED, SourceState.READ)
    assert (faulty.errors, faulty.silent_seconds) == (1, None)
    assert (later.name, later.state) == (faulty.name, SourceState.READ)


@pytest.mark.slow
async def test_source_that_fails_says_why_and_stands_first_where_there_are_too_many(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Once it is read again, it does not."""
    for number in range(MAX_ROWS + 1):
        (tmp_path / f"{number}.log").write_bytes(b"")
    machine = Machine(tmp_path, f"{tmp_path}/*.log", f"unixgram://{tmp_path}/datagram")
    machine.failure = OSError(errno.EIO, os.strerror(errno.EIO))
    async with machine.running() as reader:
        assert {source.state for source in reader.read().sources.rows} == {SourceState.READ}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as writer:
            writer.sendto(b"x", f"{tmp_path}/datagram")
        await wait_all_tasks_blocked()
        last = machine.sources[0].parts[-1]
        last.counts.errors, late = 1, last.name
        sources = reader.read().sources
        machine.failure = None
        await trio.sleep(MAX_RETRY_SECONDS + 70)
        mended = reader.read().sources
    assert (sources.rows[0].state, sources.rows[0].failure) == (SourceState.FAILING, "input/output error")
    assert sources.rows[1].name == late
    assert (sources.rows[0].errors, len(sources.rows), sources.more) == (1, MAX_ROWS, 2)
    assert {(source.state, source.failure) for source in mended.rows} == {(SourceState.READ, "")}


async def test_source_that_has_ended_is_not_read(tmp_path: Path) -> None:
    """Nothing is wrong with it."""
    machine = Machine(tmp_path, f"{tmp_path}/log.fifo")
    async with machine.running() as reader:
        machine.supervisor.reading.remove(machine.sources[0])
        (source,) = reader.read().sources.rows
        machine.supervisor.reading.append(machine.sources[0])
    assert (source.state, source.failure) == (SourceState.ENDED, "")


async def test_last_push_is_read(tmp_path: Path) -> None:
    """When it ended, how long it took, why it failed."""
    settings = PushSettings(
        metric_push_interval_seconds=1.0, graphite=GraphiteSettings(graphite_host_port="127.0.0.1:1")
    )
    machine = Machine(tmp_path, push=settings)
    async with machine.running() as reader:
        (before,) = reader.read().pushes
        (task,) = machine.pushes.tasks
        await task.push()
        (after,) = reader.read().pushes
        task.due = trio.current_time() + 100.0
        (later,) = reader.read().pushes
    assert (before.destination, before.address, before.pushes, before.time) == ("graphite", "127.0.0.1:1", 0, 0)
    assert before.next_seconds is None
    assert 0 < (later.next_seconds or 0) <= 100
    assert (after.pushes, after.failures, after.failure, after.time) == (1, 1, "connection refused", 7)


async def test_state_file_is_read(tmp_path: Path) -> None:
    """When it was written, and whether it can be."""
    machine = Machine(tmp_path, state=tmp_path / "state")
    assert machine.keeper is not None
    async with machine.running() as reader:
        await machine.keeper.write()
        written = reader.read().daemon.state
        machine.keeper.path = tmp_path / "none" / "state"
        await machine.keeper.write()
        failing = reader.read().daemon.state
    assert written == StateStatus(f"{tmp_path}/state", 5, 0, is_failing=False)
    assert failing == StateStatus(f"{tmp_path}/none/state", 5, 1, is_failing=True)


async def test_reload_is_read(tmp_path: Path) -> None:
    """How it went, and when."""
    machine = Machine(tmp_path)
    reloads = machine.telemetry.reloads
    async with machine.running() as reader:
        reloads.note(successful=False, now=8, failure="It is gone.")
        reloads.failed += 1
        told = reader.read().daemon.reload
    assert (told.time, told.is_successful, told.failure, told.reloads) == (8, False, "It is gone.", 1)
