"""The files of a spool: segments of records, how far they were delivered, and a lock.

::

    00000000000000000042.log    records from number 42 on, as `entry` spells them
    position                    checksum, identity of the spool, number of the first record that is not delivered
    lock                        held by whoever uses the folder
    00000000000000000007.log.damaged    a segment with records that could not be read, for somebody to look at

What does not look like these is left alone. All of it is for our user only: messages may hold what is private.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from pipeline.errors import SettingError, describe_os_error
from pipeline.metlog.endpoints.entry import IDENTITY_BYTES, make_identity

FOLDER_MODE = 0o700
FILE_MODE = 0o600

SEGMENT_NAME = re.compile(r"(\d{20})\.log")
DAMAGED = ".damaged"
# Somebody who looks for the cause needs one or two of them, and they take room of the disk.
MAX_SET_ASIDE = 4

COUNT_BYTES = 1024 * 1024


@dataclass(slots=True, eq=False)
class Segment:
    """One file of records. Its first `read` bytes, with `given` records, have been taken into memory."""

    path: Path
    first: int
    """No record has a smaller number."""
    size: int = 0
    records: int = 0
    read: int = 0
    given: int = 0
    is_damaged: bool = False

    @property
    def unread(self) -> int:
        """How many of its records are on disk alone."""
        return self.records - self.given


@dataclass(frozen=True, slots=True)
class Position:
    """How far an earlier run has delivered, and whose numbers these are."""

    identity: bytes
    number: int


class SpoolFolder:
    """The folder of one spool. What it does may wait for the disk, and raise `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock: int | None = None
        self.descriptor: int | None = None
        """Of the file with the position."""

    def open(self) -> Position:
        """Be the only one to use it, and return how far an earlier run came; `SettingError` if it cannot be used."""
        try:
            if not self.path.exists():
                self.path.mkdir(FOLDER_MODE)
                sync_folder(self.path.parent)
            self.lock = self.open_file("lock")
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.descriptor = self.open_file("position")
            position = read_position(os.pread(self.descriptor, COUNT_BYTES, 0))
            self.write_position(position)
        except BlockingIOError as error:
            self.close()
            raise SettingError(f"Somebody already uses the spool {self.path}.") from error
        except OSError as error:
            self.close()
            raise SettingError(f"The spool {self.path} cannot be used: {describe_os_error(error)}.") from error
        return position

    def open_file(self, name: str) -> int:
        """Return a descriptor of a file that is made if it is not there."""
        return os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)

    def write_position(self, position: Position) -> None:
        """Note how far was delivered. The text has always the same length, in one sector of the disk."""
        assert self.descriptor is not None, "open() comes first"
        rest = b"%b %020d" % (position.identity.hex().encode(), position.number)
        os.pwrite(self.descriptor, b"%08x %b\n" % (crc32(rest), rest), 0)

    def list_segments(self) -> list[Segment]:
        """Return the segments that an earlier run has left, in order."""
        segments = []
        for path in sorted(self.path.iterdir()):
            name = SEGMENT_NAME.fullmatch(path.name)
            if name is not None and path.is_file() and not path.is_symlink():
                segments.append(Segment(path, int(name[1]), path.stat().st_size, count_lines(path)))
        return segments

    def make_segment(self, first: int) -> Segment:
        """Return a segment that is not there yet."""
        return Segment(self.path / f"{first:020}.log", first)

    def remove(self, segment: Segment) -> None:
        """Remove a segment, or set it aside for somebody to look at if it is damaged."""
        if not segment.is_damaged:
            segment.path.unlink(missing_ok=True)
            return
        with suppress(FileNotFoundError):
            segment.path.rename(segment.path.with_name(segment.path.name + DAMAGED))
        for old in sorted(self.path.glob(f"*{DAMAGED}"))[:-MAX_SET_ASIDE]:
            old.unlink(missing_ok=True)

    def sync(self) -> None:
        """Bring the position, and the names of the files, to the disk."""
        if self.descriptor is not None:
            os.fsync(self.descriptor)
        sync_folder(self.path)

    def close(self) -> None:
        """Let others use it."""
        for descriptor in (self.descriptor, self.lock):
            if descriptor is not None:
                os.close(descriptor)
        self.descriptor = self.lock = None


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_position(text: bytes) -> Position:
    """Return what the file says; if it says nothing that holds, a new identity and the very beginning."""
    crc, _, rest = text.partition(b"\n")[0].partition(b" ")
    identity, _, number = rest.partition(b" ")
    if crc == b"%08x" % crc32(rest) and len(identity) == 2 * IDENTITY_BYTES and number.isdigit():
        return Position(bytes.fromhex(identity.decode()), int(number))
    return Position(make_identity(), 0)


def count_lines(path: Path) -> int:
    """Return how many line feeds a file has."""
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(COUNT_BYTES), b""))


def read_part(path: Path, offset: int, size: int) -> bytes:
    """Return a part of a file."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
