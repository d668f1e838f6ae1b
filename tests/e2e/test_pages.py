"""What a page says is held to the word: whatever differs is found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import daemons
from tests.e2e.daemons import ROOT, wait_until
from tests.e2e.pages import (
    Command,
    File,
    Shell,
    Step,
    follow,
    is_shown,
    list_processes,
    open_shell,
    read_steps,
    set_variables,
)

KILLED = """
from pathlib import Path
from tests.e2e.pages import open_shell

with open_shell(Path()) as shell:
    shell.type("sleep 1000 &")
    print(shell.process.pid, flush=True)
    shell.type({command!r})
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in an empty folder."""
    with open_shell(tmp_path) as shell:
        yield shell


def read_text(folder: Path, text: str) -> list[Step]:
    """Return the steps of a page with that text."""
    page = folder / "page.md"
    page.write_text(text)
    return read_steps(page)


def test_page_is_read_in_order(tmp_path: Path) -> None:
    """Files, commands with what they print, commands to paste, commands for root."""
    text = (
        "Save this as `a.txt`, please:\n\n```\n# a\n```\n\nThen:\n\n"
        "```console\n$ cat \\\n    a.txt\n# a\n$ true\n```\n\n"
        "```sh\nif true; then\n  true\nfi\n```\n\n```console\n# reboot\n```\n"
    )
    assert read_text(tmp_path, text) == [
        File("a.txt", "# a\n"),
        Command("cat \\\n    a.txt\n", "# a\n"),
        Command("true\n", ""),
        Command("if true; then\n  true\nfi\n", ""),
        Command("reboot\n", "", for_root=True),
    ]


@pytest.mark.parametrize("block", ["```\ntext\n```\n", "```yaml\na: 1\n```\n", "```console\nprinted\n```\n"])
def test_block_that_nothing_is_done_with_is_refused(tmp_path: Path, block: str) -> None:
    """Nothing on a page is passed over."""
    with pytest.raises(AssertionError):
        read_text(tmp_path, block)


def test_variable_that_the_page_does_not_set_is_refused() -> None:
    """Else a port would stay as it is."""
    steps: list[Step] = [Command("PORT=1\n", "")]
    assert set_variables(steps, {"PORT": "2"}) == [Command("PORT=2\n", "")]
    with pytest.raises(AssertionError):
        set_variables(steps, {"OTHER": "2"})


@pytest.mark.parametrize(
    ("printed", "shown", "expected"),
    [
        ("a\n", "a\n", True),
        ("a", "a\n", True),
        ("a  \n", "a\n", True),
        ("a\nb\n", "a\n", False),
        ("a\n", "", False),
        ("", "a\n", False),
        ("x = 17 s\n", "x = … s\n", True),
        ("x = 17\n1 s\n", "x = … s\n", False),
        ("a\nb\nc\n", "a\n…\nc\n", True),
        ("a\nc\n", "a\n…\nc\n", True),
        ("a\nb\n", "a\n…\nc\n", False),
    ],
)
def test_output_is_compared_whole(printed: str, shown: str, expected: bool) -> None:
    """`…` stands for a part of a line, or for lines; everything else counts."""
    assert is_shown(printed, shown) is expected


def test_what_a_page_tells_is_done(shell: Shell) -> None:
    """Files are where the shell is by now, and variables and functions stay."""
    follow(
        [
            Command("mkdir inner && cd inner\n", ""),
            File("a.txt", "text\n"),
            Command("show() { cat $1; }\n", ""),
            Command("show a.txt\n", "text\n"),
            Command("cat; false\n", ""),
            Command("echo $?\n", "1\n"),
        ],
        shell,
    )


@pytest.mark.parametrize("command", [Command("false\n", ""), Command("echo a\n", "b\n"), Command("echo a\n", "")])
def test_command_that_does_something_else_is_found(shell: Shell, command: Command) -> None:
    """A status that is not 0, another output, and one that is not shown."""
    with pytest.raises(AssertionError):
        follow([command], shell)


def test_daemon_that_is_left_behind_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended all the same."""
    monkeypatch.setattr(daemons, "DEADLINE_SECONDS", 0.1)
    with pytest.raises(AssertionError, match="end what they started"), open_shell(tmp_path) as shell:
        follow([Command("sleep 1000 &\n", "")], shell)
    assert shell.list_processes() == []


@pytest.mark.parametrize("command", ["kill -STOP $PPID", "while sleep 0.1; do true; done"])
def test_killed_test_leaves_nothing_running(command: str, tmp_path: Path) -> None:
    """Whether the shell waits for a command, or for the end of one."""
    test = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(command=command)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert test.stdout is not None
    with test.stdout as output:
        shell = int(output.readline())
    assert list_processes(shell)
    test.kill()
    test.wait()
    wait_until(lambda: not list_processes(shell), "what the shell had started ends")
