"""Our units and files in their places on a booted machine, with the real rsyslogd as the writer."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.booted import Machine, booting
from tests.e2e.counting import log_messages
from tests.e2e.daemons import ROOT, wait_until

UNITS = ROOT / "systemd"

SERVICE = "syslog-pipeline.service"

FOLDER = "run/syslog-pipeline"

PIPE = f"{FOLDER}/log.fifo"

HTTP = f"{FOLDER}/metrics.sock"

MESSAGES = 20_000

RSYSLOG_CONF = """
global(workDirectory="/var/spool/rsyslog" net.enableDNS="off")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/run/log.sock" RateLimit.Interval="0")
include(file="/etc/rsyslog.d/*.conf")
"""

QUICK = "[Service]\nRestartSec=100ms\n"
"""Nobody waits for a test as long as for a daemon that has crashed."""


def read_shipped(name: str) -> str:
    """Return a file that we ship for systemd."""
    return (UNITS / name).read_text()


def list_files() -> dict[str, str]:
    """Return the files of the machine, by their paths below `/etc`: ours are as we ship them."""
    units = [path for path in UNITS.iterdir() if path.suffix in (".service", ".socket")]
    return {
        **{f"systemd/system/{path.name}": path.read_text() for path in units},
        "systemd/system/syslog-pipeline.service.d/quick.conf": QUICK,
        "sysusers.d/syslog-pipeline.conf": read_shipped("sysusers.conf"),
        "tmpfiles.d/syslog-pipeline.conf": read_shipped("tmpfiles.conf"),
        # Of the examples each is made to count.
        "default/syslog-pipeline": re.sub(r"^#(?=[A-Z_]+=)", "", read_shipped("environment"), flags=re.MULTILINE),
        "syslog-pipeline/settings.toml": read_shipped("settings.toml"),
        "syslog-pipeline/programs/count.mtail": (Path(__file__).parent / "count.mtail").read_text(),
        "rsyslog.conf": RSYSLOG_CONF,
        "rsyslog.d/60-syslog-pipeline.conf": (ROOT / "rsyslog/pipe.conf").read_text(),
    }


@contextmanager
def boot_installed() -> Iterator[Machine]:
    """Boot a machine on which rsyslog and our service start."""
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as name,
        booting(Path(name), list_files(), (SERVICE, "rsyslog.service")) as machine,
    ):
        yield machine


def log(machine: Machine, route: str, count: int = MESSAGES) -> None:
    """Log numbered messages to the machine's rsyslogd."""
    log_messages(machine.root / "run/log.sock", route, count)


def describe(path: Path) -> tuple[str, int, int]:
    """Return the mode, the owner and the group of a file, by number."""
    status = path.stat()
    return stat.filemode(status.st_mode), status.st_uid, status.st_gid


def find_ids(machine: Machine, name: str) -> tuple[int, int]:
    """Return the numbers of a user and its group."""
    line = next(line for line in (machine.root / "etc/passwd").read_text().splitlines() if line.startswith(f"{name}:"))
    user, group = line.split(":")[2:4]
    return int(user), int(group)


def find_process(machine: Machine, unit: str = SERVICE) -> int:
    """Return the number of the service's process, on the machine."""
    return int(machine.show(unit, "MainPID"))


def wait_active(machine: Machine, unit: str) -> None:
    """Return when a unit is active."""
    wait_until(lambda: machine.ctl("is-active", unit, status=None) == "active", f"{unit} is active")


def add_drop_in(machine: Machine, unit: str, name: str, text: str) -> None:
    """Change a unit as `systemctl edit --runtime` does."""
    path = machine.root / f"run/systemd/system/{unit}.d/{name}.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    machine.ctl("daemon-reload")


def remove_drop_ins(machine: Machine, unit: str) -> None:
    """Change a unit back."""
    shutil.rmtree(machine.root / f"run/systemd/system/{unit}.d", ignore_errors=True)
    machine.ctl("daemon-reload")
