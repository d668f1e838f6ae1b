"""What tests with real daemons share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.booted import Machine
from tests.e2e.counting import Counting, scraping
from tests.e2e.installed import FOLDER, boot_installed


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for that of a socket in it."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine with our service."""
    with boot_installed() as machine:
        yield machine


@pytest.fixture
def counting(machine: Machine) -> Iterator[Counting]:
    """What reads the metrics of the service."""
    with scraping(machine.root / FOLDER) as counting:
        yield counting
