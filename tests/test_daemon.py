"""The daemon from start to stop, on a real named pipe and real unix sockets."""

from __future__ import annotations

import gc
import html
import logging
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.daemon import MAX_SWEEP_SECONDS, MIN_SWEEP_SECONDS, NANOSECONDS, Daemon, find_sweep_pause, run_daemon
from pipeline.errors import SettingError
from pipeline.metrics.metric import SWEEP_STEP
from pipeline.settings import (
    DaemonSettings,
    FormatSettings,
    LanguageSettings,
    ProgramSettings,
    ReadFrom,
    ServerSettings,
    SourceSettings,
    StateSettings,
    StoreSettings,
)
from pipeline.sources.fifo import FifoSource
from pipeline.state_file import hold_state
from tests.e2e.daemons import DEADLINE_SECONDS
from tests.readiness import wait_obeying

PROGRAM = """counter lines_total
counter words_total by word
lines_total++
/^word (?P<word>.*)/ {
  words_total[$word]++
}
/^forget (?P<word>.*)/ {
  del words_total[$word]
}
/^(?P<word>.*) for a moment$/ {
  words_total[$word]++
  del words_total[$word] after 1ms
}
/^date (?P<date>.*)/ {
  strptime($date, "2006")
}
"""


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Put the handlers back that a stop gives up."""
    before = {
        number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def settings(tmp_path: Path) -> DaemonSettings:
    """One program, a pipe, a socket of each kind, and the server."""
    (tmp_path / "progs").mkdir()
    (tmp_path / "progs" / "p.mtail").write_text(PROGRAM)
    return DaemonSettings(
        programs=ProgramSettings(progs=tmp_path / "progs", language=LanguageSettings()),
        sources=SourceSettings(
            logs=(f"{tmp_path}/log.fifo", f"unix://{tmp_path}/stream", f"unixgram://{tmp_path}/datagram")
        ),
        store=StoreSettings(),
        formats=FormatSettings(emit_prog_label=False),
        server=ServerSettings(unix_socket=tmp_path / "http"),
    )


@asynccontextmanager
async def running(settings: DaemonSettings) -> AsyncIterator[httpx.AsyncClient]:
    """Run the daemon, give a client for its server, and stop the daemon by a signal."""
    with ExitStack() as stack:
        daemon = Daemon(settings)
        daemon.prepare(stack)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_obeying()
            transport = httpx.AsyncHTTPTransport(uds=str(settings.server.unix_socket))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                yield client
            if not daemon.stopping.cancel_called:
                os.kill(os.getpid(), signal.SIGTERM)


async def scrape(client: httpx.AsyncClient) -> dict[str, float]:
    """Return the value of each series, by name and labels."""
    await wait_all_tasks_blocked()
    page = (await client.get("/metrics")).raise_for_status().text
    rows = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def send(kind: socket.SocketKind, path: Path, data: bytes) -> None:
    """Send to a unix socket, and hang up."""
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.connect(str(path))
        sock.send(data)


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


async def test_expired_series_is_not_served(settings: DaemonSettings, tmp_path: Path) -> None:
    """A scrape sweeps, so expiry acts on time."""
    async with running(settings) as client:
        (tmp_path / "log.fifo").write_text("x for a moment\nword y\n")
        await wait_all_tasks_blocked()
        await trio.sleep(0.002)
        assert [name for name in await scrape(client) if name.startswith("words_total")] == ['words_total{word="y"}']


async def test_series_whose_lifetime_is_over_is_not_served(settings: DaemonSettings, tmp_path: Path) -> None:
    """A scrape counts what it did not find any more."""
    store = StoreSettings(expire=(("words_*", 0.001), ("*", 3600.0)))
    async with running(replace(settings, store=store)) as client:
        (tmp_path / "log.fifo").write_text("word x\nword y\n")
        await wait_all_tasks_blocked()
        await trio.sleep(0.002)
        lines = await scrape(client)
        assert [name for name in lines if name.startswith("words_total")] == []
        assert lines["lines_total"] == 2
        assert lines['syslog_pipeline_series_expired_total{metric="words_total",prog="p.mtail"}'] == 2


async def test_lifetime_of_no_metric_is_told_at_the_start_and_at_a_reload(
    settings: DaemonSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Once each time: a program that is not there yet may have it."""
    store = StoreSettings(expire=(("words_*", 60.0), ("word_total", 60.0), ("x_*", 60.0)))
    told = [
        f"--expire does nothing for {name}: no program has a metric of that name that has labels. {suggestion}"
        "Programs are looked at again at a reload."
        for name, suggestion in (("word_total", "Did you mean words_total? "), ("x_*", ""))
    ]
    with ExitStack() as stack:
        daemon = Daemon(replace(settings, store=store))
        daemon.prepare(stack)
        assert [record.getMessage() for record in caplog.records if "--expire" in record.getMessage()] == told
        await daemon.reload()
    assert [record.getMessage() for record in caplog.records if "--expire" in record.getMessage()] == [*told, *told]


async def test_expired_series_stays_where_sweeping_is_off(settings: DaemonSettings, tmp_path: Path) -> None:
    """As with mtail."""
    store = StoreSettings(expired_metrics_gc_interval_seconds=0.0)
    async with running(replace(settings, store=store)) as client:
        (tmp_path / "log.fifo").write_text("x for a moment\n")
        await wait_all_tasks_blocked()
        await trio.sleep(0.002)
        assert 'words_total{word="x"}' in await scrape(client)


async def test_sweep_frees_what_nobody_scrapes(
    settings: DaemonSettings, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A minute later at most."""
    with ExitStack() as stack:
        daemon = Daemon(settings)
        daemon.prepare(stack)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_all_tasks_blocked()
            (tmp_path / "log.fifo").write_text("x for a moment\n")
            await trio.sleep(2 * MAX_SWEEP_SECONDS)
            assert [len(metric.data) for metric in daemon.store if metric.name == "words_total"] == [0]
            os.kill(os.getpid(), signal.SIGTERM)


async def test_sweep_of_many_series_is_divided_and_does_not_pause(settings: DaemonSettings) -> None:
    """Everything else gets its turn in between, and memory is free as soon as that can be."""
    with ExitStack() as stack:
        daemon = Daemon(settings)
        daemon.prepare(stack)
        (metric,) = (one for one in daemon.store if one.name == "words_total")
        for number in range(3 * SWEEP_STEP):
            metric.new((b"%d" % number,), 1)
            metric.expire_after((b"%d" % number,), 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            sizes = set()
            while metric.data:
                sizes.add(len(metric.data))
                await trio.lowlevel.checkpoint()
            assert sizes & {SWEEP_STEP, 2 * SWEEP_STEP}  # of two steps between two looks one may be missed
            await wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("next_expiry", "interval", "pause"),
    [
        (None, 3600.0, MAX_SWEEP_SECONDS),
        (None, 10.0, 10.0),
        (5 * NANOSECONDS, 3600.0, 5.0),
        (-5 * NANOSECONDS, 3600.0, MIN_SWEEP_SECONDS),
        (1, 0.5, 0.5),
        (999 * NANOSECONDS, 3600.0, MAX_SWEEP_SECONDS),
    ],
)
def test_next_sweep_is_when_something_expires(next_expiry: int | None, interval: float, pause: float) -> None:
    """Not more than once a second, and not less often than was asked for."""
    assert find_sweep_pause(next_expiry, 0, interval) == pause


async def read_page(client: httpx.AsyncClient, path: str = "/") -> str:
    """Return what a reader of a page sees, in one line."""
    await wait_all_tasks_blocked()
    text = (await client.get(path)).raise_for_status().text.partition("<body>")[2]
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())


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


async def test_status_page_of_a_reload_that_finds_nothing_says_so(settings: DaemonSettings, tmp_path: Path) -> None:
    """The programs run on."""
    async with running(settings) as client:
        (tmp_path / "progs" / "p.mtail").unlink()
        (tmp_path / "progs").rmdir()
        os.kill(os.getpid(), signal.SIGHUP)
        page = await read_page(client)
    assert "The last reload did nothing The programs in " in page
    assert "p.mtail ✓ running" in page


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


async def test_reload_takes_up_changes_and_keeps_values(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """New and changed programs are loaded, one that is gone gets no more lines, a broken one keeps its old self."""
    progs = tmp_path / "progs"
    (progs / "gone.mtail").write_text("counter gone_total\ngone_total++\n")
    (progs / "kept.mtail").write_text("counter kept_total\nkept_total++\n")
    caplog.set_level(logging.INFO, "pipeline.daemon")
    async with running(settings) as client:
        (tmp_path / "log.fifo").write_text("word a\n")
        await wait_all_tasks_blocked()
        (progs / "p.mtail").write_text("# changed\n" + PROGRAM)
        (progs / "new.mtail").write_text("counter new_total\nnew_total++\n")
        (progs / "kept.mtail").write_text("counter x /\n")
        (progs / "gone.mtail").unlink()
        caplog.clear()
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_all_tasks_blocked()
        messages = [message.partition("\n")[0] for message in caplog.messages]
        (tmp_path / "log.fifo").write_text("word a\n")
        values = await scrape(client)
        page = await read_page(client)
    assert messages == [
        "Program kept.mtail is not loaded. Its old self runs on.",
        "Program new.mtail is loaded.",
        "Program p.mtail is loaded.",
        "Program gone.mtail is unloaded, with its metrics: its file is gone.",
        "Reload: 2 loaded, 0 unchanged, 1 failed (kept), 1 removed.",
    ]
    assert [values.get(name) for name in ("lines_total", "gone_total", "kept_total", "new_total")] == [2, None, 2, 1]
    assert values['syslog_pipeline_reloads_total{outcome="failure"}'] == 1
    assert values["syslog_pipeline_config_last_reload_successful"] == 0
    assert "kept.mtail ✗ running, the last change does not load" in page
    assert "gone.mtail – unloaded, its file is gone" in page


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


async def test_reload_of_a_folder_that_is_gone_changes_nothing(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be back soon."""
    async with running(settings) as client:
        (tmp_path / "progs").rename(tmp_path / "other")
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_all_tasks_blocked()
        (tmp_path / "log.fifo").write_text("word a\n")
        assert (await scrape(client))["lines_total"] == 1
    assert caplog.messages == [
        f"The programs in {tmp_path}/progs cannot be read: no such file or directory. All programs run on as they were."
    ]


async def test_reload_that_succeeds_is_a_metric(settings: DaemonSettings, tmp_path: Path) -> None:
    """The start is no reload, but a success like one."""
    async with running(settings) as client:
        before = await scrape(client)
        os.kill(os.getpid(), signal.SIGHUP)
        after = await scrape(client)
    name = "syslog_pipeline_config_last_reload_success_timestamp_seconds"
    assert 0 < before[name] < after[name]
    for values, reloads in ((before, 0), (after, 1)):
        assert values['syslog_pipeline_reloads_total{outcome="success"}'] == reloads
        assert values['syslog_pipeline_reloads_total{outcome="failure"}'] == 0
        assert values["syslog_pipeline_config_last_reload_successful"] == 1


async def test_reload_that_is_wanted_during_a_reload_follows(settings: DaemonSettings, tmp_path: Path) -> None:
    """What was not there yet when the first one looked is taken up by the second."""
    progs = tmp_path / "progs"
    (progs / "q.mtail").write_text("counter q_total\nq_total++\n")
    with ExitStack() as stack:
        daemon = Daemon(settings)
        daemon.prepare(stack)
        wanted = daemon.reload_wanted
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGHUP)
            while daemon.reload_wanted is wanted:
                await trio.lowlevel.checkpoint()
            (progs / "new.mtail").write_text("counter new_total\nnew_total++\n")
            os.kill(os.getpid(), signal.SIGHUP)
            await wait_all_tasks_blocked()
            assert daemon.telemetry.reloads.succeeded == 2
            assert set(daemon.loader.running) == {"new.mtail", "p.mtail", "q.mtail"}
            os.kill(os.getpid(), signal.SIGTERM)


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
