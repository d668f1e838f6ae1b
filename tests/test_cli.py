"""The commands: what they print, and with which status they end."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pipeline import __version__
from pipeline.cli import main
from pipeline.options import FlagOption

GOOD = "counter lines_total\nlines_total++\n"
BROKEN = "counter others_total\nothers_total++\nother_total++\n"
WARNED = "counter lines_total\n/x(?P<unused>.)/ {\n  lines_total++\n}\n"
METRICS = """# HELP lines_total defined at p.mtail:1:9-19
# TYPE lines_total counter
lines_total{prog="p.mtail"} 2
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a good program and a log."""
    monkeypatch.chdir(tmp_path)
    Path("p.mtail").write_text(GOOD)
    Path("log").write_text("1\n2\n")
    return tmp_path


def invoke(*arguments: str, stdin: str | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, arguments, input=stdin, prog_name="syslog-pipeline", catch_exceptions=False)


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False, env=make_env())


def make_env() -> dict[str, str]:
    """Return an environment in which the package is found from any folder."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


@pytest.mark.parametrize(
    "arguments", [["version"], ["--version"], ["-version"], ["run", "--version"], ["run", "-version"]]
)
def test_version_is_one_line(arguments: list[str]) -> None:
    """In mtail's form."""
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"syslog-pipeline version {__version__}, Python 3.")
    assert result.stdout.count("\n") == 1


def test_help_names_the_commands() -> None:
    """And what each is for."""
    result = invoke("-help")
    commands = [line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines()[:9]]
    assert commands == ["check", "doctor", "emit", "explain", "push-once", "replay", "run", "setup", "version"]


@pytest.mark.parametrize("name", ["run", "replay", "push-once", "check", "emit", "explain", "setup"])
def test_help_of_a_command_shows_an_example(name: str) -> None:
    """One that can be copied."""
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert f"  syslog-pipeline {name} " in result.stdout or f"| syslog-pipeline {name} " in result.stdout


def test_every_variable_is_named_after_its_flag() -> None:
    """SYSLOG_PIPELINE_ and the name in capitals, for each command."""
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option, FlagOption):
                assert option.envvar == f"SYSLOG_PIPELINE_{option.flag.name.upper()}"


def test_replay_prints_the_metrics() -> None:
    """Nothing else, when all is well."""
    result = invoke("replay", "--progs", "p.mtail", "--logs", "log")
    assert (result.exit_code, result.stdout, result.stderr) == (0, METRICS, "")


def test_replay_reads_several_files_and_json_is_a_format() -> None:
    """Also files without a flag of their own, as the shell's `*` gives them."""
    result = invoke("replay", "--progs", "p.mtail", "--format", "json", "--logs", "log,log", "log")
    assert result.exit_code == 0
    assert '"Value": 6,' in result.stdout


def test_replay_honours_bindings_and_warns_of_a_misspelt_one() -> None:
    """The metrics are those of the lines that the program may see."""
    result = invoke("replay", "--progs", "p.mtail", "--logs", "log,log", "--bind", "p=log,o=log")
    assert (result.exit_code, result.stdout) == (0, invoke("replay", "--progs", "p.mtail", "--logs", "log,log").stdout)
    assert result.stderr == (
        "Warning: The binding of o to log does nothing: no program is called o. "
        "Programs are looked for again at a reload.\n"
    )
    assert invoke("replay", "--progs", "p.mtail", "--logs", "log", "--bind", "p=-").stdout != METRICS


@pytest.mark.slow
def test_replay_onto_a_full_disk_fails() -> None:
    """In one sentence; the status is 1."""
    command = [sys.executable, "-m", "pipeline", "replay", "--progs", "p.mtail", "--logs", "log"]
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False, env=make_env()
        )
    assert (result.returncode, result.stderr) == (1, "Error: The metrics cannot be written: no space left on device.\n")


@pytest.mark.slow
def test_replay_reads_standard_input() -> None:
    """Where `-` is named."""
    result = run("replay", "--progs", "p.mtail", "--logs", "-", stdin="1\n2")
    assert (result.returncode, result.stdout, result.stderr) == (0, METRICS, "")


def test_replay_with_a_broken_program_runs_the_others() -> None:
    """The diagnostics go to standard error, and the status is 1."""
    Path("q.mtail").write_text(BROKEN)
    result = invoke("replay", "--progs", ".", "--logs", "log")
    assert (result.exit_code, result.stdout) == (1, METRICS)
    assert result.stderr.startswith("q.mtail:3:1: error: ")


def test_replay_reports_programs_that_conflict() -> None:
    """A kind of its own needs a name of its own."""
    Path("q.mtail").write_text("gauge lines_total\nlines_total = 1\n")
    result = invoke("replay", "--progs", ".", "--logs", "log")
    assert (result.exit_code, result.stdout) == (1, METRICS)
    assert result.stderr == (
        "Error: Metric `lines_total` is a gauge at q.mtail:1:7-17 and a counter at p.mtail:1:9-19;"
        " metrics of one name must be of one kind.\n"
    )


def test_replay_warns() -> None:
    """The status stays 0."""
    Path("p.mtail").write_text(WARNED)
    result = invoke("replay", "--progs", "p.mtail", "--logs", "log")
    assert result.exit_code == 0
    assert result.stderr.startswith("p.mtail:2:")


def test_replay_says_what_the_format_cannot_hold() -> None:
    """It is left out, not forgotten."""
    Path("p.mtail").write_text("counter c by prog\nc[getfilename()]++\n")
    result = invoke("replay", "--progs", "p.mtail", "--logs", "log")
    assert result.stderr == (
        "Warning: Metric `c` at p.mtail:1:9 is left out of the Prometheus format:"
        " the label `prog` is the name of the program.\n"
    )


def test_one_shot_is_replay_in_json() -> None:
    """In mtail's spelling."""
    arguments = ("run", "-progs", "p.mtail", "-logs", "log", "-one_shot", "-logtostderr")
    pages = [invoke(*arguments), invoke("replay", "--progs=p.mtail", "--logs=log", "--format=json")]
    first, second = (re.sub(r'"Time": \d+', "", page.stdout) for page in pages)
    assert '"Value": 2,' in first
    assert first == second
    assert invoke(*arguments, "-one_shot_format=prometheus").stdout == METRICS


def test_check_of_good_programs_is_silent() -> None:
    """Where no person looks."""
    result = invoke("check", "p.mtail", ".")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_check_prints_diagnostics_of_all_paths() -> None:
    """Errors make the status 1, warnings alone do not."""
    Path("w.txt").write_text(WARNED)
    Path("q.txt").write_text(BROKEN)
    result = invoke("check", "w.txt")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("w.txt:2:")
    result = invoke("check", "w.txt", "q.txt")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "\nq.txt:3:1: error: " in result.stderr


def test_check_finds_conflicts() -> None:
    """Each program alone is fine."""
    Path("q.mtail").write_text("gauge lines_total\nlines_total = 1\n")
    result = invoke("check", ".")
    assert result.exit_code == 1
    assert result.stderr == (
        "q.mtail: error: Metric `lines_total` is a gauge at q.mtail:1:7-17 and a counter at p.mtail:1:9-19;"
        " metrics of one name must be of one kind.\n"
    )


@pytest.mark.parametrize(
    "command", [("check", "p.mtail"), ("run", "--progs=p.mtail", "--compile_only")], ids=["check", "run"]
)
def test_check_looks_at_the_patterns_of_records(command: tuple[str, ...]) -> None:
    """They are settings: what is wrong with them is found without a start."""
    Path("p.mtail").write_text("counter a\n/a/ {\n  a++\n}\n")
    Path("c.toml").write_text("[records.java]\nstart = '('\n")
    result = invoke(*command, "--config=c.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].endswith(" '(' is no pattern: ( is not closed.")


def test_file_of_settings_is_checked_by_itself() -> None:
    """Who reads messages alone has no program. Nothing at all to look at is wrong use."""
    Path("c.toml").write_text('[metlog]\nsources = "-"\n')
    result = invoke("check", "--config=c.toml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    Path("c.toml").write_text('[[metlog.route]]\nto = "nowhere"\n')
    result = invoke("check", "--config=c.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == "Error: c.toml: metlog.route 1 goes to nowhere, which is no endpoint."
    result = invoke("check")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: Missing argument 'PATH...'."


def test_compile_only_is_check() -> None:
    """Without --logs, and silent when all is well."""
    result = invoke("run", "--progs", "p.mtail", "--compile_only")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    Path("p.mtail").write_text(BROKEN)
    assert invoke("run", "--progs", "p.mtail", "--compile_only").exit_code == 1


def test_explain_shows_patterns_guard_and_python() -> None:
    """For a person, without colour where that is no terminal."""
    Path("p.mtail").write_text("counter c\n/^abc/ {\n  c++\n}\n")
    result = invoke("explain", "p.mtail")
    assert result.exit_code == 0
    assert result.stdout.startswith("Patterns of p.mtail\n\n2:1  /^abc/\n    engine ")
    assert "\nGuard of p.mtail\n\nLines that matter hold one of:\n    /^abc/ at the beginning\n\n" in result.stdout
    assert "\nPython made from p.mtail\n\ndef process(" in result.stdout
    assert "\x1b" not in result.stdout


def test_explain_of_a_broken_program_fails() -> None:
    """The others are explained."""
    Path("q.mtail").write_text(BROKEN)
    result = invoke("explain", ".")
    assert result.exit_code == 1
    assert result.stderr.startswith("q.mtail:3:1: error: ")
    assert "Python made from p.mtail" in result.stdout


@pytest.mark.slow
def test_explain_profiles_each_program() -> None:
    """The dearest pattern is named. One that is broken makes the status 1, one that does nothing is not run."""
    Path("p.mtail").write_text("counter c\n/^needle/ {\n  c++\n}\n/(\\S+)7[a-f]/ {\n  c++\n}\n")
    Path("q.mtail").write_text(BROKEN)
    Path("r.mtail").write_text("/x/ {\n}\n")
    Path("log").write_text("a 7z" * 4000 + "\n")
    result = invoke("explain", "--profile", "log", ".")
    assert result.exit_code == 1
    assert result.stderr.startswith("q.mtail:3:1: error: ")
    assert result.stdout.startswith("Profile of p.mtail over log\n\n share  ns/line  ")
    assert "\nThe dearest pattern is the one at 5:1, with " in result.stdout
    assert result.stdout.endswith(
        "\nProfile of r.mtail over log\n\nNo line can matter to the program, so the daemon never runs it.\n\n"
    )


def test_explain_with_an_empty_log_says_so() -> None:
    """In one sentence."""
    Path("log").write_text("")
    result = invoke("explain", "--profile", "log", "p.mtail")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "There is no line in log, so nothing can be profiled.\n"


@pytest.mark.slow
def test_run_reads_to_the_end_of_standard_input() -> None:
    """With no other source the daemon ends with it."""
    result = run("run", "--progs", "p.mtail", "--logs", "-", "--unix_socket", "http", stdin="1\n")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.splitlines()[1:] == [
        "INFO Program p.mtail is loaded.",
        "INFO - is read.",
        "INFO Ready. The metrics are served on http.",
        "INFO - has ended.",
        "INFO All sources are closed. The metrics are no longer served.",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--progs=p.mtail"], "No log is given. Name one with --logs."),
        (["replay", "--progs=p.mtail"], "No log is given. Name one with --logs."),
        (["replay", "--progs=p.mtail", "nowhere"], "{folder}/nowhere cannot be read: no such file or directory."),
        (["replay", "--progs=p.mtail", "."], "{folder} cannot be read: is a directory."),
        (["replay", "--progs=none", "log"], "The programs in none cannot be read: no such file or directory."),
        (["replay", "--progs=empty", "log"], "There is no program (*.mtail) in empty."),
        (["check", "none"], "The programs in none cannot be read: no such file or directory."),
        (["check", "empty"], "There is no program (*.mtail) in empty."),
        (["explain", "none"], "The programs in none cannot be read: no such file or directory."),
        (["explain", "--profile=nowhere", "p.mtail"], "{folder}/nowhere cannot be read: no such file or directory."),
        (["explain", "--profile=log", "none"], "The programs in none cannot be read: no such file or directory."),
        (["check", "p.mtail", "--override_timezone=Mars"], "--override_timezone 'Mars' is unknown: use a name such as "
         "Europe/Berlin, UTC or Local."),
        (["run", "--progs=p.mtail", "--logs=empty"], "{folder}/empty is a directory, not a named pipe or a file."),
        (["run", "--progs=p.mtail", "--logs=none/f"], "{folder}/none/f cannot be read: "
         "there is no directory {folder}/none."),
        (["run", "--progs=p.mtail", "--logs=-", "--max_line_bytes=0"], "--max_line_bytes must be at least 1, not 0."),
        (["run", "--progs=p.mtail", "--logs=-", "--unix_socket=log"], "log exists and is not a socket."),
        (["run", "--config=none.toml"], "The file of settings none.toml cannot be read: no such file or directory."),
        (["run", "--config=bad.toml"], "bad.toml: the setting prog is unknown. Did you mean progs?"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_sentence(arguments: list[str], sentence: str, folder: Path) -> None:
    """On standard error, with status 2."""
    Path("empty").mkdir()
    Path("bad.toml").write_text('prog = "p.mtail"\n')
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"Error: {sentence.format(folder=folder)}"


def list_loaded_modules(*arguments: str) -> set[str]:
    """Run a command, and return the modules that it has loaded beyond those of every Python process."""
    code = (
        "import sys\nbefore = set(sys.modules)\n"
        "from pipeline.cli import main\nmain(sys.argv[1:], standalone_mode=False)\n"
        "print(*sys.modules.keys() - before, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=make_env())
    return set(result.stderr.split())


def keep_foreign_packages(modules: set[str]) -> set[str]:
    """Return the packages that are neither ours nor Python's; Cython puts some without a file beside its own."""
    packages = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"pipeline"}
    return {package for package in packages if "cython" not in package}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["check", "p.mtail"], ["explain", "p.mtail"]])
def test_compiler_loads_nothing_that_runs_programs(arguments: list[str]) -> None:
    """An editor starts `check` at every save."""
    modules = list_loaded_modules(*arguments)
    assert keep_foreign_packages(modules) == {"click", "re2"}
    parts = {"runtime", "formats", "sources", "server", "telemetry", "config_file", "log_format"}
    assert modules.isdisjoint(f"pipeline.{part}" for part in parts)
    assert "pipeline.language" in modules


@pytest.mark.slow
def test_replay_loads_no_server() -> None:
    """Trio alone takes longer to import than many a replay runs. Only the sieve may need a package of its own."""
    modules = list_loaded_modules("replay", "--progs=p.mtail", "--logs=log")
    assert keep_foreign_packages(modules) - {"hyperscan"} == {"click", "re2"}
    assert "pipeline.runtime" in modules


def run_on_terminal(*arguments: str) -> str:
    """Run a command whose output and errors go to a terminal, and return what that shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipeline", *arguments]
    env = {**make_env(), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env):
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:  # the other side has closed the terminal
            pass
        os.close(ours)
    return shown.decode()


@pytest.mark.slow
def test_terminal_gets_colours_a_bar_and_a_summary() -> None:
    """A person looks there."""
    Path("p.mtail").write_text(WARNED)
    Path("q").write_text(WARNED)
    Path("r").write_text("counter x by y\n" + WARNED + "x++\n")
    assert "1 program checked: 0 errors, 1 warning." in run_on_terminal("check", "p.mtail")
    assert "3 programs checked: 1 error, 2 warnings." in run_on_terminal("check", "p.mtail", "q", "r")
    explained = run_on_terminal("explain", "p.mtail")
    assert "\x1b[1mPatterns of p.mtail\x1b[0m" in explained
    assert "\x1b[" in explained.partition("Python made from")[2]
    replayed = run_on_terminal("replay", "--progs", "p.mtail", "--logs", "log")
    assert "4/4 bytes" in replayed
    profiled = run_on_terminal("explain", "--profile", "log", "p.mtail")
    assert "━" in profiled.partition("Profile of p.mtail over log")[2]
    assert "lines take a second" in profiled
    assert 'lines_total{prog="p.mtail"} 0' in replayed
