"""What tests with real daemons share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for that of a socket in it."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        yield Path(name)
