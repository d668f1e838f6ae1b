"""README.md's commands: the first metric, and the way onto a host."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, ROOT, answers, wait_until
from tests.e2e.pages import Command, Step, follow, open_shell, read_steps
from tests.installation.roots import make_root

PAGE = ROOT / "README.md"
FIRST_PROGRAM = re.compile(r"^```mtail\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETTINGS = ("pyproject.toml", "constraints.txt")
"""A change of these has `make` install packages."""

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as it is to hold sockets."""
    with tempfile.TemporaryDirectory(prefix="e2e-readme-") as name:
        yield Path(name)


def read_commands(heading: str) -> list[Command]:
    """Return the commands of a section."""
    return [step for step in read_steps(PAGE, heading) if isinstance(step, Command)]


def copy_checkout(folder: Path) -> None:
    """Make what is unpacked there look as this checkout, in which nothing is left to be set up."""
    for path in ROOT.iterdir():
        if path.name in SETTINGS:
            shutil.copy(path, folder)
            os.utime(folder / path.name, (0, 0))
        elif path.name not in {"run", "build"}:
            (folder / path.name).symlink_to(path)


@contextmanager
def run_first_terminal(command: str, folder: Path) -> Iterator[Path]:
    """Run a command, in a terminal of its own, until Ctrl-C ends it; give the file of what it prints."""
    log = folder / "terminal.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command.split(), cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until(lambda: answers(folder / "run" / "metrics.sock", socket.SOCK_STREAM), f"{command} is ready")
        wait_until(lambda: "Read the metrics:" in log.read_text(), f"{command} says how to go on")
        yield log
        os.killpg(process.pid, signal.SIGINT)
        process.wait(DEADLINE_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_first_metric_comes_as_the_page_says(folder: Path) -> None:
    """`make run` prints the two commands that the page shows, and the metric is there."""
    copy_checkout(folder)
    page = PAGE.read_text()
    program = FIRST_PROGRAM.search(page)
    assert program is not None
    assert "Save the one above as `logins.mtail`" in page
    (folder / "logins.mtail").write_text(program[1])
    auth_log = str(ROOT / "pipeline" / "programs" / "sshd.log")
    run, *commands = read_commands("Your first metric")
    with run_first_terminal(run.text, folder) as log, open_shell(folder) as shell:
        printed = log.read_text()
        assert [command.text.partition(" | ")[0].strip() in printed for command in commands[:2]] == [True, True]
        steps: list[Step] = [replace(step, text=step.text.replace("/var/log/auth.log", auth_log)) for step in commands]
        follow(steps, shell, slowly=True)
    assert not (folder / "run" / "metrics.sock").exists()


def test_host_is_set_up_as_the_page_says(folder: Path) -> None:
    """It is installed into a folder of its own, and from there writes what a machine needs.

    Python packages that are here already are not installed once more.
    """
    unpacked, root = folder / "unpacked", make_root(folder / "root", "rsyslog", "nginx")
    ignored = shutil.ignore_patterns(".*", "run", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, unpacked, ignore=ignored)
    (root / "usr/bin/syslog-pipeline").unlink()
    places = {"/opt/syslog-pipeline": f"{root}/opt", "/usr/bin/": f"{root}/usr/bin/"}
    *commands, doctor = read_commands("Beside rsyslog, behind nginx")
    assert doctor == Command("syslog-pipeline doctor\n", "", for_root=True)
    environment = {
        # The packages are for the Python that runs the tests.
        "PATH": f"{root}/usr/bin:{Path(sys.executable).parent}:{DAEMON_PATH}",
        "PYTHONPATH": str(link_packages(folder / "packages")),
        # What builds the package is among them, too. (`0` stands for `--no-build-isolation`.)
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_INDEX": "1",
        "SYSLOG_PIPELINE_ROOT": str(root),
    }
    with open_shell(unpacked, environment) as shell:
        for command in commands:
            text = command.text
            for real, ours in places.items():
                text = text.replace(real, ours)
            printed, status = shell.type(text)
            assert status == 0, printed
    assert "systemctl enable --now" in printed
    assert (root / "etc/rsyslog.d/60-syslog-pipeline.conf").is_file()
    assert {path.name for path in (root / "etc/syslog-pipeline/programs").iterdir()} == {
        "doctor.mtail",
        "postfix.mtail",
        "sshd.mtail",
    }


def link_packages(folder: Path) -> Path:
    """Make a folder with the Python packages that are installed here, but for ours and pip."""
    folder.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not re.search(r"syslog_pipeline|^pip\b|^__pycache__", path.name):
            (folder / path.name).symlink_to(path)
    return folder
