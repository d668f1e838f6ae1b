"""Setup on a terminal: it asks before it writes, and writes only what it has shown."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.installation.roots import SERVICE, SHIPPED, SNIPPET, install, read_tree, root, setup, write

__all__ = ["root"]

ROOT = Path(__file__).parents[2]


def start_on_terminal(root: Path, *flags: str) -> tuple[subprocess.Popen[bytes], int]:
    """Run `setup --install` on a terminal; return the process, and the terminal's other end."""
    command = [sys.executable, "-m", "pipeline", "setup", "--root", str(root), "--install", *flags]
    own, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment)
    os.close(other)
    return process, own


def read_until(terminal: int, end: bytes | None) -> bytes:
    """Return what is shown until `end`, or until nothing comes any more."""
    shown = b""
    with suppress(OSError):  # the end of a terminal
        while (end is None or end not in shown) and (piece := os.read(terminal, 65536)):
            shown += piece
    return shown


def read_terminal(root: Path, answer: bytes) -> tuple[int, str]:
    """Run `setup --install` on a terminal, answer, and return the status and all that is shown."""
    process, own = start_on_terminal(root)
    os.write(own, answer)
    shown = read_until(own, None)
    os.close(own)
    return process.wait(60), shown.decode()


def test_terminal_is_asked_and_may_refuse(root: Path) -> None:
    """Nothing is written then. The diff is in colour."""
    before = read_tree(root)
    status, shown = read_terminal(root, b"n\n")
    assert status == 1
    assert f"Write {len(SHIPPED)} files below {root}? [y/N]: " in shown
    assert f"\x1b[32m+++ /{SNIPPET}" in shown
    assert read_tree(root) == before


def test_two_do_not_write_at_once(root: Path) -> None:
    """Neither would know of the other's files. A look is always possible."""
    process, own = start_on_terminal(root)
    try:
        read_until(own, b"[y/N]: ")
        result = setup(root, "--install")
        assert (result.exit_code, result.stderr) == (
            1,
            f"Error: Another setup is at work below {root}: wait until it has ended.\n",
        )
        assert setup(root).exit_code == 0
        os.write(own, b"y\n")
        read_until(own, None)
    finally:
        os.close(own)
        assert process.wait(60) == 0
    assert "Nothing has to be written" in setup(root, "--install").stdout


def test_what_is_edited_while_setup_asks_is_not_lost(root: Path) -> None:
    """It is not what was shown."""
    install(root)
    process, own = start_on_terminal(root, "--way", "socket")
    try:
        read_until(own, b"[y/N]: ")
        write(root / SERVICE, "mine\n")
        before = read_tree(root)
        os.write(own, b"y\n")
        shown = read_until(own, None).decode()
    finally:
        os.close(own)
        assert process.wait(60) == 1
    assert f"{root / SERVICE} has just been changed: run setup again." in shown
    assert read_tree(root) == before


def test_terminal_is_asked_and_may_agree(root: Path) -> None:
    """Then the files are written."""
    status, shown = read_terminal(root, b"y\n")
    assert (status, (root / SNIPPET).is_file()) == (0, True), shown
