"""What a pattern matches in real folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.sources.files.expansion import expand
from pipeline.sources.files.pattern import PathPattern


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two folders with logs, a link to one, and a file beside them."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.log").touch()
    (tmp_path / "one" / "other.log").touch()
    (tmp_path / "three").symlink_to("two")
    (tmp_path / "file.log").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "paths", "folders"),
    [
        ("file.log", ["file.log"], [""]),
        ("none", ["none"], [""]),
        ("*.log", ["file.log"], [""]),
        ("one/*", ["one/app.log", "one/other.log"], ["one"]),
        ("*/app.log", ["one/app.log", "three/app.log", "two/app.log"], ["", "one", "two", "three"]),
        ("t*/*", ["three/app.log", "two/app.log"], ["", "two", "three"]),
        ("none/*", [], ["none"]),
        ("file.log/*", [], ["file.log"]),
    ],
)
def test_pattern_matches_by_name(folder: Path, pattern: str, paths: list[str], folders: list[str]) -> None:
    """In order; a folder in which a match may come is named."""
    expansion = expand(PathPattern.parse(f"{folder}/{pattern}"))
    assert expansion.paths == [f"{folder}/{path}" for path in paths]
    assert expansion.folders == {f"{folder}/{name}".removesuffix("/") for name in folders}
    assert expansion.failures == []


def test_pattern_at_the_root() -> None:
    """Its folder is the root."""
    expansion = expand(PathPattern.parse("/et[c]"))
    assert (expansion.paths, expansion.folders) == (["/etc"], {"/"})


def test_folder_that_cannot_be_listed_is_told_of(tmp_path: Path) -> None:
    """The others are looked at."""
    (tmp_path / "loop").symlink_to("loop")
    expansion = expand(PathPattern.parse(f"{tmp_path}/loop/*"))
    assert expansion.paths == []
    assert [(folder, type(error)) for folder, error in expansion.failures] == [(f"{tmp_path}/loop", OSError)]
