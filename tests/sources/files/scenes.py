"""What befalls files, in steps, and a source that reads them meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest
import trio

from pipeline.settings import ReadFrom, SourceSettings
from pipeline.sources.files import PathPattern, PathSource
from pipeline.sources.files.watcher import Watcher
from pipeline.sources.surroundings import Surroundings
from pipeline.telemetry import SourceCounts
from tests.sources.collector import SETTINGS, running

NOBODY = 65534

FROM_START = replace(SETTINGS, read_from=ReadFrom.START)
SLOW = replace(SETTINGS, poll_interval_seconds=10.0, poll_log_interval_seconds=10.0)


@dataclass(slots=True)
class Scene:
    """A folder, and what was written to files in it since the start."""

    folder: Path
    written: list[bytes] = field(default_factory=list)
    read: list[bytes] = field(default_factory=list)
    held: int = -1
    """What a writer keeps open."""

    def number(self, count: int) -> list[bytes]:
        """Return lines that are like no others, and shall be read."""
        start = len(self.written)
        lines = [b"Nov 21 15:00:00 host app[1]: this is line %06d" % number for number in range(start, start + count)]
        self.written.extend(lines)
        return lines


def write(scene: Scene, name: str, count: str = "3") -> None:
    """Append lines to a file."""
    with (scene.folder / name).open("ab") as file:
        file.write(b"".join(line + b"\n" for line in scene.number(int(count))))


def begin(scene: Scene, name: str) -> None:
    """Append the beginning of a line to a file."""
    with (scene.folder / name).open("ab") as file:
        file.write(b"beg")


def end(scene: Scene, name: str) -> None:
    """Append the end of that line."""
    scene.written.append(b"begun")
    with (scene.folder / name).open("ab") as file:
        file.write(b"un\n")


def hold(scene: Scene, name: str) -> None:
    """Open a file for appending as a writer does who keeps it open."""
    scene.held = os.open(scene.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def write_held(scene: Scene) -> None:
    """Append lines to what is held open, whatever its name is by now."""
    os.write(scene.held, b"".join(line + b"\n" for line in scene.number(3)))


def rename(scene: Scene, name: str, new: str) -> None:
    (scene.folder / name).rename(scene.folder / new)


def copy(scene: Scene, name: str, new: str) -> None:
    shutil.copyfile(scene.folder / name, scene.folder / new)


def compress(scene: Scene, name: str, new: str) -> None:
    """Do as gzip does: write a new file, and remove the old."""
    (scene.folder / new).write_bytes(gzip.compress((scene.folder / name).read_bytes()))
    (scene.folder / name).unlink()


def truncate(scene: Scene, name: str) -> None:
    os.truncate(scene.folder / name, 0)


def delete(scene: Scene, name: str) -> None:
    (scene.folder / name).unlink()


def link(scene: Scene, name: str, target: str) -> None:
    """Switch a symbolic link, at one stroke."""
    (scene.folder / "new-link").symlink_to(target)
    (scene.folder / "new-link").rename(scene.folder / name)


def create(scene: Scene, name: str, mode: str) -> None:
    """Make a file as a careless script does."""
    (scene.folder / name).touch()
    (scene.folder / name).chmod(int(mode, 8))


def chmod(scene: Scene, name: str, mode: str) -> None:
    (scene.folder / name).chmod(int(mode, 8))


def rotate(scene: Scene) -> None:
    """Do as logrotate does with `create`: the second file of old first."""
    if (scene.folder / "app.log.1").exists():
        rename(scene, "app.log.1", "app.log.2")
    rename(scene, "app.log", "app.log.1")
    create(scene, "app.log", "644")


def copytruncate(scene: Scene) -> None:
    """Do as logrotate does with `copytruncate`."""
    if (scene.folder / "app.log.1").exists():
        rename(scene, "app.log.1", "app.log.2")
    copy(scene, "app.log", "app.log.1")
    truncate(scene, "app.log")


ACTS: dict[str, Callable[..., None]] = {
    act.__name__: act
    for act in (
        *(write, begin, end, hold, write_held, rename, copy, compress, truncate, delete, link, create, chmod),
        *(rotate, copytruncate),
    )
}
"""What a step may do to files. Beside these there are `look`, a pause in which the source looks at everything at least
twice; `stop`, its end in good order; `start`, of another that is given its position; `save`, the moment at which values
and positions are written to the state file; and `kill`, an end at which all is lost that was not saved."""

ENDS = ("stop", "kill")


class PollingSource(PathSource):
    """As where inotify tells nothing, such as on NFS."""

    def watch(self) -> None:
        return


def make_source(
    folder: Path,
    pattern: str,
    settings: SourceSettings = SETTINGS,
    *,
    kind: type[PathSource] = PathSource,
    surroundings: Surroundings | None = None,
) -> PathSource:
    """Return the source of a pattern in `folder`."""
    return kind(PathPattern.parse(f"{folder}/{pattern}"), settings, surroundings)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a line in it."""
    path = tmp_path / "app.log"
    path.write_bytes(b"old\n")
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def follow(path: Path, settings: SourceSettings = SETTINGS, kind: type[PathSource] = PathSource) -> PathSource:
    """Return the source of one path."""
    return kind(PathPattern.of_path(str(path)), settings)


def count_of(source: PathSource, number: int = 0) -> SourceCounts:
    return source.parts[number].counts


async def look_again() -> None:
    """Let the source look at everything at least twice."""
    await trio.sleep(3 * SETTINGS.poll_interval_seconds)


async def read_briefly(source: PathSource) -> list[bytes]:
    """Return the lines that are there."""
    async with running(source) as collector:
        await look_again()
    return collector.lines


async def play(scene: Scene, pattern: str, text: str, kind: type[PathSource] = PathSource) -> None:
    """Read what `pattern` matches while the steps are taken that `text` lists."""
    steps = [step.strip() for step in text.split(",")]
    settings = replace(SETTINGS, read_positions="start" in steps)
    position: object = None
    for part in split(steps):
        surroundings = Surroundings(positions={f"{scene.folder}/{pattern}": position})
        source = make_source(scene.folder, pattern, settings, kind=kind, surroundings=surroundings)
        saved: tuple[str, int] | None = None
        with as_reader():
            async with running(source) as collector:
                for step in takewhile(lambda step: step not in ENDS, part):
                    if step == "save":
                        saved = json.dumps(source.position), len(collector.lines)
                    elif step == "look":
                        await look_again()
                    else:
                        take(step, scene)
        if "kill" not in part or saved is None:
            saved = json.dumps(source.position), len(collector.lines)
        position = json.loads(saved[0])
        scene.read.extend(collector.lines[: saved[1]])
        for step in list(dropwhile(lambda step: step not in ENDS, part))[1:]:
            take(step, scene)
    if scene.held >= 0:
        os.close(scene.held)


def take(step: str, scene: Scene) -> None:
    """Do something to files."""
    verb, *arguments = step.split()
    with as_writer():
        ACTS[verb](scene, *arguments)


def split(steps: Sequence[str]) -> list[list[str]]:
    """Return the steps from start to start."""
    parts: list[list[str]] = [[]]
    for step in steps:
        if step == "start":
            parts.append([])
        else:
            parts[-1].append(step)
    return parts


@contextmanager
def as_reader() -> Iterator[None]:
    """Be a user to whom the mode of a file matters."""
    is_root = os.geteuid() == 0
    if is_root:
        load_inotify()
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@contextmanager
def as_writer() -> Iterator[None]:
    """Be who we are, also inside of `as_reader`."""
    before = os.geteuid()
    os.seteuid(os.getuid())
    try:
        yield
    finally:
        os.seteuid(before)


@contextmanager
def open_folder() -> Iterator[Path]:
    """Give a folder that anybody may enter."""
    with tempfile.TemporaryDirectory(prefix="files-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def load_inotify() -> None:
    """Load the library, which may lie where others must not look."""
    watcher = Watcher()
    watcher.watch([])
    watcher.close()
