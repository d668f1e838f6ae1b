"""The booted machine of the other tests takes nothing of this one, and leaves nothing on it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.booted import booting, list_children
from tests.e2e.daemons import DEADLINE_SECONDS, ROOT, wait_until

BOOT = """
import sys, time
from pathlib import Path
from tests.e2e.booted import booting
with booting(Path(sys.argv[1]), {}, ()) as machine:
    print(machine.init, flush=True)
    time.sleep(600)
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a machine's files are."""
    with tempfile.TemporaryDirectory(prefix="sd-") as name:
        yield Path(name)


def find_groups(name: str) -> list[Path]:
    """Return the control groups of a machine, in all hierarchies."""
    return [Path(found) for found, _, _ in os.walk("/sys/fs/cgroup") if Path(found).name == name]


def read_kernel_settings() -> dict[str, str]:
    """Return those settings of the kernel that systemd would raise at a boot."""
    names = ("fs/file-max", "fs/nr_open", "kernel/core_pattern", "kernel/hostname", "net/unix/max_dgram_qlen")
    return {name: (Path("/proc/sys") / name).read_text() for name in names}


def read_groups(process: int) -> list[str]:
    """Return the control groups of a process, of each hierarchy one."""
    return Path(f"/proc/{process}/cgroup").read_text().splitlines()


def test_a_boot_stays_below_our_own_control_group(folder: Path) -> None:
    """Our limits are its limits too. What it sees of this machine it cannot write."""
    settings, mounts = read_kernel_settings(), Path("/proc/self/mountinfo").read_text()
    own = read_groups(os.getpid())
    with booting(folder, {}, ()) as machine:
        below = [f"{group.rstrip('/')}/{folder.name}/init.scope" if group.startswith("0::") else group for group in own]
        assert read_groups(machine.init) == below
        assert read_groups(os.getpid()) == own
        assert read_kernel_settings() == settings
        for place in ("/opt/checkout", "/opt/packages", "/opt/python", "/proc/sys", "/sys"):
            machine.run("test", "-w", place, status=1)
        assert len(find_groups(folder.name)) == 1
    assert find_groups(folder.name) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_a_killed_run_leaves_no_process_and_no_control_group(folder: Path) -> None:
    """What ends a test run without any warning ends the machine."""
    command = [sys.executable, "-c", BOOT, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        init = int(process.stdout.readline())
        (boot,) = list_children(str(process.pid))
        assert find_groups(folder.name)
        process.kill()
    processes = [Path(f"/proc/{number}") for number in (boot, init)]
    wait_until(lambda: not any(path.exists() for path in processes), "the processes are gone")
    assert find_groups(folder.name) == []


def test_without_root_nothing_is_booted(folder: Path) -> None:
    """One sentence says why."""
    folder.chmod(0o755)
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    boot = [str(Path(__file__).with_name("boot.sh")), "outside", folder.name, str(folder), "/", "/", "/"]
    done = subprocess.run([*drop, *boot], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (1, "Only root can boot a machine: run these tests as root.\n")
    assert find_groups(folder.name) == []
