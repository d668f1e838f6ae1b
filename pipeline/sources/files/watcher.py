"""inotify(7): tells at once when something happens in a folder. Looking at intervals finds the same, later.

The library for it is imported when the first folder is to be watched: it takes 10 ms, which a daemon that reads pipes
and sockets is spared.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import trio

if TYPE_CHECKING:
    from inotify_simple import INotify

EVENT_BYTES = 64 * 1024
"""How much is taken from the kernel's queue at once: at least 200 events, at most 4,000."""


class Change(NamedTuple):
    """Something that happened to what is at `path`; "" is for any path, when the kernel lost count."""

    path: str
    is_content: bool
    """Whether only its content has changed."""


@dataclass(slots=True)
class News:
    """What has happened: renames, from path to path, in their order."""

    changes: set[Change] = field(default_factory=set)
    renames: list[tuple[str, str]] = field(default_factory=list)


class Watcher:
    """Watches folders; the kernel puts events of the same kind together until we ask."""

    def __init__(self) -> None:
        self.inotify: INotify | None = None
        self.folders: dict[int, set[str]] = {}
        """By the number of a watch, the paths by which its folder is known: links may lead to it."""

    def watch(self, folders: Collection[str]) -> None:
        """Watch these folders and no others. What is not there is not watched; other trouble is an `OSError`."""
        from inotify_simple import INotify, flags

        if self.inotify is None:
            self.inotify = INotify(nonblocking=True)
        mask = flags.MODIFY | flags.ATTRIB | flags.CREATE | flags.DELETE | flags.DELETE_SELF
        mask |= flags.MOVED_FROM | flags.MOVED_TO | flags.MOVE_SELF | flags.ONLYDIR
        watched: dict[int, set[str]] = {}
        trouble = None
        for folder in folders:
            try:
                # A folder may have been replaced by another of its name, so each is named anew: 3 µs.
                watched.setdefault(self.inotify.add_watch(folder, mask), set()).add(folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                trouble = error
        for number in self.folders.keys() - watched.keys():
            with suppress(OSError):  # the kernel ends the watch of a folder that is deleted
                self.inotify.rm_watch(number)
        self.folders = watched
        if trouble is not None:
            raise trouble

    async def wait(self) -> News:
        """Return what has happened, as soon as something has."""
        if self.inotify is None:
            await trio.sleep_forever()
        await trio.lowlevel.wait_readable(self.inotify.fileno())
        return self.read()

    def read(self) -> News:
        """Return what has happened."""
        from inotify_simple import flags, parse_events

        news = News()
        if self.inotify is None:
            return news
        with suppress(BlockingIOError):
            moved: dict[int, list[str]] = {}
            for event in parse_events(os.read(self.inotify.fileno(), EVENT_BYTES)):
                paths = self.find_paths(event.wd, event.name)
                news.changes.update(Change(path, event.mask == flags.MODIFY) for path in paths)
                if event.mask & flags.MOVED_FROM:
                    moved[event.cookie] = paths
                elif event.mask & flags.MOVED_TO:
                    news.renames.extend((old, paths[0]) for old in moved.pop(event.cookie, ()))
        return news

    def find_paths(self, number: int, name: str) -> list[str]:
        """Return the paths of something in the folder of a watch, "" for one that we do not know (any more)."""
        folders = self.folders.get(number)
        if folders is None:
            return [""]
        return [f"{folder.removesuffix('/')}/{name}" if name else folder for folder in folders]

    def close(self) -> None:
        if self.inotify is not None:
            self.inotify.close()
            self.inotify = None
        self.folders = {}
