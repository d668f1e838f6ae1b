"""How a file is known again, whatever it is called by then. Pure.

A name says little: rotation gives it to another file. Device and inode say which file it is, but after a
file is deleted its inode may serve for a new one, and after a truncation it is the same file with other lines.
So the beginning of the file decides: its first bytes, or a hash of them where they have to be written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TypeAlias

HEAD_BYTES = 1024
"""What is compared of a file's beginning. A log line begins with its time, so a few lines would do."""

MIN_COPY_BYTES = 64
"""Files that have less than this in common are not taken for copies: a line of syslog is about as long, and two
programs may well begin their logs with the same word."""

Identity: TypeAlias = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The beginning of a file, hashed."""

    length: int
    digest: str

    @classmethod
    def of(cls, head: bytes) -> Fingerprint:
        return cls(len(head), sha256(head).hexdigest())

    def matches(self, head: bytes) -> bool:
        """Return whether a file that begins with `head` began in this way, too."""
        return len(head) >= self.length and sha256(head[: self.length]).hexdigest() == self.digest


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file has been read: up to the end of its last whole line.

    `path` is what its lines are named after. `head` is known of what this run has read. `records` are those that had
    begun by then, as `sources/records` spells them: their lines were read and not delivered.
    """

    path: str
    identity: Identity
    fingerprint: Fingerprint
    offset: int
    head: bytes | None = field(default=None, compare=False, repr=False)
    records: Sequence[Mapping[str, object]] = field(default=(), compare=False, repr=False)

    def fits(self, head: bytes, size: int) -> bool:
        """Return whether a file of `size` bytes that begins with `head` can be gone on with."""
        return size >= self.offset and self.fingerprint.matches(head)

    def is_copied_by(self, path: str, head: bytes) -> bool:
        """Return whether the file at `path`, which begins with `head`, is a copy of the one that was read."""
        if not is_name_of_copy(path, self.path):
            return False
        if self.head is None:
            known = self.fingerprint.length
            is_same = self.fingerprint.matches(head)
        else:
            known = min(len(self.head), len(head))
            is_same = self.head[:known] == head[:known]
        return known >= MIN_COPY_BYTES and is_same

    def spell(self) -> dict[str, object]:
        """Return it as JSON can write it."""
        spelled: dict[str, object] = {
            "path": self.path,
            "device": self.identity[0],
            "inode": self.identity[1],
            "fingerprint": [self.fingerprint.length, self.fingerprint.digest],
            "offset": self.offset,
        }
        if self.records:
            spelled["records"] = list(self.records)
        return spelled


def has_position(position: object) -> bool:
    """Return whether an earlier run has left a position, if only of no files."""
    return isinstance(position, dict) and isinstance(position.get("files"), list)


def read_marks(position: object, key: str = "files") -> list[Mark]:
    """Return the marks that a position holds under `key`; what is none of ours is left out."""
    if not isinstance(position, dict) or not isinstance(files := position.get(key), list):
        return []
    return [mark for entry in files if (mark := read_mark(entry)) is not None]


def read_mark(entry: object) -> Mark | None:
    """Return what `Mark.spell` wrote, None if it is something else."""
    match entry:
        case {
            "path": str(path),
            "device": int(device),
            "inode": int(inode),
            "fingerprint": [int(length), str(digest)],
            "offset": int(offset),
            **others,
        } if length >= 0 and offset >= 0:
            records = others.get("records")
            found = Mark(path, (device, inode), Fingerprint(length, digest), offset)
            return replace(found, records=records) if isinstance(records, list) else found
        case _:
            return None


def is_name_of_copy(path: str, original: str) -> bool:
    """Return whether logrotate might name a copy of `original` so: `app.log.1`, `app.log-20261121`, `app-20261121.log`.

    The folder does not matter.
    """
    name, known = find_name(path), find_name(original)
    return len(name) > len(known) and name.startswith(find_stem(known))


def find_name(path: str) -> str:
    """Return the last part of a path. Each new file is compared with all that are known: a `PurePath` takes 5 µs."""
    return path[path.rfind("/") + 1 :]


def find_stem(name: str) -> str:
    """Return a name without its ending."""
    dot = name.rfind(".")
    return name[:dot] if 0 < dot < len(name) - 1 else name
