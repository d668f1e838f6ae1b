"""Metlog's settings on the command line and in the file of settings, as an operator gives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.doctor.site import read_settings
from pipeline.metlog_settings import MetlogSettings
from pipeline.metlog_table import KEYS

ENVELOPE = '{"type": "counter", "payload": "3", "fields": {"name": "n"}}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a program."""
    monkeypatch.chdir(tmp_path)
    Path("p.mtail").write_text("counter lines_total\n/./ {\n  lines_total++\n}\n")


def invoke(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, arguments, prog_name="syslog-pipeline")


def read_state() -> dict[str, list[float]]:
    """Return the values of the metrics in the state file."""
    records = map(json.loads, Path("state").read_text().splitlines())
    return {record["metric"]: record["values"] for record in records if "metric" in record}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "table", "values"),
    [
        (["--metlog_logs", "-"], "", {"n_total": [3.0], "lines_total": [0]}),
        ([], '[metlog]\nsources = "-"\n', {"n_total": [3.0], "lines_total": [0]}),
        (
            ["--metlog_logs", "-"],
            '[metlog]\nsources = "/nowhere/else"\n[[metlog.route]]\nto = "programs"\n',
            {"lines_total": [1]},
        ),
    ],
)
def test_envelopes_come_from_where_the_flag_or_the_table_says(
    arguments: list[str], table: str, values: dict[str, list[float]]
) -> None:
    """The flag wins over the table's sources, and leaves its routes; no other source is needed."""
    Path("c.toml").write_text(table)
    command = [sys.executable, "-m", "pipeline", "run", "--config=c.toml", "--progs=p.mtail", "--state_file=state"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(
        [*command, *arguments], input=ENVELOPE, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert read_state() == values


def test_who_names_no_source_at_all_is_told(tmp_path: Path) -> None:
    """A table without sources is none."""
    Path("c.toml").write_text('[[metlog.route]]\nto = "drop"\n')
    result = invoke("run", "--config=c.toml", "--progs=p.mtail")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: No log is given. Name one with --logs."


@pytest.mark.parametrize("command", ["run", "check", "replay"])
def test_wrong_table_is_wrong_use_of_any_command(command: str) -> None:
    """So `check --config` looks at the table too."""
    Path("c.toml").write_text("[metlog]\nsorces = 5\n")
    result = invoke(command, "--config=c.toml", "p.mtail")
    assert (result.exit_code, result.stdout) == (2, "")
    message = "Error: c.toml: the setting metlog.sorces is unknown. Did you mean sources?"
    assert result.stderr.splitlines()[-1] == message


@pytest.mark.parametrize("key", KEYS)
def test_keys_of_the_table_are_no_flags(key: str) -> None:
    """At the top of the file they would mean something else, or nothing."""
    Path("c.toml").write_text(f"{key} = 5\n")
    result = invoke("check", "--config=c.toml", "p.mtail")
    assert result.exit_code == 2
    assert f"Error: c.toml: the setting {key} is unknown." in result.stderr


@pytest.mark.slow
def test_measurements_need_no_program() -> None:
    """What is none goes to the programs, of which there are none: that is said."""
    command = [sys.executable, "-m", "pipeline", "run", "--metlog_logs=-", "--state_file=state"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(
        command, input=ENVELOPE, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert read_state() == {"n_total": [3.0]}
    assert "WARNING Messages go to the programs, and there are none: name some with --progs.\n" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["--logs=-"], ["--logs=-", "--metlog_logs=/x"], ["--metlog_logs=-", "--one_shot"]]
)
def test_lines_need_a_program(arguments: list[str]) -> None:
    """Who names none has forgotten it."""
    result = invoke("run", *arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: Missing option '--progs'."


def test_envelopes_are_for_the_daemon() -> None:
    """A log read once has lines for programs."""
    result = invoke("run", "--one_shot", "--progs=p.mtail", "--metlog_logs=-", "--logs=-")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == ("Error: --metlog_logs is for the daemon and does not go with --one_shot.")


def test_doctor_reads_a_file_with_tables() -> None:
    """They are no flags, and it has to do with lines alone."""
    Path("c.toml").write_text(
        'progs = "p.mtail"\nlogs = ["/run/log.fifo"]\n[metlog]\nsources = "-"\n[records.java]\nstart = "^x"\n'
    )
    values = read_settings(Path("c.toml"), {})
    assert values["logs"] == (("/run/log.fifo",),)
    assert values["metlog"] == MetlogSettings(metlog_logs=("-",))
