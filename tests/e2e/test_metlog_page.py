"""The first steps of docs/metlog.md, from `pip install` on, typed by a real shell; and the example of README.md."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, ROOT
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


def test_example_of_the_readme_sends_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter, a message with its fields, and the time that both took."""
    example = re.search(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert example is not None
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("metlog.sock")
        receiver.settimeout(DEADLINE_SECONDS)
        code = example[1].replace("/run/syslog-pipeline/metlog.sock", "metlog.sock")
        subprocess.run([sys.executable, "-c", code], check=True)
        messages = [json.loads(receiver.recv(65536)) for _ in range(3)]
    assert [(message["type"], message["logger"]) for message in messages] == [
        ("counter", "shop"),
        ("audit", "shop"),
        ("timer", "shop"),
    ]
    assert messages[0]["fields"] == {"country": "fr", "name": "orders", "rate": 1.0}
    assert (messages[1]["payload"], messages[1]["fields"]) == ("order 1001 placed", {"user": "me"})
