"""Where a file that was renamed or copied is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.sources.files.identity import Fingerprint, Mark
from pipeline.sources.files.remains import Folders, list_candidates


def make_mark(path: Path, head: bytes, inode: int = 1) -> Mark:
    """Return what is known of a file that was at `path`."""
    return Mark(str(path), (1, inode), Fingerprint.of(head), len(head))


def test_folder_is_listed_once(tmp_path: Path) -> None:
    """However many files are looked for: thousands may be gone after a restart."""
    folders = Folders()
    (tmp_path / "a").touch()
    first = folders.list_entries(str(tmp_path))
    (tmp_path / "b").touch()
    assert folders.list_entries(str(tmp_path)) == first
    assert [name for name, _ in first] == ["a"]


def test_folder_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    """There is nothing to be found then."""
    assert list(list_candidates(make_mark(tmp_path / "none" / "a.log", b"x" * 64), Folders())) == []


@pytest.mark.parametrize(
    ("size", "names"),
    [(64, ["moved", "app.log.1"]), (10, ["moved"]), (0, [])],
)
def test_same_file_comes_before_copies(tmp_path: Path, size: int, names: list[str]) -> None:
    """A short beginning makes no copy, and an empty file is known by inode and name together only."""
    for name in ("moved", "app.log.1", "other"):
        (tmp_path / name).touch()
    mark = make_mark(tmp_path / "app.log", b"x" * size, (tmp_path / "moved").stat().st_ino)
    assert list(list_candidates(mark, Folders())) == [f"{tmp_path}/{name}" for name in names]


def test_empty_file_is_known_under_the_name_of_its_copy(tmp_path: Path) -> None:
    """It was rotated before anything was written to it."""
    (tmp_path / "app.log.1").touch()
    mark = make_mark(tmp_path / "app.log", b"", (tmp_path / "app.log.1").stat().st_ino)
    assert list(list_candidates(mark, Folders())) == [f"{tmp_path}/app.log.1"]
