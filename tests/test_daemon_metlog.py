"""Metlog's router within the daemon: real sockets and a real pipe, from start to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.daemon import Daemon
from pipeline.endpoint_settings import FileEndpointSettings, SyslogEndpointSettings
from pipeline.errors import SettingError
from pipeline.metlog_settings import MetlogSettings, RouteSettings, StoreEndpointSettings
from pipeline.record_settings import RecordSettings
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
from tests.running_daemon import running, signal_handlers

__all__ = ["signal_handlers"]

PROGRAM = """counter seen_total
/./ {
  seen_total++
}
"""
DEADLINE_SECONDS = 30


@pytest.fixture
def settings(tmp_path: Path) -> DaemonSettings:
    """A program, a socket of lines, a socket of each kind for envelopes, and the server."""
    (tmp_path / "progs").mkdir()
    (tmp_path / "progs" / "p.mtail").write_text(PROGRAM)
    return DaemonSettings(
        programs=ProgramSettings(progs=tmp_path / "progs", language=LanguageSettings()),
        sources=SourceSettings(logs=(f"unixgram://{tmp_path}/lines",)),
        store=StoreSettings(),
        formats=FormatSettings(),
        server=ServerSettings(unix_socket=tmp_path / "http"),
        metlog=MetlogSettings(metlog_logs=(f"unixgram://{tmp_path}/datagram", f"unix://{tmp_path}/stream")),
    )


async def scrape(client: httpx.AsyncClient) -> dict[str, float]:
    """Return the value of each series, by name and labels."""
    await wait_all_tasks_blocked()
    page = (await client.get("/metrics")).raise_for_status().text
    rows = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name.removeprefix("syslog_pipeline_"): float(value) for name, _, value in rows}


def send(path: Path, *lines: bytes, kind: socket.SocketKind = socket.SOCK_DGRAM) -> None:
    """Send to a unix socket, and hang up."""
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.connect(str(path))
        sock.send(b"\n".join(lines))


def write(kind: str, payload: str = "1", **fields: object) -> bytes:
    """Return an envelope."""
    return json.dumps({"type": kind, "payload": payload, "logger": "app", "fields": fields}).encode()


@pytest.mark.slow
async def test_log_is_read_as_fast_as_endpoints_take_it(settings: DaemonSettings, tmp_path: Path) -> None:
    """Where a queue has room for a few batches, and the log has many."""
    line, count = write("oldstyle", "x" * 400), 20_000
    log = tmp_path / "log"
    log.write_bytes((line + b"\n") * count)
    archive = FileEndpointSettings(path=tmp_path / "archive", queue_messages=2_000)
    metlog = MetlogSettings(
        metlog_logs=(str(log),), endpoints={"archive": archive}, routes=(RouteSettings(to=("archive",)),)
    )
    sources = replace(settings.sources, read_from=ReadFrom.START)
    async with running(replace(settings, metlog=metlog, sources=sources)) as client:
        with trio.fail_after(DEADLINE_SECONDS):
            while (await scrape(client))['metlog_taken_total{endpoint="archive"}'] < count:
                pass  # a scrape waits
    assert Path(archive.path).read_bytes().count(b"\n") == count


@pytest.mark.parametrize("kind", ["datagram", "stream", "pipe"])
async def test_slow_endpoint_holds_up_no_socket_and_no_pipe(
    settings: DaemonSettings, tmp_path: Path, kind: str
) -> None:
    """What others wait for is counted at once, although more than half of its queue is taken."""
    where = tmp_path / kind
    slow = SyslogEndpointSettings(socket=tmp_path / "slow", queue_messages=300, batch_messages=1)
    metlog = MetlogSettings(
        metlog_logs=(*settings.metlog.metlog_logs, str(tmp_path / "pipe")),
        endpoints={"slow": slow},
        routes=(RouteSettings(type=("oldstyle",), to=("slow",)), RouteSettings(to=("store",))),
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(slow.socket))
        async with running(replace(settings, metlog=metlog)) as client:
            with trio.fail_after(DEADLINE_SECONDS), open_writer(where) as writer:
                writer.write(b"\n".join([write("oldstyle")] * 280) + b"\n")
                writer.flush()
                while (values := await scrape(client))['metlog_taken_total{endpoint="slow"}'] < 280:
                    pass  # a scrape waits
                writer.write(write("counter", name="n") + b"\n")
                writer.flush()
                while 'n_total{logger="app",prog="metlog"}' not in (values := await scrape(client)):
                    receiver.recv(10_000)  # it is slow, and not dead
            receiver.close()  # now it is, and the end does not wait for it
            assert values['metlog_queued{endpoint="slow"}'] > 150


def open_writer(path: Path) -> BinaryIO:
    """Return what writes to a pipe, or to a unix socket of either kind."""
    if path.is_fifo():
        return path.open("wb")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if path.name == "datagram" else socket.SOCK_STREAM) as sock:
        sock.connect(str(path))
        return sock.makefile("wb")


async def test_measurements_become_series_and_programs_see_the_rest(settings: DaemonSettings, tmp_path: Path) -> None:
    """Without any route. Every line of every source is accounted for, and no program sees an envelope otherwise."""
    async with running(settings) as client:
        send(tmp_path / "lines", b"a", b"b")
        send(tmp_path / "datagram", write("counter", name="n", rate=0.5), write("oldstyle", "hello"), b"nonsense")
        send(
            tmp_path / "stream", write("timer", "20", name="n"), write("gauge", "7", name="n"), kind=socket.SOCK_STREAM
        )
        values = await scrape(client)
    assert values['seen_total{prog="p.mtail"}'] == 3
    assert values['n_total{logger="app",prog="metlog"}'] == 2
    assert values['n_seconds_sum{logger="app",prog="metlog"}'] == 0.02
    assert values['n{logger="app",prog="metlog"}'] == 7
    assert values["lines_total"] == 7
    assert values[f'log_lines_total{{logfile="unixgram://{tmp_path}/datagram"}}'] == 3
    assert values["metlog_lines_total"] == 5
    assert values['metlog_invalid_total{reason="json"}'] == 1
    assert values['metlog_invalid_total{reason="type"}'] == 0
    assert (values['metlog_routed_total{route="1"}'], values['metlog_routed_total{route="2"}']) == (3, 1)
    assert values['metlog_delivered_total{endpoint="store"}'] == 3
    assert values['metlog_delivered_total{endpoint="programs"}'] == 1


async def test_envelope_that_is_longer_than_a_line_may_be_is_counted(settings: DaemonSettings, tmp_path: Path) -> None:
    """What is left of it is no JSON; the next one is none the worse."""
    async with running(settings) as client:
        send(tmp_path / "datagram", write("oldstyle", "x" * settings.sources.max_line_bytes), write("oldstyle"))
        values = await scrape(client)
    assert values[f'lines_truncated_total{{logfile="unixgram://{tmp_path}/datagram"}}'] == 1
    assert values['metlog_invalid_total{reason="json"}'] == 1
    assert values['metlog_delivered_total{endpoint="programs"}'] == 1


async def test_who_has_no_router_has_none_of_its_metrics(settings: DaemonSettings) -> None:
    """Nor of its section on the page for people."""
    async with running(replace(settings, metlog=MetlogSettings())) as client:
        values = await scrape(client)
        page = (await client.get("/")).text
    assert [name for name in values if name.startswith("metlog_") and "{" in name] == []
    assert "metlog" not in page


async def test_what_messages_made_outlives_a_restart(settings: DaemonSettings, tmp_path: Path) -> None:
    """It is there again before the first message, and a reload does not touch it."""
    settings = replace(settings, state=StateSettings(state_file=tmp_path / "state"))
    async with running(settings):
        send(tmp_path / "datagram", write("counter", "5", name="n"), write("timer", "20", name="n"))
        await wait_all_tasks_blocked()
    async with running(settings) as client:
        values = await scrape(client)
        assert values['n_total{logger="app",prog="metlog"}'] == 5
        os.kill(os.getpid(), signal.SIGHUP)
        send(tmp_path / "datagram", write("counter", name="n"), write("timer", "20", name="n"))
        values = await scrape(client)
    assert values['n_total{logger="app",prog="metlog"}'] == 6
    assert values['n_seconds_count{logger="app",prog="metlog"}'] == 2


async def test_what_no_store_would_make_any_more_is_let_go(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning, as its values are lost."""
    settings = replace(settings, state=StateSettings(state_file=tmp_path / "state"))
    async with running(settings):
        send(tmp_path / "datagram", write("counter", "5", name="n"))
        await wait_all_tasks_blocked()
    endpoints = {"store": StoreEndpointSettings(labels=("route",))}
    with caplog.at_level(logging.WARNING):
        async with running(replace(settings, metlog=replace(settings.metlog, endpoints=endpoints))) as client:
            values = await scrape(client)
    assert not [name for name in values if name.startswith("n_total")]
    assert "These metrics of messages begin anew, as no store would go on with them: n_total." in caplog.messages


async def test_program_that_is_loaded_later_takes_its_names(settings: DaemonSettings, tmp_path: Path) -> None:
    """At the reload; when it has gone, the metric of messages is back, with what it had."""
    program = tmp_path / "progs" / "q.mtail"
    async with running(settings) as client:
        send(tmp_path / "datagram", write("counter", "5", name="n"))
        await scrape(client)
        program.write_text("gauge n_total\n/./ {\n  n_total = 3\n}\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_all_tasks_blocked()
        send(tmp_path / "datagram", write("counter", name="n"))
        send(tmp_path / "lines", b"x")
        values = await scrape(client)
        assert {name for name in values if name.startswith("n_total")} == {'n_total{prog="q.mtail"}'}
        assert values['metlog_refusals_total{endpoint="store",reason="name_taken"}'] == 1
        program.unlink()
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_all_tasks_blocked()
        send(tmp_path / "datagram", write("counter", name="n"))
        values = await scrape(client)
    assert {name: value for name, value in values.items() if name.startswith("n_total")} == {
        'n_total{logger="app",prog="metlog"}': 6
    }


async def test_endpoint_has_all_at_the_end_and_follows_a_rotation(settings: DaemonSettings, tmp_path: Path) -> None:
    """What was taken before the signal to stop is in the file when the daemon has ended."""
    path = tmp_path / "messages"
    metlog = replace(
        settings.metlog,
        endpoints={"archive": FileEndpointSettings(path=path)},
        routes=(RouteSettings(type=("log",), to=("archive",)),),
    )
    lines = [write("log", str(number)) for number in range(20)]
    async with running(replace(settings, metlog=metlog)) as client:
        send(tmp_path / "datagram", *lines[:10], write("other"))
        with trio.fail_after(DEADLINE_SECONDS):
            while (await scrape(client))['metlog_delivered_total{endpoint="archive"}'] < 10:
                await trio.lowlevel.checkpoint()
        path.rename(tmp_path / "messages.1")
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_all_tasks_blocked()
        send(tmp_path / "datagram", *lines[10:])
        values = await scrape(client)
    assert (tmp_path / "messages.1").read_bytes().splitlines() == lines[:10]
    assert path.read_bytes().splitlines() == lines[10:]
    assert values["metlog_unrouted_total"] == 1


async def test_envelopes_are_not_joined_to_records(settings: DaemonSettings, tmp_path: Path) -> None:
    """Each line is one, whatever lines of logs are."""
    sources = replace(settings.sources, records=(RecordSettings(record_start="^begin"),))
    async with running(replace(settings, sources=sources)) as client:
        send(tmp_path / "datagram", write("counter", name="n"), write("counter", name="n"))
        values = await scrape(client)
    assert values['n_total{logger="app",prog="metlog"}'] == 2


async def test_page_for_people_shows_the_router(settings: DaemonSettings, tmp_path: Path) -> None:
    """Its sources, endpoints and routes, and what was wrong."""
    async with running(settings) as client:
        send(tmp_path / "datagram", write("counter", "<b>", name="<i>"), b"<u>nonsense</u>")
        await wait_all_tasks_blocked()
        page = (await client.get("/")).text
    assert f"unixgram://{tmp_path}/datagram" in page
    assert "type counter, timer, gauge" in page
    assert "Lines come that are no envelopes of metlog" in page
    assert "a message of type counter and name &lt;i&gt; from app: its payload is no number" in page
    assert "&lt;u&gt;nonsense&lt;/u&gt;" in page
    assert "<u>" not in page


@pytest.mark.parametrize("log", ["unixgram://{}/lines", "unixgram://{}/progs/../lines"])
def test_source_carries_lines_or_envelopes(settings: DaemonSettings, log: str, tmp_path: Path) -> None:
    """However it is written."""
    log = log.format(tmp_path)
    with ExitStack() as stack, pytest.raises(SettingError) as caught:
        Daemon(replace(settings, metlog=MetlogSettings(metlog_logs=(log,)))).prepare(stack)
    assert str(caught.value) == f"The source {log} is one of --logs and one of envelopes: it can only be one."


def test_what_does_nothing_is_said_at_the_start(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a slip, and nothing is lost by it."""
    metlog = replace(
        settings.metlog,
        endpoints={"spare": StoreEndpointSettings()},
        routes=(RouteSettings(to=("drop",)), RouteSettings(to=("store",))),
    )
    with caplog.at_level(logging.WARNING), ExitStack() as stack:
        Daemon(replace(settings, metlog=metlog)).prepare(stack)
    assert caplog.messages == [
        "No route goes to metlog.endpoint.spare: it gets no message.",
        "metlog.route 2 gets no message: a route before it takes all.",
    ]


def test_table_without_sources_is_told(settings: DaemonSettings, caplog: pytest.LogCaptureFixture) -> None:
    """Lines go on reaching the programs."""
    metlog = MetlogSettings(endpoints={"store": StoreEndpointSettings()})
    with caplog.at_level(logging.WARNING), ExitStack() as stack:
        Daemon(replace(settings, metlog=metlog)).prepare(stack)
    assert caplog.messages == ["The table metlog has endpoints or routes and no sources, so that no message comes."]


def test_state_file_is_no_source_of_envelopes(settings: DaemonSettings, tmp_path: Path) -> None:
    """It would be replaced."""
    with pytest.raises(SettingError) as caught:
        replace(settings, state=StateSettings(state_file=tmp_path / "stream"))
    assert str(caught.value) == f"--state_file and unix://{tmp_path}/stream of --metlog_logs are the same path."


def test_standard_input_has_two_names(settings: DaemonSettings) -> None:
    """Both are one source."""
    given = replace(settings.sources, logs=("/dev/stdin",))
    with ExitStack() as stack, pytest.raises(SettingError) as caught:
        Daemon(replace(settings, sources=given, metlog=MetlogSettings(metlog_logs=("-",)))).prepare(stack)
    assert str(caught.value) == "The source - is one of --logs and one of envelopes: it can only be one."


@pytest.mark.parametrize("log", ["messages.json", "../{}/*.json", "file://{}/m*"])
def test_endpoint_does_not_write_what_is_routed(settings: DaemonSettings, log: str, tmp_path: Path) -> None:
    """Each message would come again, and again, until the disk is full."""
    log = str(tmp_path / log.format(tmp_path.name)) if "://" not in log else log.format(tmp_path)
    path = tmp_path / "progs" / ".." / "messages.json"
    (tmp_path / "messages.json").touch()
    metlog = MetlogSettings(metlog_logs=(log,), endpoints={"a": FileEndpointSettings(path=path)})
    with ExitStack() as stack, pytest.raises(SettingError) as caught:
        Daemon(replace(settings, metlog=metlog)).prepare(stack)
    assert str(caught.value) == (
        f"metlog.endpoint.a.path is {path}, which the source {log} reads: messages would go round."
    )


def test_endpoint_may_write_beside_what_is_routed(settings: DaemonSettings, tmp_path: Path) -> None:
    """What no pattern matches, and what comes by a socket."""
    logs = (f"{tmp_path}/*.json", f"unixgram://{tmp_path}/messages")
    metlog = MetlogSettings(metlog_logs=logs, endpoints={"a": FileEndpointSettings(path=tmp_path / "messages.log")})
    with ExitStack() as stack:
        daemon = Daemon(replace(settings, metlog=metlog))
        daemon.prepare(stack)
        assert [source.name for source in daemon.envelopes] == [*logs]
