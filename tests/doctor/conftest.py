"""What the tests of the doctor share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doctor.chain import Chain, run_chain


@pytest.fixture(scope="session")
def chain() -> Iterator[Chain]:
    """A whole way in which all is well. Who breaks something of it mends it again."""
    with run_chain() as running:
        yield running


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
