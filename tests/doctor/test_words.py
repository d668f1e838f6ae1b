"""How the doctor puts what it found: on a terminal, elsewhere, and when it is used wrongly."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.doctor import Check, Finding, State, describe_summary, describe_waiting
from pipeline.doctor.checks import CHECKS
from pipeline.doctor.checks.nginx import judge_answer
from pipeline.doctor.findings import approve, fail, skip, warn
from pipeline.doctor.rounds import make_waiting
from tests.e2e.daemons import ROOT

FIRST, SECOND, THIRD = (Check(name, name.title(), lambda _: ()) for name in ("first", "second", "third"))


def test_summary_counts_each_state() -> None:
    """What there is none of is not mentioned, but for what is wrong."""
    assert describe_summary([approve("a"), approve("b"), skip("c")]) == "Nothing wrong found, 2 right, 1 not checked."
    assert describe_summary([fail("a"), warn("b")]) == "1 wrong, 1 worth a look."


def test_what_follows_from_a_cause_is_told_in_a_line() -> None:
    """Each cause has its own; one that is not checked for itself is not there."""
    results = [
        (FIRST, [fail("a")]),
        (SECOND, [make_waiting("First")]),
        (THIRD, [make_waiting("First")]),
        (FIRST, [skip("b")]),
    ]
    assert list(describe_waiting(results)) == ["Because of First, this is left out: Second, Third."]


def test_needed_checks_stand_before_what_needs_them() -> None:
    """So a cause is known when what follows from it would be checked."""
    names = [check.name for check in CHECKS]
    late = [check.name for check in CHECKS if not set(check.needs) <= set(names[: names.index(check.name)])]
    assert late == []
    assert len(set(names)) == len(names)


def test_each_check_is_documented() -> None:
    """In the order in which they are made, by its title and its name."""
    page = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w ()]+) \| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [(check.title, check.name) for check in CHECKS]


@pytest.mark.parametrize(
    ("status", "has_credentials", "state", "said"),
    [
        (200, True, State.OK, "is served to who knows the password"),
        (200, False, State.WARNING, "is served to anybody"),
        (401, False, State.OK, "is refused without a password"),
        (400, False, State.OK, "is refused without a client certificate"),
        (401, True, State.FAILURE, "the user or the password is wrong"),
        (400, True, State.FAILURE, "the client certificate is not accepted"),
        (403, True, State.FAILURE, "is refused to this machine"),
        (404, True, State.FAILURE, "is not let through"),
        (502, True, State.FAILURE, "cannot reach the daemon's socket"),
        (500, True, State.FAILURE, "is answered with status 500"),
    ],
)
def test_status_of_a_scrape(status: int, *, has_credentials: bool, state: State, said: str) -> None:
    """What a status means depends on whether credentials were given."""
    found = judge_answer("https://x/metrics", status, has_credentials=has_credentials)
    assert isinstance(found, Finding)
    assert (found.state, said in found.what) == (state, True)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--user", "x"], "--user and --password_file go together."),
        (["--client_key", "x"], "--client_key needs --client_certificate."),
        (["--url", "http://x"], "--url must be https:// with a name"),
        (["--url", "https://[::1"], "--url must be https:// with a name"),
        (["--url", "https://x:y"], "--url must be https:// with a name"),
        (["--url", "https://user:secret@x"], "--url must not name a user"),
        (["--timeout", "0"], "--timeout must be more than 0."),
        (["--instances", "0"], "--instances must be at least 1"),
    ],
)
def test_wrong_use(flags: list[str], said: str) -> None:
    """It is one sentence and exit status 2, and nothing is checked."""
    result = CliRunner().invoke(main, ["doctor", *flags])
    assert (result.exit_code, said in result.output) == (2, True), result.output
    assert "secret" not in result.output


def test_terminal_shows_marks_and_what_is_waited_for(tmp_path: Path) -> None:
    """A mark stands before each finding, and below it what mends it."""
    config = tmp_path / "settings.toml"
    config.write_text("")
    progs = tmp_path / "programs"
    flags = [f"--config={config}", f"--progs={progs}", f"--unix_socket={tmp_path}/metrics.sock", "--no-send"]
    flags += [f"--syslog_config={tmp_path}/none.conf", f"--nginx_config={tmp_path}/none.conf"]
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pipeline", "doctor", *flags]
    with subprocess.Popen(command, stdout=follower, stderr=follower, stdin=subprocess.DEVNULL) as process:
        os.close(follower)
        shown = read_terminal(leader)
    assert process.returncode == 1
    assert f"Asking the daemon at {tmp_path}/metrics.sock …" in shown
    assert f"\x1b[31m✗ \x1b[0mPrograms: There is no {progs}, where the programs should be.\x1b[0m" in shown
    assert f"\x1b[1m    install -D -m 644 -t {progs} " in shown
    assert "Daemon: The daemon does not run, which it cannot without programs." in shown


def test_terminal_that_lacks_letters(tmp_path: Path) -> None:
    """Words stand for marks, and codes for the rest."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pipeline", "doctor", "--no-send", f"--config={tmp_path}/\u0416.toml"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    with subprocess.Popen(
        command, stdout=follower, stderr=follower, stdin=subprocess.DEVNULL, env=environment
    ) as process:
        os.close(follower)
        shown = read_terminal(leader)
    assert process.returncode == 1
    assert "failure     \x1b[0mSettings: The file of settings" in shown
    assert "\\u0416.toml cannot be read" in shown


def read_terminal(leader: int) -> str:
    """Return what a program has written to its terminal, when it has ended."""
    shown = b""
    try:
        while piece := os.read(leader, 65536):
            shown += piece
    except OSError:  # so Linux tells that nobody holds the other end
        pass
    finally:
        os.close(leader)
    return shown.decode()
