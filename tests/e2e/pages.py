"""Follows a page of the documentation: saves the files that it shows, types its commands, compares what they print.

There is no second copy of anything: what is done is read from the page, where

- a block behind a paragraph that says "save … as `name`" is a file;
- a block of `console` is commands, each behind `$ `, and below each what it prints. `…` stands for anything within a
  line, and on a line of its own for any number of lines. Where nothing is shown, nothing may be printed;
- a block of `sh` is commands to paste as they stand;
- where the first command of a `console` block stands behind `# `, all of it is for root on a real host, and is left to
  the test.

A command must end with status 0, unless the next one shows its status by `echo $?`. Any other block is refused.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, POLL_SECONDS, wait_until

BLOCK = re.compile(r"^```(?P<language>[\w-]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"\b[Ss]ave (?:\w+ )?as\s`(?P<name>[^`]+)`")
ADDRESS = re.compile(r"^http://\S+$", re.MULTILINE)
SHOW_STATUS = "echo $?"
END_ALL = "trap 'kill -KILL 0' EXIT TERM\n"
"""Has a shell that is left alone take with it what it has started, which stands in its process group."""

MARK = "\x1f"
"""Stands between what two commands print, and in no text."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that the reader is told to save."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the reader is told to type, as `text`, and what it should print."""

    text: str
    shown: str
    for_root: bool = False


Step = File | Command


def read_steps(page: Path, heading: str = "") -> list[Step]:
    """Return what a page, or one of its sections, tells the reader to do, in order."""
    text = page.read_text(encoding="utf-8")
    if heading:
        _, found, text = text.partition(f"\n## {heading}\n")
        assert found, f"{page.name} has no section {heading!r}"
        text = text.partition("\n## ")[0]
    steps: list[Step] = []
    for block in BLOCK.finditer(text):
        steps += read_block(block, text[: block.start()].rstrip().rpartition("\n\n")[2])
    return steps


def read_block(block: re.Match[str], paragraph: str) -> list[Step]:
    """Return what a block tells, which stands behind a paragraph."""
    if named := NAMED.search(paragraph):
        return [File(named["name"], block["text"])]
    if block["language"] == "sh":
        return [Command(block["text"], "")]
    assert block["language"] == "console", f"nothing says what is to be done with this:\n{block[0]}"
    return list(read_session(block["text"]))


def read_session(text: str) -> Iterator[Command]:
    """Yield the commands of a `console` block."""
    prompt = text[:2]
    assert prompt in {"$ ", "# "}, f"no command stands before this:\n{text}"
    for part in re.split(rf"^(?={re.escape(prompt)})", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        length = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\\n"))
        command, shown = "".join(lines[:length]), "".join(lines[length:])
        yield Command(command[2:], shown, for_root=prompt == "# ")


def set_variables(steps: list[Step], values: Mapping[str, str]) -> list[Step]:
    """Return the steps with other values for the variables that the page sets, each of which it must set."""
    missing = set(values)
    changed: list[Step] = []
    for step in steps:
        name = step.text.partition("=")[0]
        if isinstance(step, Command) and name in values:
            missing.discard(name)
            step = replace(step, text=f"{name}={values[name]}\n")
        changed.append(step)
    assert not missing, f"the page does not set {missing}"
    return changed


class Shell:
    """A real shell in a folder, which is given one command after another."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        script, self.commands = os.pipe()
        # The commands come by a pipe of their own, lest a command that reads its standard input takes the next one.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "bash", "--noprofile", "--norc", f"/dev/fd/{script}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[script],
            cwd=folder,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        os.close(script)
        os.write(self.commands, END_ALL.encode())

    @property
    def folder(self) -> Path:
        """The folder in which the shell is by now."""
        return Path(f"/proc/{self.process.pid}/cwd").readlink()

    def type(self, command: str) -> tuple[str, int]:
        """Return what a command prints, and its status."""
        show_status = f"__status=$?; printf '{MARK}%s{MARK}' $__status; (exit $__status)\n"
        os.write(self.commands, f"{command.rstrip()}\n{show_status}".encode())
        printed = self.read_to_mark(command)
        status = self.read_to_mark(command)
        return printed, int(status)

    def read_to_mark(self, command: str) -> str:
        """Return what comes before the next mark."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        end = time.monotonic() + DEADLINE_SECONDS
        read = b""
        while not read.endswith(MARK.encode()):
            ready, _, _ = select.select([descriptor], [], [], max(0, end - time.monotonic()))
            assert ready, (
                f"waited {DEADLINE_SECONDS:.0f} s in vain for the end of `{command}`, which printed:\n{read!r}"
            )
            # Byte by byte, as what stands behind the mark belongs to the next call.
            byte = os.read(descriptor, 1)
            assert byte, f"the shell ended in `{command}`, which printed:\n{read!r}"
            read += byte
        return read.decode().removesuffix(MARK)

    def list_processes(self) -> list[str]:
        """Return the names of the processes that the shell has started and that have not ended."""
        return list_processes(self.process.pid)

    def close(self) -> None:
        """End the shell, and whatever it has left running."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.commands)
        assert self.process.stdout is not None
        self.process.stdout.close()


def list_processes(session: int) -> list[str]:
    """Return the names of the processes of a session, other than its first one, that have not ended."""
    names = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            # proc(5): the name stands in parentheses; behind it the state, the parent, the group and the session.
            before, _, after = path.read_text().rpartition(")")
            pid, _, name = before.partition(" (")
            state, _, _, its_session, *_ = after.split()
            if int(its_session) == session != int(pid) and state != "Z":
                names.append(name)
    return names


@contextmanager
def open_shell(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Shell]:
    """Give a shell until the block ends. By then its commands must have ended all that they started."""
    shell = Shell(folder, {"PATH": DAEMON_PATH, **(environment or {})})
    try:
        yield shell
        wait_until(lambda: not shell.list_processes(), "the commands end what they started")
    finally:
        shell.close()


def follow(steps: list[Step], shell: Shell, *, slowly: bool = False) -> None:
    """Do what a page tells, and see that it comes as the page says.

    A reader takes a moment between two commands. `slowly` stands for it: what is not yet as shown is typed again.
    """
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(step, File):
            (shell.folder / step.name).write_text(step.text)
        elif not step.for_root:
            shows_status = isinstance(after, Command) and after.text.strip() == SHOW_STATUS
            follow_command(step, shell, may_fail=shows_status, slowly=slowly)


def follow_command(command: Command, shell: Shell, *, may_fail: bool, slowly: bool) -> None:
    """Type a command, and see that it prints what the page shows. An address that it prints must answer."""
    end = time.monotonic() + DEADLINE_SECONDS * slowly
    while True:
        printed, status = shell.type(command.text)
        is_right = (may_fail or status == 0) and is_shown(printed, command.shown)
        if is_right or time.monotonic() >= end:
            break
        time.sleep(POLL_SECONDS)
    assert is_right, (
        f"`{command.text.strip()}` ended with status {status} and printed:\n{printed}\n"
        f"and the page shows:\n{command.shown}"
    )
    for address in ADDRESS.findall(printed):
        answer = httpx.get(address, follow_redirects=True, trust_env=False, timeout=DEADLINE_SECONDS)
        assert answer.status_code == httpx.codes.OK, address


def is_shown(printed: str, shown: str) -> bool:
    """Whether `printed` is what the page shows. Blanks at the ends of lines do not count, nor a last line feed."""
    if printed and not printed.endswith("\n"):
        printed += "\n"
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "…" else re.escape(line.rstrip()).replace("…", ".*") + r"[ \t]*\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None
