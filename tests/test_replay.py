"""Replay: files to their end, then the metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.replay import Replay
from pipeline.settings import (
    FormatSettings,
    LanguageSettings,
    ProgramSettings,
    ReplaySettings,
    SourceSettings,
    StoreSettings,
)

PROGRAM = """counter lines_total by file
lines_total[getfilename()]++
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that counts lines by origin."""
    path = tmp_path / "p.mtail"
    path.write_text(PROGRAM)
    return path


def make_settings(program: Path, *logs: Path, format_name: str = "prometheus") -> ReplaySettings:
    """Return what `replay` would have."""
    return ReplaySettings(
        programs=ProgramSettings(progs=program, language=LanguageSettings()),
        sources=SourceSettings(logs=tuple(map(str, logs))),
        store=StoreSettings(),
        formats=FormatSettings(emit_prog_label=False),
        format_name=format_name,
    )


def test_each_file_is_read_to_its_end(program: Path, tmp_path: Path) -> None:
    """The last line needs no line feed; progress adds up to all bytes."""
    (tmp_path / "a").write_text("1\n2\n3")
    (tmp_path / "b").write_text("4\n" * 1_000_000)
    job = Replay(make_settings(program, tmp_path / "a", tmp_path / "b"))
    steps = list(job.run())
    assert len(steps) > 2
    assert sum(steps) == job.total_bytes == 2_000_005
    assert job.render().decode() == (
        "# HELP lines_total defined at p.mtail:1:9-19\n"
        "# TYPE lines_total counter\n"
        f'lines_total{{file="{tmp_path}/a"}} 3\n'
        f'lines_total{{file="{tmp_path}/b"}} 1e+06\n'
    )
    assert job.problems == []


def test_program_sees_what_it_is_bound_to(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of a file, or as it was written; what is misspelt is told."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("1\n")
    settings = make_settings(program, tmp_path / "a", Path("b"), tmp_path / "c")
    bind = (("p", "*/a"), ("p.mtail", "b"), ("q", "*"), ("p", "d.log"))
    job = Replay(replace(settings, programs=replace(settings.programs, bind=bind)))
    list(job.run())
    rows = [row for row in job.render().decode().splitlines() if not row.startswith("#")]
    assert rows == [f'lines_total{{file="{tmp_path}/{name}"}} 1' for name in ("a", "b")]
    assert [problem.partition(":")[0] for problem in job.unmatched] == [
        "The binding of q to * does nothing",
        "The binding of p to d.log lets no line through",
    ]


def test_json_is_one_shots(program: Path, tmp_path: Path) -> None:
    """An object by name, without the daemon's own metrics."""
    (tmp_path / "a").write_text("1\n")
    job = Replay(make_settings(program, tmp_path / "a", format_name="json"))
    list(job.run())
    page = json.loads(job.render())
    assert list(page) == ["lines_total"]
    assert page["lines_total"][0]["LabelValues"][0]["Value"]["Value"] == 1


def test_missing_file_is_refused_before_anything_runs(program: Path, tmp_path: Path) -> None:
    """Half a result would be none."""
    with pytest.raises(SettingError) as caught:
        Replay(make_settings(program, tmp_path / "a"))
    assert str(caught.value) == f"{tmp_path}/a cannot be read: no such file or directory."


def test_broken_program_leaves_the_others_running(program: Path, tmp_path: Path) -> None:
    """What is wrong is in the report."""
    (tmp_path / "q.mtail").write_text("counter x /")
    (tmp_path / "a").write_text("1\n")
    job = Replay(make_settings(tmp_path, tmp_path / "a"))
    assert list(job.run()) == [2]
    assert [failure.name for failure in job.report.failures] == ["q.mtail"]
    assert b"lines_total" in job.render()


def test_what_limits_have_kept_out_is_told(program: Path, tmp_path: Path) -> None:
    """The daemon counts it in metrics of its own, which are not shown here."""
    program.write_text("counter words by word\n/^(?P<word>\\S+)/ {\n  words[$word]++\n}\n")
    (tmp_path / "log").write_text("a\nb\nb\nc\nlonger\nthe longest of all\n")
    settings = make_settings(program, tmp_path / "log")
    settings = replace(
        settings,
        sources=replace(settings.sources, max_line_bytes=10),
        store=StoreSettings(max_series_per_metric=1, max_label_value_bytes=5),
    )
    job = Replay(settings)
    list(job.run())
    assert list(job.describe_losses()) == [
        "Metric `words` at p.mtail:1:9-13 is incomplete: it has as many series as --max_series_per_metric allows, and "
        "another one was not kept 4 times.",
        "Metric `words` at p.mtail:1:9-13 is incomplete: a series with a label value of more than "
        "--max_label_value_bytes was not kept once.",
        f"A line of {tmp_path}/log was cut to --max_line_bytes once.",
    ]
    assert list(Replay(make_settings(program)).describe_losses()) == []
