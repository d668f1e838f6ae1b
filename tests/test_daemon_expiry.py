"""Series that expire in the daemon: they are not served any more, and sweeps free what they took."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.daemon import MAX_SWEEP_SECONDS, MIN_SWEEP_SECONDS, NANOSECONDS, Daemon, find_sweep_pause
from pipeline.metrics.metric import SWEEP_STEP
from pipeline.settings import DaemonSettings, StoreSettings
from tests.running_daemon import running, scrape, settings, signal_handlers

__all__ = ["settings", "signal_handlers"]


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
