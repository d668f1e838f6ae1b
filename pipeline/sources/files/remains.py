"""Where the lines are of a file that was renamed while nobody looked, or truncated after a copy was made of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from pipeline.sources.files.identity import (
    HEAD_BYTES,
    MIN_COPY_BYTES,
    Identity,
    Mark,
    find_name,
    find_stem,
    is_name_of_copy,
)
from pipeline.sources.files.tail import open_regular
from pipeline.unix_socket import identify


@dataclass(slots=True)
class Folders:
    """What folders hold, listed once: after a restart thousands of files may be looked for at the same moment."""

    entries: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    def list_entries(self, folder: str) -> list[tuple[str, int]]:
        """Return the names in a folder with their inodes; none if it cannot be listed."""
        if folder not in self.entries:
            try:
                with os.scandir(folder) as entries:
                    self.entries[folder] = [(entry.name, entry.inode()) for entry in entries]
            except OSError:
                self.entries[folder] = []
        return self.entries[folder]


def open_remains(mark: Mark, known: Collection[Identity], folders: Folders) -> int | None:
    """Open the file that `mark` was made of, or else a copy of it, in the same folder; None if there is none.

    One of those `known` is read already.
    """
    for path in list_candidates(mark, folders):
        try:
            descriptor = open_regular(path)
        except OSError:
            continue
        status = os.fstat(descriptor)
        if identify(status) not in known and mark.fits(os.pread(descriptor, HEAD_BYTES, 0), status.st_size):
            return descriptor
        os.close(descriptor)
    return None


def list_candidates(mark: Mark, folders: Folders) -> Iterator[str]:
    """Return paths where it may be: first that of the same file under another name, then those of copies."""
    folder = mark.path.rpartition("/")[0]
    entries = folders.list_entries(folder or "/")
    stem = find_stem(find_name(mark.path))
    copies = [(name, inode) for name, inode in entries if name.startswith(stem) and is_name_of_copy(name, mark.path)]
    # Of an empty file the inode alone would say too little.
    for name, inode in entries if mark.fingerprint.length else copies:
        if inode == mark.identity[1]:
            yield f"{folder}/{name}"
    if mark.fingerprint.length >= MIN_COPY_BYTES:
        for name, inode in copies:
            if inode != mark.identity[1]:
                yield f"{folder}/{name}"
