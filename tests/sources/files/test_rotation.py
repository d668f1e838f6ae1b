"""The table of rotations in docs/sources.md, row by row: no line is lost or doubled, whatever befalls a file.

Each row is played twice, with inotify and with looks at intervals alone. The clock jumps over each wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from trio.testing import MockClock

from pipeline.sources.files import PathSource
from tests.sources.collector import Collector
from tests.sources.files.scenes import PollingSource, Scene, make_source, open_folder, play, take

OLD_LINE = "Nov 20 03:00:00 host app[1]: this line was there before the start, and is not read\n"

# What is read, and what happens to it.
ROWS = {
    "create": ("app.log", "write app.log, look, rotate, write app.log, look, write app.log"),
    "create, all at once": ("app.log", "write app.log, rotate, write app.log"),
    "create, the writer comes over late": (
        "app.log",
        "hold app.log, write_held, look, rotate, write_held, look, write app.log, look, write_held, look,write app.log",
    ),
    "create, the new file comes late": (
        "app.log",
        "write app.log, rename app.log app.log.1, look, write app.log.1, look, write app.log, look",
    ),
    "create, twice": ("app.log", "write app.log, look, rotate, write app.log, look, rotate, write app.log"),
    "create, compressed at once": (
        "app.log*",
        "write app.log, look, rotate, compress app.log.1 app.log.1.gz, write app.log, look",
    ),
    "moved back": ("app.log", "write app.log, look, rotate, look, rename app.log.1 app.log, look, write app.log, look"),
    "copytruncate": (
        "app.log",
        "write app.log, look, copytruncate, write app.log, look, copytruncate, write app.log 9",
    ),
    "copytruncate, before all was read": (
        "app.log",
        "write app.log, look, write app.log, copytruncate, write app.log 1, look, write app.log",
    ),
    "copytruncate, the copy matches": (
        "app.log*",
        "write app.log, look, copy app.log app.log.1, look, truncate app.log, write app.log 5, look, write app.log,"
        "look",
    ),
    "copytruncate, the copy matches, before all was read": (
        "app.log*",
        "write app.log, look, write app.log, copytruncate, write app.log 5, look, write app.log, look",
    ),
    "truncate": ("app.log", "write app.log, look, truncate app.log, look, write app.log, look"),
    "truncate, and grown beyond": ("app.log", "write app.log, look, truncate app.log, write app.log 9, look"),
    "truncate, and grown to the same size": ("app.log", "write app.log, look, truncate app.log, write app.log, look"),
    "link switched": (
        "app.log",
        "link app.log app-1.log, write app.log, look, write app-2.log, link app.log app-2.log, write app-1.log, look,"
        "write app.log",
    ),
    "link switched, where files match too": (
        "app*.log",
        "link app.log app-1.log, write app.log, look, write app-2.log, link app.log app-2.log, write app-1.log, look,"
        "write app.log",
    ),
    "link to nothing at first": ("app.log", "link app.log app-1.log, look, write app-1.log, look"),
    "wrong mode": (
        "app.log",
        "write app.log, look, rename app.log app.log.1, create app.log 000, write app.log, look, write app.log, look,"
        "chmod app.log 644, look, write app.log",
    ),
    "deleted and back": (
        "app.log",
        "hold app.log, write_held, look, delete app.log, write_held, look, write app.log, write_held, look,"
        "write app.log",
    ),
    "deleted and back, all at once": ("app.log", "write app.log, look, delete app.log, write app.log, look"),
    "deleted unread": ("app.log", "write app.log, delete app.log, look"),
    "dates in names": (
        "app-*.log",
        "write app-1.log, look, write app-2.log, write app-1.log, look, write app-2.log, delete app-1.log, look,"
        "write app-3.log",
    ),
    "renamed within the pattern": (
        "app.log*",
        "write app.log, look, rotate, write app.log.1, write app.log, look, rotate, write app.log.2, write app.log.1,"
        "write app.log, look, delete app.log.2, look, write app.log",
    ),
    "restart": ("app.log", "write app.log, stop, write app.log, start, write app.log"),
    "restart with a line begun": ("app.log", "begin app.log, look, stop, end app.log, start, write app.log"),
    "create while away": (
        "app.log",
        "write app.log, stop, write app.log, rotate, write app.log, start, look, write app.log",
    ),
    "create while away, all match": (
        "app.log*",
        "write app.log, stop, write app.log, rotate, write app.log, start, look, write app.log",
    ),
    "copytruncate while away": (
        "app.log",
        "write app.log, stop, write app.log, copytruncate, write app.log 1, start, look, write app.log",
    ),
    "copytruncate while away, the copy matches": (
        "app.log*",
        "write app.log, stop, write app.log, copytruncate, write app.log 9, start, look, write app.log, look",
    ),
    "copytruncate while away, the copy comes first in order": (
        "app*.log",
        "write app.log, stop, write app.log, copy app.log app-1.log, truncate app.log, write app.log 9, start, look",
    ),
    "copytruncate before the restart, the copies match": (
        "app.log*",
        "write app.log, look, copytruncate, look, write app.log 9, look, copytruncate, look, write app.log, look, stop,"
        "start, write app.log, look, stop, start, look",
    ),
    "truncate while away": ("app.log", "write app.log, stop, truncate app.log, write app.log 1, start, look"),
    "new date while away": ("app-*.log", "write app-1.log, stop, write app-2.log, start, look"),
    "first file while away": ("app-*.log", "look, stop, write app-2.log, start, look"),
    "empty file filled and renamed while away": (
        "app.log",
        "truncate app.log, look, stop, write app.log, rotate, write app.log, start, look",
    ),
    "wrong mode while away": (
        "app.log",
        "write app.log, stop, write app.log, chmod app.log 000, start, look, stop, start, look, chmod app.log 644,look",
    ),
    "killed": ("app.log", "write app.log, look, save, write app.log, look, kill, start, write app.log, look"),
    "killed, and empty before": (
        "app.log",
        "truncate app.log, look, save, write app.log, look, kill, start, write app.log, look",
    ),
    "killed with a line begun": (
        "app.log",
        "write app.log, begin app.log, look, save, look, kill, end app.log, start, look",
    ),
    "killed after a rotation": (
        "app.log",
        "write app.log, look, save, write app.log, rotate, write app.log, look, kill, start, look",
    ),
    "killed while an old file is read": (
        "app.log",
        "hold app.log, write app.log, rotate, write app.log, look, write_held, look, save, write_held, look, kill,"
        "start, write_held, write app.log, look",
    ),
    "killed after copytruncate": (
        "app.log",
        "write app.log, look, save, write app.log, copytruncate, write app.log 9, look, kill, start, look",
    ),
}


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A folder that anybody may enter, with a file whose lines were there before us."""
    with open_folder() as folder:
        (folder / "app.log").write_text(OLD_LINE)
        yield Scene(folder)


@pytest.mark.parametrize("kind", [PathSource, PollingSource])
@pytest.mark.parametrize("row", ROWS)
async def test_lines_are_neither_lost_nor_doubled(
    scene: Scene, row: str, kind: type[PathSource], autojump_clock: MockClock
) -> None:
    """Not a line of those that were written before, while and after it happened."""
    pattern, steps = ROWS[row]
    await play(scene, pattern, steps, kind)
    assert Counter(scene.read) == Counter(scene.written)


def test_file_that_no_look_found_is_read_before_the_next(scene: Scene) -> None:
    """It was rotated away before a look found the one after it; its renaming is told of when that has been found."""
    source = make_source(scene.folder, "app.log")
    collector = Collector()
    source.prepare()
    source.roster.deliver = collector
    for step in ("write app.log", "rotate", "write app.log", "rotate", "write app.log"):
        take(step, scene)
    source.roster.scan(0.0)
    source.roster.trace(source.watcher.read().renames)
    for _ in range(3):
        for tail in list(source.roster.tails.values()):
            source.roster.turn(tail, 0.0)
    source.close()
    assert collector.lines == scene.written
