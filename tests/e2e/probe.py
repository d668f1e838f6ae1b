"""Tries what a service should not be able to do, and what it must; writes down what came of each, as JSON.

It runs in the place of our daemon, under the directives of its unit.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path


def write_to(path: str) -> None:
    """Make a file, and remove it."""
    Path(path).write_text("probe")
    Path(path).unlink()


def read_from(path: str) -> None:
    """Read some of a file."""
    with Path(path).open("rb") as file:
        file.read(1)


def list_folder(path: str) -> None:
    """List a folder."""
    list(Path(path).iterdir())


def map_executable() -> None:
    """Map memory that can be written and run."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def make_namespace() -> None:
    """Make a user namespace, as the first step to more rights. It would be ours for good: only a child has it."""
    if not (child := os.fork()):
        libc = ctypes.CDLL(None, use_errno=True)
        os._exit(ctypes.get_errno() if libc.unshare(0x10000000) else 0)
    if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise OSError(status, "unshare")


def open_socket(family: int) -> None:
    """Open a socket of a family."""
    socket.socket(family, socket.SOCK_DGRAM).close()


def set_user_bit() -> None:
    """Make a file that would run as its owner."""
    path = Path("/tmp/probe")
    path.write_text("")
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


def see_others() -> None:
    """See process 1, which is somebody else's."""
    Path("/proc/1/status").read_text()


TRIALS: dict[str, Callable[[], None]] = {
    "write /etc": lambda: write_to("/etc/probe"),
    "write /usr": lambda: write_to("/usr/probe"),
    "write /var/log": lambda: write_to("/var/log/probe"),
    "write the state": lambda: write_to("/var/lib/syslog-pipeline/probe"),
    "write the folder of the pipe": lambda: write_to("/run/syslog-pipeline/probe"),
    "read what others have in /tmp": lambda: read_from("/tmp/others"),
    "list /home": lambda: list_folder("/home/user"),
    "list /root": lambda: list_folder("/root"),
    "read a log": lambda: read_from("/var/log/app.log"),
    "read the settings": lambda: read_from("/etc/syslog-pipeline/settings.toml"),
    "read the kernel's addresses": lambda: read_from("/proc/kallsyms"),
    "see other processes": see_others,
    "unix socket": lambda: open_socket(socket.AF_UNIX),
    "internet socket": lambda: open_socket(socket.AF_INET),
    "netlink socket": lambda: open_socket(socket.AF_NETLINK),
    "executable memory": map_executable,
    "user namespace": make_namespace,
    "user bit": set_user_bit,
}


def main() -> None:
    """Try all, and write down the results."""
    results = {}
    for name, attempt in TRIALS.items():
        try:
            attempt()
            results[name] = "ok"
        except OSError as error:
            results[name] = errno.errorcode[error.errno or 0]
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    limits = Path("/proc/self/limits").read_text()
    results |= {
        "capabilities": status["CapBnd"],
        "new privileges": status["NoNewPrivs"],
        "open files": next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files")),
        "core": next(line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")),
        "umask": status["Umask"],
        "user": str(os.getuid()),
        "users that are known": str(len(Path("/proc/self/uid_map").read_text().splitlines())),
    }
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
