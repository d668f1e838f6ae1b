"""A machine that systemd has booted: process 1 of its own namespaces, with our units and files in their places."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, ROOT, wait_until

DEBIAN_UNITS = Path("/usr/lib/systemd/system")

TARGETS = (
    "basic emergency exit final local-fs-pre local-fs multi-user network network-online paths rescue shutdown "
    "slices sockets swap sysinit timers umount"
)
UNITS = (
    *(f"{name}.target" for name in TARGETS.split()),
    "emergency.service",
    "rescue.service",
    "systemd-exit.service",
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-journald-dev-log.socket",
    "systemd-sysusers.service",
    "systemd-tmpfiles-setup.service",
    "syslog.socket",
    "rsyslog.service",
)
"""Of Debian's units those that a boot needs, and rsyslog's. Others would change this machine: its kernel, its disks."""

WANTS = {
    "sysinit.target.wants": ["systemd-journald.service", "systemd-sysusers.service", "systemd-tmpfiles-setup.service"],
    "sockets.target.wants": ["systemd-journald.socket", "systemd-journald-dev-log.socket"],
}

COMMAND = """#!/bin/sh
export PYTHONPATH=/opt/checkout:/opt/packages PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/opt/python/lib
exec {python} -m pipeline "$@"
"""
"""What `/usr/bin/syslog-pipeline` is on the machine."""

USERS = {
    "passwd": "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    "group": "root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What has been booted; `init` is the number of its process 1, as we see it."""

    init: int

    @property
    def root(self) -> Path:
        """Its files, as we see them."""
        return Path(f"/proc/{self.init}/root")

    def run(self, *command: str, status: int | None = 0) -> str:
        """Run a command on the machine, and return what it prints; `status` is what it ends with, if that matters."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.init), "--all", "--", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
            env={"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"},
        )
        assert status in (None, done.returncode), f"{command} ended with {done.returncode}: {done.stdout}"
        return done.stdout.strip()

    def ctl(self, *arguments: str, status: int | None = 0) -> str:
        """Run `systemctl` on the machine."""
        return self.run("systemctl", *arguments, status=status)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.ctl("show", "--property", name, "--value", unit)

    def log_of(self, unit: str) -> str:
        """Return what the journal has of a unit."""
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit)


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by their paths below `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def lay_out(folder: Path, files: Mapping[str, str]) -> tuple[Path, Path]:
    """Write what is laid over the tree; return where Python's packages are, and Python itself."""
    python = Path(sys.base_prefix)
    command = "/opt/python/bin/" + Path(os.path.realpath(sys.executable)).name
    units = folder / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for name in UNITS:
        shutil.copy(DEBIAN_UNITS / name, units / name)
    for name, wanted in WANTS.items():
        (units / name).mkdir()
        for unit in wanted:
            (units / name / unit).symlink_to(f"../{unit}")
    (units / "default.target").symlink_to("multi-user.target")
    write_files(folder / "usr/bin", {"syslog-pipeline": COMMAND.format(python=command)})
    (folder / "usr/bin/syslog-pipeline").chmod(0o755)
    write_files(folder / "etc", USERS)
    write_files(folder / "etc", {"machine-id": "0" * 31 + "1\n", "os-release": "", **files})
    for name in ("ld.so.cache", "nsswitch.conf"):
        shutil.copy(Path("/etc") / name, folder / "etc" / name)
    (folder / "root").mkdir()
    return Path(sysconfig.get_path("purelib")), python


@contextmanager
def booting(folder: Path, files: Mapping[str, str], enabled: tuple[str, ...]) -> Iterator[Machine]:
    """Boot a machine with `files`, named as below `/etc`, and with units `enabled`; end it with the block."""
    packages, python = lay_out(folder, files)
    for unit in enabled:
        command = ["systemctl", f"--root={folder}", "enable", "--quiet", unit]
        subprocess.run(command, check=True, timeout=DEADLINE_SECONDS)
    # It goes with us, even if we are killed.
    boot = ["setpriv", "--pdeathsig", "TERM", str(Path(__file__).with_name("boot.sh")), "outside"]
    command = [*boot, folder.name, str(folder), str(ROOT), str(packages), str(python)]
    with (folder / "boot.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": DAEMON_PATH}, start_new_session=True
        )
    try:
        machine = Machine(wait_init(process, folder / "boot.log"))
        wait_until(
            lambda: machine.ctl("is-system-running", status=None) in ("running", "degraded"), "the machine is up"
        )
        assert machine.ctl("is-system-running", status=None) == "running", machine.ctl("--failed", status=None)
        yield machine
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def wait_init(process: subprocess.Popen[bytes], log: Path) -> int:
    """Return the number of process 1 of what is booting, when it is systemd."""
    found: list[str] = []

    def is_systemd() -> bool:
        assert process.poll() is None, f"the boot failed: {log.read_text()}"
        started = (number for child in list_children(str(process.pid)) for number in list_children(child))
        found.extend(number for number in started if read_process(number, "comm") == "systemd\n")
        return bool(found)

    wait_until(is_systemd, "systemd runs")
    return int(found[0])


def list_children(process: str) -> list[str]:
    """Return the processes that a process has started."""
    return read_process(process, f"task/{process}/children").split()


def read_process(process: str, name: str) -> str:
    """Return what the kernel tells of a process; nothing if it has gone."""
    try:
        return Path(f"/proc/{process}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
