"""What inotify tells of real folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline.sources.files.watcher import Change, News, Watcher
from tests.sources.collector import PATIENCE_SECONDS


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    yield watcher
    watcher.close()


async def collect(watcher: Watcher) -> set[Change]:
    """Return what has changed."""
    with trio.fail_after(PATIENCE_SECONDS):
        return (await watcher.wait()).changes


async def test_changes_have_the_path_of_their_file(watcher: Watcher, tmp_path: Path) -> None:
    """Content is told from all else, and a hundred writes are one change."""
    path = tmp_path / "log"
    path.touch()
    watcher.watch([str(tmp_path)])
    with path.open("ab", buffering=0) as file:
        for _ in range(100):
            file.write(b"line\n")
    assert await collect(watcher) == {Change(str(path), is_content=True)}
    path.rename(tmp_path / "new")
    assert await collect(watcher) == {Change(str(path), is_content=False), Change(f"{tmp_path}/new", is_content=False)}


def test_renames_are_told_in_their_order(watcher: Watcher, tmp_path: Path) -> None:
    """Not those that lead out of what is watched, or into it."""
    (tmp_path / "folder").mkdir()
    watcher.watch([str(tmp_path)])
    (tmp_path / "a").touch()
    for old, new in (("a", "b"), ("b", "c"), ("c", "folder/d"), ("folder/d", "a"), ("a", "c")):
        (tmp_path / old).rename(tmp_path / new)
    renames = watcher.read().renames
    assert renames == [(f"{tmp_path}/{old}", f"{tmp_path}/{new}") for old, new in ("ab", "bc", "ac")]
    assert watcher.read() == News()


async def test_folder_is_known_by_every_path_to_it(watcher: Watcher, tmp_path: Path) -> None:
    """The kernel watches it once."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    watcher.watch([f"{tmp_path}/folder", f"{tmp_path}/link"])
    (tmp_path / "folder" / "log").touch()
    paths = {change.path for change in await collect(watcher)}
    assert paths == {f"{tmp_path}/folder/log", f"{tmp_path}/link/log"}


async def test_end_of_a_folder_is_told(watcher: Watcher, tmp_path: Path) -> None:
    """Under its own path."""
    (tmp_path / "folder").mkdir()
    watcher.watch([f"{tmp_path}/folder"])
    (tmp_path / "folder").rmdir()
    assert Change(f"{tmp_path}/folder", is_content=False) in await collect(watcher)
    watcher.watch([f"{tmp_path}/folder", f"{tmp_path}/log"])
    assert watcher.folders == {}


async def test_event_of_a_folder_that_is_watched_no_more_is_of_any_path(watcher: Watcher, tmp_path: Path) -> None:
    """As is the kernel's word that it has lost some."""
    watcher.watch([str(tmp_path)])
    watcher.watch([])
    assert await collect(watcher) == {Change("", is_content=False)}


def test_trouble_with_one_folder_leaves_the_others_watched(watcher: Watcher, tmp_path: Path) -> None:
    """It is told when all were tried."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        watcher.watch([f"{tmp_path}/loop", str(tmp_path)])
    assert list(watcher.folders.values()) == [{str(tmp_path)}]


async def test_without_inotify_nothing_ever_happens(autojump_clock: MockClock) -> None:
    """Who waits has a time limit of its own."""
    assert Watcher().read() == News()
    with trio.move_on_after(1000) as scope:
        await Watcher().wait()
    assert scope.cancelled_caught
