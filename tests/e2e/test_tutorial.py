"""The tutorial is followed from its first command to its last, in an empty folder, by a real shell."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemons import DAEMON_PATH, ROOT
from tests.e2e.pages import Command, follow, open_shell, read_steps, set_variables
from tests.ports import find_port

PAGE = ROOT / "docs" / "tutorial.md"
COMMAND_PATH = f"{Path(sys.executable).parent}:{DAEMON_PATH}"
"""Our command stands where the Python that runs the tests does."""

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder with a short path, as it is to hold sockets."""
    with tempfile.TemporaryDirectory(prefix="e2e-tutorial-") as name:
        yield Path(name)


def test_every_command_of_the_tutorial_does_what_the_page_says(folder: Path) -> None:
    """All is saved, typed and compared as it stands, but for the ports and the place of our files. Nothing is left."""
    ports = {name: str(find_port()) for name in ("NGINX_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT")}
    steps = set_variables(read_steps(PAGE), {**ports, "SHIPPED": str(ROOT)})
    with open_shell(folder, {"PATH": COMMAND_PATH}) as shell:
        follow(steps, shell)
    assert list(folder.iterdir()) == []


def test_packages_of_the_tutorial_are_those_that_it_needs() -> None:
    """The one command for root would install nothing here, where the tutorial works."""
    (install,) = (step for step in read_steps(PAGE) if isinstance(step, Command) and step.for_root)
    simulated = subprocess.run(
        [*install.text.split(), "--simulate"], capture_output=True, check=True, text=True, env={"PATH": DAEMON_PATH}
    )
    assert "0 newly installed" in simulated.stdout
