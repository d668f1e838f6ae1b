"""The first steps of docs/metlog.md, from `pip install` on, typed by a real shell."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemons import DAEMON_PATH, ROOT
from tests.e2e.pages import follow, open_shell, read_steps, set_variables
from tests.e2e.test_readme import link_packages

PAGE = ROOT / "docs" / "metlog.md"

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder with a short path, as it is to hold sockets."""
    with tempfile.TemporaryDirectory(prefix="e2e-metlog-") as name:
        yield Path(name)


def test_first_steps_lead_to_a_metric_and_a_message_in_a_file(folder: Path) -> None:
    """All is saved, typed and compared as it stands, but for the place of our files. Nothing is left.

    Python packages that are here already are not installed once more.
    """
    unpacked, work = folder / "unpacked", folder / "work"
    shutil.copytree(ROOT, unpacked, ignore=shutil.ignore_patterns(".*", "run", "build", "*.egg-info", "__pycache__"))
    work.mkdir()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{DAEMON_PATH}",
        "PYTHONPATH": str(link_packages(folder / "packages")),
        # What builds the package is among them, too. (`0` stands for `--no-build-isolation`.)
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_INDEX": "1",
    }
    steps = set_variables(read_steps(PAGE, "First steps"), {"UNPACKED": str(unpacked)})
    with open_shell(work, environment) as shell:
        follow(steps, shell, slowly=True)
    assert list(work.iterdir()) == []
