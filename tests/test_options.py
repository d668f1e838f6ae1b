"""Flags: their spellings, and where their values come from."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline import settings
from pipeline.accepted_flags import ACCEPTED_FLAGS
from pipeline.flags import ALL_FLAGS, RUN_FLAGS
from pipeline.options import FlagCommand, fill, hide_secrets, make_accepted_options, make_options, normalize_arguments

TAKES_VALUE = {"help": False, "unix_socket": True, "logs": True, "one_shot": False, "v": True}
SWITCHES = {"one_shot"}


def parse(*arguments: str, env: dict[str, str] | None = None) -> dict[str, object]:
    """Return what a command with the flags of `run` gets."""
    seen: dict[str, object] = {}
    params = [*make_options(RUN_FLAGS), *make_accepted_options(), click.Argument(["rest"], nargs=-1)]
    command = FlagCommand("run", params=params, callback=lambda **values: seen.update(values))
    result = CliRunner(env=env or {}).invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return seen


def fail(*arguments: str, env: dict[str, str] | None = None) -> str:
    """Return what such a command prints, and that it ended with 2."""
    command = FlagCommand("run", params=make_options(RUN_FLAGS), callback=lambda **_: None)
    result = CliRunner(env=env or {}).invoke(command, list(arguments))
    assert result.exit_code == 2
    return result.stderr


@pytest.mark.parametrize(
    ("given_arguments", "normal"),
    [
        (["--unix_socket", "x"], ["--unix_socket", "x"]),
        (["--unix-socket=x"], ["--unix_socket=x"]),
        (["-unix_socket", "x"], ["--unix_socket", "x"]),
        (["-unix-socket=x"], ["--unix_socket=x"]),
        (["--unix-socket", "--one-shot"], ["--unix_socket", "--one-shot"]),
        (["--unix_socket"], ["--unix_socket"]),
        (["--one_shot"], ["--one_shot=true"]),
        (["-one-shot=0"], ["--one_shot=0"]),
        (["--no-one-shot"], ["--one_shot=false"]),
        (["--no_one_shot"], ["--one_shot=false"]),
        (["-no-one_shot"], ["--one_shot=false"]),
        (["--no-one_shot=true"], ["--no-one_shot=true"]),
        (["-v", "1"], ["--v", "1"]),
        (["-help"], ["--help"]),
        (["--logs", "-", "x"], ["--logs", "-", "x"]),
        (["--unknown-flag"], ["--unknown-flag"]),
        (["--", "-one_shot"], ["--", "-one_shot"]),
        (["--one_shot", "file"], ["--one_shot=true", "file"]),
        (["--logs=a\nb"], ["--logs=a\nb"]),
    ],
)
def test_each_spelling_becomes_one(given_arguments: list[str], normal: list[str]) -> None:
    """Dashes, one dash, and Go's Boolean flags."""
    assert normalize_arguments(given_arguments, TAKES_VALUE, SWITCHES) == normal


def test_boolean_flag_with_a_value_apart_is_refused() -> None:
    """The value would be taken for a log."""
    assert fail("--progs", "x", "--one-shot", "false") == (
        "Usage: run [OPTIONS]\nTry 'run --help' for help.\n\n"
        "Error: A Boolean flag takes its value after an equals sign: --one_shot=false.\n"
    )


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_what_is_no_flag_stays(arguments: list[str]) -> None:
    """Nothing that does not begin with a dash is touched."""
    words = ["x" + argument for argument in arguments]
    assert normalize_arguments(words, TAKES_VALUE, SWITCHES) == words


def test_defaults_are_those_of_the_settings() -> None:
    """The table of flags repeats none of them."""
    values = parse("--progs", "p")
    assert fill(settings.LanguageSettings, values) == settings.LanguageSettings()
    assert fill(settings.StoreSettings, values) == settings.StoreSettings()
    assert fill(settings.FormatSettings, values) == settings.FormatSettings()
    assert fill(settings.ServerSettings, values) == settings.ServerSettings()
    assert fill(settings.SourceSettings, values) == settings.SourceSettings(logs=())


def test_every_flag_reaches_its_setting() -> None:
    """Each in one of its spellings, as mtail's users write them."""
    values = parse(
        "-progs=p",
        *("-logs", "a,b", "--logs=,c,"),
        *("--max-line-bytes", "0x10", "-poll_interval=1s"),
        *("--max_series_per_metric", "010", "--max_label_value_bytes=9", "-expired_metrics_gc_interval", "30m"),
        *("--max_regexp_length=2_0", "--max_recursion_depth=7", "--override_timezone=Local"),
        *("--syslog_use_current_year=F", "--no-vm_logs_runtime_errors", "-emit_prog_label=0", "-emit_metric_timestamp"),
        *("--constant_labels", "site=north,rack=7", "--constant-labels=a=b=c"),
        *("--unix-socket", "/s", "--unix-socket-mode=666", "--unix-socket-group=adm"),
        "--native-histograms",
        *("--expire", "session_*=24h,logins=90s", "--expire=*=720h"),
    )
    assert fill(settings.LanguageSettings, values) == settings.LanguageSettings(
        max_regexp_length=20, max_recursion_depth=7, override_timezone="Local", syslog_use_current_year=False
    )
    assert fill(settings.SourceSettings, values) == settings.SourceSettings(
        logs=("a", "b", "c"), max_line_bytes=16, poll_interval_seconds=1.0
    )
    assert fill(settings.StoreSettings, values) == settings.StoreSettings(
        max_series_per_metric=8,
        max_label_value_bytes=9,
        expired_metrics_gc_interval_seconds=1800.0,
        expire=(("session_*", 86400.0), ("logins", 90.0), ("*", 2592000.0)),
    )
    assert fill(settings.FormatSettings, values) == settings.FormatSettings(
        emit_prog_label=False,
        emit_metric_timestamp=True,
        constant_labels=(("site", "north"), ("rack", "7"), ("a", "b=c")),
    )
    assert fill(settings.ServerSettings, values) == settings.ServerSettings(
        unix_socket=Path("/s"), unix_socket_mode=0o666, unix_socket_group="adm"
    )
    assert values["progs"] == Path("p")
    assert values["vm_logs_runtime_errors"] is False
    assert values["native_histograms"] is True


def test_zero_is_mtails_default() -> None:
    """For three flags mtail reads 0 so."""
    values = parse("--progs=p", "--max_regexp_length=0", "--max_recursion_depth=0", "--poll_interval=0")
    assert values["max_regexp_length"] == 1024
    assert values["max_recursion_depth"] == 100
    assert values["poll_interval_seconds"] == 0.25


def test_flag_wins_over_variable_over_file_over_default(tmp_path: Path) -> None:
    """Each place is tried in turn."""
    config = tmp_path / "settings.toml"
    config.write_text('progs = "file"\nmax-line-bytes = 1\nv = 3\nunix_socket_mode = 0o600\none_shot = true\n')
    values = parse(
        *("--config", str(config), "--progs", "flag"),
        env={"SYSLOG_PIPELINE_PROGS": "variable", "SYSLOG_PIPELINE_MAX_LINE_BYTES": "2"},
    )
    assert values["progs"] == Path("flag")
    assert values["max_line_bytes"] == 2
    assert values["verbosity"] == 3
    assert values["unix_socket_mode"] == 0o600
    assert values["one_shot"] is True
    assert values["one_shot_format"] == "json"


def test_array_in_the_file_is_taken_literally(tmp_path: Path) -> None:
    """There a path may contain a comma; a string is split at commas as on the command line."""
    config = tmp_path / "settings.toml"
    config.write_text('logs = ["a,b", "c"]\n')
    assert parse("--progs=p", "--config", str(config))["logs"] == ("a,b", "c")
    config.write_text('logs = "a,b"\n')
    assert parse("--progs=p", "--config", str(config))["logs"] == ("a", "b")


def test_file_may_be_named_by_a_variable_and_hold_flags_of_other_commands(tmp_path: Path) -> None:
    """One file serves `run` and `replay`."""
    config = tmp_path / "settings.toml"
    config.write_text('progs = "p"\nformat = "json"\n')
    assert parse(env={"SYSLOG_PIPELINE_CONFIG": str(config)})["progs"] == Path("p")


def test_bindings_add_up(tmp_path: Path) -> None:
    """Of one flag and of several; those of a flag win over the file."""
    assert parse("--progs=p", "--bind=a=x,b=y=z", "--bind", "a=-")["bind"] == (("a", "x"), ("b", "y=z"), ("a", "-"))
    config = tmp_path / "c.toml"
    config.write_text('[bind]\n"a.mtail" = ["x,y", "z"]\n')
    assert parse("--progs=p", "--config", str(config))["bind"] == (("a.mtail", "x,y"), ("a.mtail", "z"))
    assert parse("--progs=p", "--config", str(config), "--bind=a=b")["bind"] == (("a", "b"),)


def test_variable_may_name_several_logs() -> None:
    """Comma-separated, as the flag; blanks belong to a path."""
    assert parse("--progs=p", env={"SYSLOG_PIPELINE_LOGS": "a b,c"})["logs"] == ("a b", "c")


def test_mtails_other_flags_are_accepted() -> None:
    """They do nothing, so that command lines written for mtail work."""
    arguments = [f"-{name}=1" for name, _ in ACCEPTED_FLAGS]
    assert parse("--progs=p", "--logtostderr", *arguments)["progs"] == Path("p")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--progs"], "Option '--progs' requires an argument."),
        (["--progs="], "Invalid value for '--progs': '' is not a path."),
        (["--complie_only"], "No such option '--complie_only'. Did you mean '--compile_only'?"),
        (["--one-shot=maybe"], "Invalid value for '--one_shot': 'maybe' is not a Boolean: write true or false."),
        (["--v=x"], "Invalid value for '--v': 'x' is not a whole number."),
        (["--v=99999999999999999999"], "Invalid value for '--v': '99999999999999999999' is not a whole number."),
        (
            ["--poll-interval", "5"],
            "Invalid value for '--poll_interval': '5' is not a duration: write for example 250ms, 10s or 1h30m.",
        ),
        (
            ["--unix_socket_mode=0888"],
            "Invalid value for '--unix_socket_mode': '0888' is not a mode: write it in octal, for example 0660.",
        ),
        (
            ["--one_shot_format=xml"],
            "Invalid value for '--one_shot_format': 'xml' is not one of prometheus, json.",
        ),
        (["--bind=a"], "Invalid value for '--bind': 'a' is not a program and a source: write PROGRAM=SOURCE."),
        (
            ["--bind=a=b,=b"],
            "Invalid value for '--bind': 'a=b,=b' is not a program and a source: write PROGRAM=SOURCE.",
        ),
        (["--bind=a="], "Invalid value for '--bind': 'a=' is not a program and a source: write PROGRAM=SOURCE."),
        (["--logs=a\0b"], "Invalid value for '--logs': 'a\\x00b' is not a source."),
    ],
)
def test_wrong_use_is_told_in_one_sentence(arguments: list[str], message: str) -> None:
    """With the flag, the value, and what would be right."""
    assert fail(*arguments) == f"Usage: run [OPTIONS]\nTry 'run --help' for help.\n\nError: {message}\n"


def test_wrong_variable_is_named() -> None:
    """It was not the flag that was wrong."""
    assert fail("--progs=p", env={"SYSLOG_PIPELINE_V": "x"}).endswith(
        "Error: Invalid value for 'SYSLOG_PIPELINE_V': 'x' is not a whole number.\n"
    )


def test_help_shows_sections_in_order_and_each_flag_once() -> None:
    """In mtail's spelling, with its default; what does nothing is not shown."""
    command = FlagCommand("run", params=[*make_options(RUN_FLAGS), *make_accepted_options()])
    text = CliRunner().invoke(command, ["--help"]).output
    sections = [line.rstrip(":") for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert sections == [
        "Programs",
        "Lines",
        "Metrics",
        "Serving",
        "Pushing",
        "Start and stop",
        "Other modes",
        "General",
    ]
    assert [flag.name for flag in RUN_FLAGS if text.count(f"\n  --{flag.name} ") != 1] == []
    assert "logtostderr" not in text
    assert "(default 250ms)" in " ".join(text.split())
    assert "(default ()" not in text


def test_no_two_flags_of_one_name_differ_in_type() -> None:
    """A file of settings would not know which is meant."""
    types = {flag.name: flag.type for flag in ALL_FLAGS}
    assert [flag.name for flag in ALL_FLAGS if type(flag.type) is not type(types[flag.name])] == []


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--otlp_headers=x-key=s3cret", "a"], ["--otlp_headers=***", "a"]),
        (["--otlp-headers", "x-key=s3cret", "a"], ["--otlp-headers", "***", "a"]),
        (["-otlp_headers", "x-key=s3cret"], ["-otlp_headers", "***"]),
        (["--otlp_headers"], ["--otlp_headers"]),
        (["--otlp_endpoint=https://me:s3@cret@host/x@y"], ["--otlp_endpoint=https://***@host/x@y"]),
        (["--otlp_endpoint", "https://host:4318/x@y", "/a@b"], ["--otlp_endpoint", "https://host:4318/x@y", "/a@b"]),
        (["--otlp_endpoint=https://[::1]:4318/x@y"], ["--otlp_endpoint=https://[::1]:4318/x@y"]),
        (["--otlp_endpoint=https://me:s3/cr@et@host/x"], ["--otlp_endpoint=https://***@host/x"]),
        (["--otlp_endpoint=https://me:s/cr/e t@host/x"], ["--otlp_endpoint=https://***@host/x"]),
    ],
)
def test_secrets_are_hidden_from_who_reads_the_log(arguments: list[str], shown: list[str]) -> None:
    """However the flag is written; the rest of the command line stays as it is."""
    assert hide_secrets(arguments, RUN_FLAGS) == shown
