"""The processes of this machine, as /proc shows them: who runs, as which user, and who holds a file open."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.doctor.rights import Account

PROC = Path("/proc")
COMMAND = "syslog-pipeline"
HOLDERS = ("systemd", "init")
"""Hold a pipe or a socket for somebody else, and never read it."""

STOPPED_STATES = frozenset("Tt")
"""What /proc calls a process that a signal or a debugger has stopped (proc(5))."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process."""

    pid: int
    parent: int
    name: str
    state: str
    arguments: tuple[str, ...]
    account: Account

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has stopped it, and it waits for SIGCONT."""
        return self.state in STOPPED_STATES

    @property
    def is_ours(self) -> bool:
        """Whether it is our daemon."""
        if "run" not in self.arguments:
            return False
        before = self.arguments[: self.arguments.index("run")]
        return before[-2:] == ("-m", "pipeline") or any(Path(argument).name == COMMAND for argument in before)

    @property
    def command(self) -> str:
        """What it was started as, without arguments: one of them may be a password."""
        return self.arguments[0].split()[0] if self.arguments else self.name

    @property
    def label(self) -> str:
        """Its name and number, for a sentence."""
        return f"{COMMAND if self.is_ours else self.name} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a file open, and how."""

    process: Process
    reads: bool
    writes: bool


@dataclass(frozen=True, slots=True)
class Holders:
    """Who has a file open. `unseen` are the processes whose files we may not see."""

    holders: tuple[Holder, ...]
    unseen: frozenset[int]


def list_processes() -> list[Process]:
    """Return the processes there are now, without the kernel's own, and without those of containers.

    Those of ordinary users come last, as a user can have a process call itself whatever he likes.
    """
    own = read_namespace(os.getpid())
    numbers = [pid for pid in list_numbers(PROC) if read_namespace(pid) in (own, "")]
    found = [process for pid in numbers if (process := read_process(pid)) is not None]
    return sorted(found, key=lambda process: process.account.is_ordinary)


def read_namespace(pid: int) -> str:
    """Return what names the numbers of a process and those beside it (pid_namespaces(7)); nothing if it is hidden."""
    try:
        return str((PROC / str(pid) / "ns" / "pid").readlink())
    except OSError:
        return ""


def list_numbers(folder: Path) -> list[int]:
    """Return the names in a folder that are numbers; none if it may not be read."""
    return [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]


def read_process(pid: int) -> Process | None:
    """Return a process; None if it is gone, is dead, or is the kernel's."""
    try:
        arguments = (PROC / str(pid) / "cmdline").read_bytes()
        rows = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return None
    facts = {name: value.split() for name, _, value in (row.partition(":") for row in rows)}
    state = facts["State"][0]
    if not arguments or state in "ZX":
        return None
    return Process(
        pid=pid,
        parent=int(facts["PPid"][0]),
        name=" ".join(facts["Name"]),
        state=state,
        # A daemon that writes its title over its arguments leaves blanks between them.
        arguments=tuple(part for part in os.fsdecode(arguments).split("\0") if part.strip()),
        account=Account(int(facts["Uid"][1]), frozenset(map(int, (facts["Gid"][1], *facts["Groups"])))),
    )


def read_start(pid: int) -> float:
    """Return when a process started, in seconds since 1970, to a second (proc(5)); raises `OSError` if it is gone."""
    # The name of the process, in parentheses, may hold anything.
    ticks = int((PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[19])
    booted = next(row for row in (PROC / "stat").read_text(encoding="ascii").splitlines() if row.startswith("btime "))
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")


def find_holders(path: Path, processes: Sequence[Process]) -> Holders:
    """Return which of `processes` have the file at `path` open, a pipe say; a process is there once."""
    path = path.resolve()
    holders = []
    unseen = set()
    for process in processes:
        try:
            ways = list(find_ways(process.pid, path))
        except PermissionError:
            unseen.add(process.pid)
            continue
        except OSError:
            continue
        if ways:
            holders.append(Holder(process, any(r for r, _ in ways), any(w for _, w in ways)))
    return Holders(tuple(holders), frozenset(unseen))


def find_ways(pid: int, path: Path) -> Iterator[tuple[bool, bool]]:
    """Yield for each descriptor of a process on that file whether it reads and whether it writes.

    The status is asked only of what has the file's name: that of a file on a server that is away would not come.
    """
    for number in list_numbers(PROC / str(pid) / "fd"):
        with suppress(FileNotFoundError, ProcessLookupError):
            link = PROC / str(pid) / "fd" / str(number)
            if link.readlink().name == path.name and link.samefile(path):
                mode = read_open_flags(pid, number) & os.O_ACCMODE
                yield mode in (os.O_RDONLY, os.O_RDWR), mode in (os.O_WRONLY, os.O_RDWR)


def read_open_flags(pid: int, number: int) -> int:
    """Return how a descriptor was opened, as open(2) has it."""
    rows = (PROC / str(pid) / "fdinfo" / str(number)).read_text(encoding="utf-8").splitlines()
    return next(int(row.split()[1], 8) for row in rows if row.startswith("flags:"))
