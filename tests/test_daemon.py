"""The daemon from start to stop, on a real named pipe and real unix sockets, and to the next run."""

from __future__ import annotations

import gc
import logging
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.daemon import Daemon, run_daemon
from pipeline.errors import SettingError
from pipeline.settings import DaemonSettings, ReadFrom, ServerSettings, SourceSettings, StateSettings
from pipeline.sources.fifo import FifoSource
from pipeline.state_file import hold_state
from tests.e2e.daemons import DEADLINE_SECONDS
from tests.running_daemon import read_page, running, scrape, send, settings, signal_handlers

__all__ = ["settings", "signal_handlers"]


async def test_lines_from_every_source_are_counted(settings: DaemonSettings, tmp_path: Path) -> None:
    """Served with the daemon's own metrics, under the names of the sources."""
    async with running(settings) as client:
        (tmp_path / "log.fifo").write_text("word a\nword b\n")
        send(socket.SOCK_STREAM, tmp_path / "stream", b"word a\nword a")
        send(socket.SOCK_DGRAM, tmp_path / "datagram", b"word b")
        values = await scrape(client)
    assert values["lines_total"] == 5
    assert (values['words_total{word="a"}'], values['words_total{word="b"}']) == (3, 2)
    assert values["syslog_pipeline_lines_total"] == 5
    assert values[f'syslog_pipeline_log_lines_total{{logfile="{tmp_path}/log.fifo"}}'] == 2
    assert values[f'syslog_pipeline_log_lines_total{{logfile="unix://{tmp_path}/stream"}}'] == 2
    assert values['syslog_pipeline_prog_lines_total{prog="p.mtail"}'] == 5


async def test_sockets_are_removed_at_the_end(settings: DaemonSettings, tmp_path: Path) -> None:
    """The pipe stays: a writer may hold it."""
    async with running(settings):
        assert {path.name for path in tmp_path.iterdir()} == {"progs", "log.fifo", "stream", "datagram", "http"}
    assert {path.name for path in tmp_path.iterdir()} == {"progs", "log.fifo"}


async def test_what_was_written_before_the_signal_is_counted(settings: DaemonSettings, tmp_path: Path) -> None:
    """The sources are read to their end; the last line needs no line feed."""
    daemon = Daemon(settings)
    with ExitStack() as stack:
        daemon.prepare(stack)
        (tmp_path / "log.fifo").write_text("word a\n")
        send(socket.SOCK_STREAM, tmp_path / "stream", b"word a\nword a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGINT)
            (tmp_path / "log.fifo").write_text("word b")
    assert daemon.telemetry.lines == 4


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock on the wall: however busy the machine is, no second passes until a page is made."""
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)


async def test_status_pages_show_failures(settings: DaemonSettings, tmp_path: Path, still_clock: None) -> None:
    """Of a program that does not load, and of one that fails on a line."""
    (tmp_path / "progs" / "q.mtail").write_text("counter x /\n")
    async with running(settings) as client:
        (tmp_path / "log.fifo").write_text("date then\n")
        page = await read_page(client)
        broken, torn = await read_page(client, "/program/q.mtail"), await read_page(client, "/program/p.mtail")
    for text in (page, broken):
        assert "q.mtail:1:11: error: " in text
    for text in (page, torn):
        assert f"Where p.mtail:15:3 When just now Source {tmp_path}/log.fifo 15 | strptime($date" in text
        assert "The line was: date then" in text
    assert "counter x / error" in broken


async def test_page_of_a_program_shows_what_it_counts(
    settings: DaemonSettings, tmp_path: Path, still_clock: None
) -> None:
    """Its newest series first."""
    async with running(settings) as client:
        (tmp_path / "log.fifo").write_text("word a\nword b\nword b\n")
        text = await read_page(client, "/program/p.mtail")
        assert (await client.get("/program/x.mtail")).status_code == 404
    assert 'words_total word="b" 2 just now word="a" 1 just now' in text
    assert "words_total counter word line 2 2 100,000 by --max_series_per_metric" in text


async def test_status_page_shows_what_came_from_each_source(settings: DaemonSettings, tmp_path: Path) -> None:
    """Lines and bytes, and how many writers are connected."""
    async with running(settings) as client:
        (tmp_path / "log.fifo").write_text("word a\nword b\n")
        with socket.socket(socket.AF_UNIX) as writer:
            writer.connect(str(tmp_path / "stream"))
            page = await read_page(client)
    assert f"{tmp_path}/stream 1 connected ✓ read 0 0 B 0 0 B never 0" in page
    assert re.search(rf"{tmp_path}/log\.fifo ✓ read \S+ \S+ k?B 2 0 B just now 0", page)


async def test_log_tells_the_course_of_things(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each message is a sentence."""
    caplog.set_level(logging.INFO, "pipeline")
    async with running(settings):
        pass
    assert caplog.messages == [
        "Program p.mtail is loaded.",
        f"{tmp_path}/log.fifo is read.",
        f"unix://{tmp_path}/stream is read.",
        f"unixgram://{tmp_path}/datagram is read.",
        f"Ready. The metrics are served on {tmp_path}/http.",
        "SIGTERM received. The sources are read to their end.",
        "All sources are closed. The metrics are no longer served.",
    ]


async def test_warnings_about_programs_are_logged(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, as `check` prints them."""
    (tmp_path / "progs" / "p.mtail").write_text("counter c\n/x(?P<unused>.)/ {\n  c++\n}\n")
    with ExitStack() as stack:
        Daemon(settings).prepare(stack)
    assert caplog.messages[0].startswith("p.mtail:2:")


async def test_program_sees_what_it_is_bound_to(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A misspelt binding is told at the start, and at each reload until it is right."""
    progs = tmp_path / "progs"
    (progs / "bound.mtail").write_text("counter bound_total\nbound_total++\n")
    pipe = f"{tmp_path}/log.fifo"
    bind = (("bound", f"unix://{tmp_path}/*"), ("later", pipe), ("bound", "unix:///none"))
    settings = replace(settings, programs=replace(settings.programs, bind=bind))
    caplog.set_level(logging.WARNING)
    async with running(settings) as client:
        send(socket.SOCK_STREAM, tmp_path / "stream", b"a\nb\n")
        (tmp_path / "log.fifo").write_text("c\n")
        values = await scrape(client)
        assert (values["bound_total"], values["lines_total"]) == (2, 3)
        assert f"bound.mtail sees only unix://{tmp_path}/*, unix:///none" in await read_page(client)
        (progs / "later.mtail").write_text("counter later_total\nlater_total++\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_all_tasks_blocked()
        send(socket.SOCK_STREAM, tmp_path / "stream", b"a\n")
        (tmp_path / "log.fifo").write_text("c\n")
        values = await scrape(client)
        assert (values["bound_total"], values["later_total"], values["lines_total"]) == (3, 1, 5)
    not_there = f"The binding of later to {pipe} does nothing: no program is called later. "
    no_source = "The binding of bound to unix:///none lets no line through: nothing that --logs names is called "
    starts = [message.partition(": ")[0] for message in (not_there, no_source, no_source)]
    assert [message.partition(": ")[0] for message in caplog.messages] == starts


async def test_source_that_is_gone_is_forgotten(settings: DaemonSettings) -> None:
    """With its metrics, and with what is known about who may see it."""
    with ExitStack() as stack:
        daemon = Daemon(settings)
        daemon.prepare(stack)
        (counts, *_) = daemon.telemetry.sources
        daemon.deliver(Batch.of([b"a"], counts.origin))
        assert counts.origin in daemon.dispatcher.by_origin
        daemon.forget_source(counts)
        assert counts.origin not in daemon.dispatcher.by_origin
        assert counts not in daemon.telemetry.sources


def test_connections_beyond_the_descriptors_are_told(
    settings: DaemonSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start: then there is time to change it."""
    number = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    sources = replace(settings.sources, logs=(settings.sources.logs[1],), max_connections=number)
    with ExitStack() as stack:
        Daemon(replace(settings, sources=sources)).prepare(stack)
    assert [message.partition(" that ")[0] for message in caplog.messages] == [
        f"--max_connections={number} is more than the {number} descriptors allow"
    ]


async def test_state_goes_over_to_the_next_run(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is written after the sources were read to their end: only then a line without a line feed is one."""
    caplog.set_level(logging.INFO, "pipeline.daemon")
    settings = replace(settings, state=StateSettings(state_file=tmp_path / "state", state_interval_seconds=0.0))
    async with running(settings) as client:
        assert "syslog_pipeline_state_last_write_timestamp_seconds" not in await scrape(client)
        (tmp_path / "log.fifo").write_text("word a\nword a")
    caplog.clear()
    async with running(settings) as client:
        (tmp_path / "log.fifo").write_text("word a\n")
        values = await scrape(client)
    assert values['words_total{word="a"}'] == 3
    assert values["syslog_pipeline_lines_total"] == 1
    assert values["syslog_pipeline_state_write_failures_total"] == 0
    assert caplog.messages[0] == f"The state file {tmp_path}/state is read: it has 2 series."


async def test_who_waits_for_the_disk_is_served(settings: DaemonSettings, tmp_path: Path) -> None:
    """A source that confirms lines does so when they are in the state file."""
    state = StateSettings(state_file=tmp_path / "state", state_interval_seconds=0.0)
    with ExitStack() as stack:
        daemon = Daemon(replace(settings, state=state))
        daemon.prepare(stack)
        fifo = daemon.sources[0]
        assert isinstance(fifo, FifoSource)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_all_tasks_blocked()
            (tmp_path / "log.fifo").write_text("word a\n")
            await wait_all_tasks_blocked()
            await fifo.surroundings.save()
            assert '"keys":[["a"]]' in (tmp_path / "state").read_text()
            os.kill(os.getpid(), signal.SIGTERM)


async def test_positions_go_over_to_the_next_run(settings: DaemonSettings, tmp_path: Path) -> None:
    """Of the same moment as the values: what is written to a file meanwhile is counted, and what was before is not."""
    log = tmp_path / "app.log"
    log.write_text("word a\n")
    sources = SourceSettings(logs=(str(log),), read_positions=True, read_from=ReadFrom.START)
    settings = replace(settings, sources=sources, state=StateSettings(state_file=tmp_path / "state"))
    for _ in range(2):
        async with running(settings):
            pass
        with log.open("a") as file:
            file.write("word a\n")
    async with running(settings) as client:
        assert (await scrape(client))['words_total{word="a"}'] == 3


@pytest.mark.slow
async def test_histograms_begin_anew_with_the_run_that_makes_them_native(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    """Other restarts keep them: with native buckets as before, and where these are not wanted any more."""
    (tmp_path / "progs" / "sizes.mtail").write_text("histogram sizes buckets 1, 9\n/^size (\\d+)/ {\n  sizes = $1\n}\n")
    settings = replace(settings, state=StateSettings(state_file=tmp_path / "state"))
    counts = []
    for native in (False, True, True, False, True):
        programs = replace(settings.programs, native_histograms=native)
        async with running(replace(settings, programs=programs)) as client:
            (tmp_path / "log.fifo").write_text("size 4\n")
            counts.append((await scrape(client))["sizes_count"])
    assert counts == [1, 1, 2, 3, 1]


async def test_source_that_fails_leaves_the_others_running(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and said."""
    caplog.set_level(logging.WARNING)
    with ExitStack() as stack:
        daemon = Daemon(settings)
        daemon.prepare(stack)
        fifo = daemon.sources[0]
        assert isinstance(fifo, FifoSource)
        assert fifo.descriptor is not None
        folder = os.open(tmp_path, os.O_RDONLY)
        os.dup2(folder, fifo.descriptor)  # a folder cannot be read, as a file on a broken disk
        os.close(folder)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_all_tasks_blocked()
            send(socket.SOCK_DGRAM, tmp_path / "datagram", b"word a")
            await wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGTERM)
    assert daemon.telemetry.lines == 1
    assert fifo.counts.errors == 1
    assert caplog.messages == [f"{tmp_path}/log.fifo failed: is a directory. It is opened again in 1 s."]


def test_end_of_all_sources_is_the_end(
    settings: DaemonSettings, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Standard input alone ends the daemon with it; pytest's is empty."""
    caplog.set_level(logging.INFO, "pipeline")
    run_daemon(replace(settings, sources=SourceSettings(logs=("-",)), server=ServerSettings()))
    assert caplog.messages == [
        "Program p.mtail is loaded.",
        "- is read.",
        "The metrics are not served: no --unix_socket is given.",
        "- has ended.",
        "All sources are closed. The metrics are no longer served.",
    ]


def test_modules_are_not_searched_for_garbage(settings: DaemonSettings) -> None:
    """It would hold lines and scrapes up; programs and series come later, and may go."""
    gc.unfreeze()
    run_daemon(replace(settings, sources=SourceSettings(logs=("-",)), server=ServerSettings()))
    tracked = {id(one) for one in gc.get_objects()}
    gc.unfreeze()
    assert id(logging.__dict__) not in tracked


def test_start_that_fails_leaves_no_socket(settings: DaemonSettings, tmp_path: Path) -> None:
    """Here the last step fails: somebody serves already."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "http"))
        other.listen()
        with pytest.raises(SettingError) as caught:
            run_daemon(settings)
    assert str(caught.value) == f"Somebody already serves the socket {tmp_path}/http."
    assert {path.name for path in tmp_path.iterdir()} == {"progs", "log.fifo", "http"}


def test_second_daemon_on_a_state_does_not_start(settings: DaemonSettings, tmp_path: Path) -> None:
    """It makes nothing, either."""
    settings = replace(settings, state=StateSettings(state_file=tmp_path / "state"))
    with hold_state(tmp_path / "state"), pytest.raises(SettingError) as caught:
        run_daemon(settings)
    assert str(caught.value) == f"Somebody already keeps the state file {tmp_path}/state."
    assert {path.name for path in tmp_path.iterdir()} == {"progs"}


@pytest.mark.slow
def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    """A client that takes nothing would otherwise hold the end up, as long as is set."""
    (tmp_path / "p.mtail").write_text("counter c by n\n/(.*)/ {\n  c[$1]++\n}\n")
    command = [sys.executable, "-m", "pipeline", "run", "--progs", f"{tmp_path}/p.mtail"]
    command += ["--logs", f"{tmp_path}/fifo", "--unix_socket", f"{tmp_path}/http", "--shutdown_timeout", "1h"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("INFO Ready."))
        (tmp_path / "fifo").write_text("".join(f"{number}\n" for number in range(10_000)))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{tmp_path}/http")
            client.send(b"GET /json HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(1)
            process.terminate()
            next(line for line in process.stderr if line.startswith("INFO All sources are closed."))
            process.terminate()
            process.wait(timeout=DEADLINE_SECONDS)
    assert process.returncode == -signal.SIGTERM
