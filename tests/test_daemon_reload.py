"""Reloads of the daemon by a signal: what changes, what stays, and what is told of it."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.daemon import Daemon
from pipeline.settings import DaemonSettings
from tests.running_daemon import PROGRAM, read_page, running, scrape, settings, signal_handlers

__all__ = ["settings", "signal_handlers"]


async def test_status_page_of_a_reload_that_finds_nothing_says_so(settings: DaemonSettings, tmp_path: Path) -> None:
    """The programs run on."""
    async with running(settings) as client:
        (tmp_path / "progs" / "p.mtail").unlink()
        (tmp_path / "progs").rmdir()
        os.kill(os.getpid(), signal.SIGHUP)
        page = await read_page(client)
    assert "The last reload did nothing The programs in " in page
    assert "p.mtail ✓ running" in page


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
