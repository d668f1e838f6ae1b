"""What emit leaves behind: the files of a folder of its own, and the summary that it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SUMMARY = re.compile(
    r"(\d+) sent in [\d.]+ s(?:, \d+ per second)?; (\d+) dropped\.\n"
    r"(?:Half of the sends took up to [\d.]+ µs, 99 of 100 up to [\d.]+ µs\.\n)?"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
