"""Records in the daemon as a whole: its timer, its warnings, its metrics."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from pipeline.record_settings import RecordSettings
from pipeline.settings import (
    DaemonSettings,
    FormatSettings,
    LanguageSettings,
    ProgramSettings,
    ServerSettings,
    SourceSettings,
    StoreSettings,
)
from tests.running_daemon import running, scrape, signal_handlers
from tests.sources.collector import PATIENCE_SECONDS

__all__ = ["signal_handlers"]

PROGRAM = """counter traces_total by frame
/^Boom.* at (?P<frame>\\w)$/ {
  traces_total[$frame]++
}
"""


@pytest.fixture
def settings(tmp_path: Path) -> DaemonSettings:
    """A program, a pipe whose lines are joined, and another one whose lines are not."""
    (tmp_path / "p.mtail").write_text(PROGRAM)
    rule = RecordSettings(record_start="^[A-Z]", record_sources=(f"{tmp_path}/a.*",), record_timeout_seconds=0.05)
    return DaemonSettings(
        programs=ProgramSettings(progs=tmp_path / "p.mtail", language=LanguageSettings()),
        sources=SourceSettings(logs=(f"{tmp_path}/a.fifo", f"{tmp_path}/b.fifo"), records=(rule,)),
        store=StoreSettings(),
        formats=FormatSettings(emit_prog_label=False),
        server=ServerSettings(unix_socket=tmp_path / "http"),
    )


async def test_record_of_a_quiet_log_is_counted_after_a_while(settings: DaemonSettings, tmp_path: Path) -> None:
    """And what becomes of records is among our own metrics, of those sources alone whose lines are joined."""
    async with running(settings) as client:
        (tmp_path / "a.fifo").write_bytes(b"Boom\n  at a\n")
        (tmp_path / "b.fifo").write_bytes(b"Boom\n  at b\n")
        series: dict[str, float] = {}
        with trio.fail_after(PATIENCE_SECONDS):
            while 'traces_total{frame="a"}' not in series:
                series = await scrape(client)
    assert 'traces_total{frame="b"}' not in series
    label = f'{{logfile="{tmp_path}/a.fifo"}}'
    records = {name: value for name, value in series.items() if name.startswith("syslog_pipeline_record")}
    assert records == {
        f"syslog_pipeline_records_joined_total{label}": 1,
        f"syslog_pipeline_record_lines_joined_total{label}": 1,
        f"syslog_pipeline_records_cut_total{label}": 0,
        f"syslog_pipeline_records_timed_out_total{label}": 1,
        f"syslog_pipeline_records_evicted_total{label}": 0,
        f"syslog_pipeline_records_open{label}": 0,
    }
    assert series[f"syslog_pipeline_log_lines_total{label}"] == 1


async def test_source_that_there_is_not_is_told(
    settings: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As of bindings: its lines would not be joined, unnoticed."""
    rules = (
        RecordSettings(record_start="x", record_sources=("-", f"{tmp_path}/a.fifo", f"{tmp_path}/b.fido")),
        *settings.sources.records,
    )
    with caplog.at_level(logging.WARNING):
        async with running(replace(settings, sources=replace(settings.sources, records=rules))):
            pass
    assert [record.getMessage() for record in caplog.records if "joined" in record.getMessage()] == [
        "No lines of - are joined: nothing that --logs names is called -.",
        f"No lines of {tmp_path}/b.fido are joined: nothing that --logs names is called {tmp_path}/b.fido."
        f" Did you mean {tmp_path}/b.fifo?",
    ]
