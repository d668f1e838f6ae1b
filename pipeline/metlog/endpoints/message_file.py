"""A file that grows by whole lines, and that others rotate. What is here may wait for the disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from pipeline.ownership import KEEP


class MessageFile:
    """Opened where it is needed: at first, after `reopen`, and when another file, or none, is in its place."""

    def __init__(self, path: Path, mode: int, group: int = KEEP, *, is_synced: bool = False) -> None:
        """`mode` and `group` are for a file that we make; one that is there keeps its own.

        With `is_synced` lines are written when they are on the disk.
        """
        self.path = path
        self.mode = mode
        self.group = group
        self.is_synced = is_synced
        self.descriptor: int | None = None
        self.is_stale = False
        self.is_torn = False
        """Its end is no line feed: somebody, or an earlier run, was interrupted."""

    def open(self) -> None:
        """Have it open. Raises `OSError`."""
        if self.descriptor is not None and (self.is_stale or not self.is_in_place(self.descriptor)):
            self.close()
        self.is_stale = False
        if self.descriptor is not None:
            return
        descriptor = self.make() or open_file(self.path)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is no file that grows")
            self.is_torn = status.st_size > 0 and os.pread(descriptor, 1, status.st_size - 1) != b"\n"
        except BaseException:
            os.close(descriptor)
            raise
        self.descriptor = descriptor

    def make(self) -> int | None:
        """Make the file and return its descriptor; None if there is one."""
        try:
            descriptor = open_file(self.path, os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return None
        try:
            # Our unit forbids the call, even if it changes nothing; there the folder gives the group (setgid).
            if self.group not in (KEEP, os.fstat(descriptor).st_gid):
                os.fchown(descriptor, KEEP, self.group)
            os.fchmod(descriptor, self.mode)
        except OSError:
            os.close(descriptor)
            self.path.unlink()
            raise
        return descriptor

    def is_in_place(self, descriptor: int) -> bool:
        """Return whether the file that is open is the one that the path leads to."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(descriptor))

    def write(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write lines, in one go; return how many are there as a whole, and why the others are not."""
        try:
            self.open()
            assert self.descriptor is not None, "it is open"
            return self.append(self.descriptor, lines)
        except OSError as error:
            return 0, error

    def append(self, descriptor: int, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write lines behind what is there, without a part of one at the end."""
        before = os.fstat(descriptor).st_size
        start = b"\n" if self.is_torn else b""
        written, failure = write_all(descriptor, start + b"".join(line + b"\n" for line in lines))
        self.is_torn = self.is_torn and not written
        count, whole = count_whole(lines, written - len(start))
        kept = len(start) + whole if written else 0
        if kept < written:
            self.is_torn = not cut(descriptor, before + written, before + kept)
        if self.is_synced:
            try:
                os.fsync(descriptor)
            except OSError:  # all of it comes again
                cut(descriptor, before + kept, before + min(kept, len(start)))
                raise
        return count, failure

    def sync(self) -> None:
        """Bring what was written to the disk."""
        if self.descriptor is not None:
            os.fsync(self.descriptor)

    def close(self) -> None:
        """Close it. The next write opens it again."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def open_file(path: Path, flags: int = 0) -> int:
    """Return a descriptor that writes at the end of a file. It does not wait for readers of a pipe."""
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | flags, 0o600)


def write_all(descriptor: int, data: bytes) -> tuple[int, OSError | None]:
    """Return how many bytes were written, and why not all."""
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])
    except OSError as error:
        return written, error
    return written, None


def cut(descriptor: int, expected: int, size: int) -> bool:
    """Shorten a file to `size`, unless somebody else has changed it meanwhile; return whether it was as expected."""
    if os.fstat(descriptor).st_size != expected:
        return False
    os.ftruncate(descriptor, size)
    return True


def count_whole(lines: Sequence[bytes], size: int) -> tuple[int, int]:
    """Return how many lines are whole in the first `size` bytes, and how long these are together."""
    count = whole = 0
    for line in lines:
        if whole + len(line) + 1 > size:
            break
        whole += len(line) + 1
        count += 1
    return count, whole
