"""How an operator says which lines belong together: by flags, by variables, by tables of the file of settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.config_file import read_config
from pipeline.errors import SettingError
from pipeline.profiling import read_sample
from pipeline.record_settings import RecordSettings

PROGRAM = """counter lines_total
counter errors_total by error
lines_total++
/^(?P<error>\\w+Error): .* at \\w+$/ {
  errors_total[$error]++
}
"""
LOG = "plain\nKeyError: 1\n  at a\n  at b\nplain\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program and a log are, and the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.mtail").write_text(PROGRAM)
    (tmp_path / "log").write_text(LOG)
    return tmp_path


def invoke(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, arguments, env=variables)


def replay(*arguments: str, **variables: str) -> str:
    """Return what `replay` prints, without comments."""
    result = invoke("replay", "--progs=p.mtail", "--logs=log", *arguments, **variables)
    assert result.exit_code == 0, result.output
    return "".join(line for line in result.stdout.splitlines(keepends=True) if not line.startswith("#"))


JOINED = 'errors_total{error="KeyError",prog="p.mtail"} 1\nlines_total{prog="p.mtail"} 3\n'
APART = 'lines_total{prog="p.mtail"} 5\n'


def test_flags_join_lines() -> None:
    """In mtail's one-shot mode too, and by variables."""
    assert replay() == APART
    assert replay(r"--record_continue=^\s") == JOINED
    assert replay(SYSLOG_PIPELINE_RECORD_CONTINUE=r"^\s") == JOINED
    shot = invoke(
        "run", "--one_shot", "--one_shot_format=prometheus", "--progs=p.mtail", "--logs=log", r"--record_continue=^\s"
    )
    assert JOINED in "".join(line for line in shot.stdout.splitlines(keepends=True) if not line.startswith("#"))


def test_sources_that_are_not_named_are_left_alone(folder: Path) -> None:
    """Names as in `--logs`, or patterns of them."""
    assert replay(r"--record_continue=^\s", "--record_sources=other,log") == JOINED
    assert replay(r"--record_continue=^\s", f"--record_sources={folder}/l*") == JOINED
    assert replay(r"--record_continue=^\s", "--record_sources=other") == APART
    result = invoke(
        "replay", "--progs=p.mtail", "--logs=log", r"--record_continue=^\s", "--record_sources=other,lag,log"
    )
    assert result.stderr.splitlines() == [
        "Warning: No lines of other are joined: nothing that --logs names is called other.",
        "Warning: No lines of lag are joined: nothing that --logs names is called lag. Did you mean log?",
    ]


def test_tables_of_the_file_join_lines(folder: Path) -> None:
    """Each for its sources; the flags are for those that no table names."""
    config = folder / "c.toml"
    config.write_text("[records.errors]\nsources = 'log'\ncontinue = '^\\s'\n[records.rest]\nstart = '^x'\n")
    assert replay("--config=c.toml") == JOINED
    assert replay("--config=c.toml", "--record_start=^y") == JOINED
    config.write_text("[records.others]\nsources = ['other']\nstart = '^x'\n")
    assert replay("--config=c.toml") == APART
    assert replay("--config=c.toml", r"--record_continue=^\s") == JOINED
    config.write_text("record_continue = '^\\s'\n")
    assert replay("--config=c.toml") == JOINED


def test_table_has_all_that_flags_have(folder: Path) -> None:
    """Under shorter names."""
    config = folder / "c.toml"
    config.write_text(
        "[records.a]\nstart = 's'\ncontinue = 'c'\nheader = 'h'\nsources = ['x', 'y']\nseparator = ''\n"
        "timeout = '1m'\nmax_lines = 2\nmax-bytes = 3\nmax_open = 4\n[records.b]\nstart = 's'\n"
    )
    full = RecordSettings(
        record_start="s",
        record_continue="c",
        record_header="h",
        record_sources=("x", "y"),
        record_separator="",
        record_timeout_seconds=60.0,
        max_record_lines=2,
        max_record_bytes=3,
        max_open_records=4,
    )
    assert read_config(config, {}) == {"records": (full, RecordSettings(record_start="s"))}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("records = 1", "records must be a table, not 1."),
        ("[records]\na = 1", "records.a must be a table, not 1."),
        ("[records.a]", "records.a joins no lines: give it start, or continue."),
        ("[records.a]\nbegin = 'x'", "records.a: the setting begin is unknown."),
        ("[records.a]\nstart = 1", "records.a: the setting start must be a text, not 1."),
        ("[records.a]\nstart = 'x'\nmax_lines = 1", "records.a: max_record_lines must be at least 2, not 1."),
    ],
)
def test_mistake_in_a_table_is_told(text: str, message: str, folder: Path) -> None:
    """With the file, the table and the key."""
    path = folder / "c.toml"
    path.write_text(text)
    with pytest.raises(SettingError) as refusal:
        read_config(path, {})
    assert str(refusal.value) == f"{path}: {message}"


@pytest.mark.parametrize("key", ["start", "continue", "header"])
def test_wrong_pattern_of_a_table_is_told(key: str, folder: Path) -> None:
    """There may be many tables, in which a pattern is called as the key is, and no flag."""
    other = "" if key == "start" else "start = 'x'\n"
    (folder / "c.toml").write_text(f"[records.a]\nstart = 'x'\n[records.b]\n{other}{key} = '('\n")
    result = invoke("replay", "--progs=p.mtail", "--logs=log", "--config=c.toml")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        f"Error: c.toml: records.b: record_{key} '(' is no pattern: ( is not closed."
    )


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--progs=p.mtail", "--logs=log"),
        ("replay", "--progs=p.mtail", "--logs=log"),
        ("explain", "--profile=log", "p.mtail"),
        ("push-once", "--progs=p.mtail", "--logs=log", "--pushgateway_url=http://127.0.0.1:1", "--pushgateway_job=j"),
    ],
    ids=lambda command: command[0],
)
def test_wrong_pattern_is_wrong_use(command: tuple[str, ...]) -> None:
    """One sentence, and status 2, before anything is read."""
    result = invoke(*command, "--record_start=(")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: --record_start '(' is no pattern: ( is not closed."


def test_profile_is_of_records() -> None:
    """What a pattern costs depends on what it is searched in."""
    assert read_sample("log").lines == 5
    assert read_sample("log", (RecordSettings(record_continue=r"^\s"),)).lines == 3


def test_replay_says_what_was_cut(folder: Path) -> None:
    """As it does of lines."""
    text = "".join(f"{letter}: A\n{letter}:  b\n{letter}:  c\n" for letter in "xy")
    (folder / "log").write_text(text)
    result = invoke(
        *("replay", "--progs=p.mtail", "--logs=log", "--record_start=^A", r"--record_header=(\w): "),
        *("--max_record_lines=2", "--max_open_records=1"),
    )
    assert result.stderr.splitlines() == [
        f"Warning: A record of {folder}/log was cut to --max_record_lines or --max_record_bytes 2 times.",
        f"Warning: A record of {folder}/log ended early to make room, by --max_open_records, once.",
    ]
