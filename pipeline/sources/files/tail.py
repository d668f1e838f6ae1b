"""One open file, read from some place to its end and on.

A tail stays with its file, whatever the file is called meanwhile: what is renamed is read on, and so is what is
deleted, as long as somebody writes to it.
"""

from __future__ import annotations

import errno
import os
import stat

from pipeline.sources.files.identity import HEAD_BYTES, Fingerprint, Identity, Mark
from pipeline.sources.intake import READ_BUFFER, Intake
from pipeline.unix_socket import identify

SKIP_BYTES = 64 * 1024
"""In how much of a file's beginning the end of a hole is looked for; data begins with a block of 4 KiB or so."""


class Tail:
    """Reads one descriptor. It is not ready before `name` and `begin` were called."""

    path: str
    """What its lines are named after: where the file was found first."""
    intake: Intake

    def __init__(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self.descriptor = descriptor
        self.identity: Identity = identify(status)
        self.size = status.st_size
        self.head = os.pread(descriptor, HEAD_BYTES, 0)
        """How the file began when it was looked at last; compared to see whether it was begun anew."""
        self.looked_at = (status.st_size, status.st_mtime_ns)
        self.offset = 0
        self.line_end = 0
        """Where the last whole line ends that was delivered."""
        self.lag = 0
        self.is_accepted = False
        """Whether it is known to be a log, and no copy or compressed."""
        self.is_copy = False
        """Whether it is the copy of a file that was truncated, read for the lines that were lost there."""
        self.has_failed = False
        self.gone_since: float | None = None
        """Since when it is not at a path that we read."""
        self.grown_at = 0.0
        self.predecessors: list[Tail] = []
        """The files that were here before: they are read to their end first."""

    @property
    def mark(self) -> Mark:
        begun = self.intake.begun_records
        return Mark(self.path, self.identity, Fingerprint.of(self.head), self.line_end, self.head, begun)

    def name(self, path: str, intake: Intake) -> None:
        """Send lines this way, and name them after `path`."""
        self.path = path
        self.intake = intake
        if intake.records is not None:
            intake.records.has_more = self.is_behind
        intake.counts.opens += 1

    def begin(self, offset: int) -> None:
        """Read from `offset` on."""
        self.offset = self.line_end = offset
        self.note_lag()

    def look(self) -> os.stat_result:
        """Find out how large the file is now."""
        status = os.fstat(self.descriptor)
        self.size = status.st_size
        self.note_lag()
        return status

    def is_begun_anew(self, status: os.stat_result) -> bool:
        """Return whether other lines are in the file than those that were read.

        It was truncated, then. If it has grown beyond the old place since, its beginning tells.
        """
        if status.st_size < self.offset:
            return True
        now = (status.st_size, status.st_mtime_ns)
        if now == self.looked_at:
            return False
        head = os.pread(self.descriptor, HEAD_BYTES, 0)
        if not head.startswith(self.head):
            return True
        self.head, self.looked_at = head, now
        if not self.offset and head.startswith(b"\0"):
            self.begin(find_data(self.descriptor))
        return False

    def start_over(self) -> None:
        """Forget what was read, and what was begun with it."""
        self.intake.forget()
        self.head = b""
        self.looked_at = (-1, -1)
        self.begin(find_data(self.descriptor))

    def waits(self) -> bool:
        """Return whether a file that was here before has more to read; ask after a look at this one.

        What is in this file then was written after all that is in the other, so records that have begun there end.
        """
        if any(before.is_behind() for before in self.predecessors):
            return True
        if self.lag:
            for before in self.predecessors:
                before.intake.end_records()
            self.predecessors = []
        return False

    def is_behind(self) -> bool:
        """Return whether there is more to read. A file that is closed or fails is not waited for."""
        try:
            self.look()
        except OSError:
            return False
        return self.lag > 0 and not self.has_failed

    def read(self) -> int:
        """Read and deliver one batch; return how many bytes it had."""
        size = os.preadv(self.descriptor, (READ_BUFFER,), self.offset)
        self.intake.counts.bytes_read += size
        last_line = READ_BUFFER.rfind(b"\n", 0, size) + 1
        self.intake.feed(READ_BUFFER, size)
        if last_line:
            self.line_end = self.offset + last_line
        self.offset += size
        self.has_failed = False
        self.note_lag()
        return size

    def note_lag(self) -> None:
        """Count how far behind we are. Two tails of one path count together."""
        lag = max(0, self.size - self.offset)
        self.intake.counts.lag_bytes += lag - self.lag
        self.lag = lag

    def finish(self) -> None:
        """Deliver the unended last line, if there is one, and records that have begun."""
        self.intake.finish()
        self.line_end = self.offset

    def close(self) -> None:
        """Let go of the file. What lags is not waited for any more; what is begun is left to whoever has its mark."""
        self.intake.forget()
        os.close(self.descriptor)
        self.descriptor = -1
        self.intake.counts.closes += 1
        self.intake.counts.lag_bytes -= self.lag
        self.lag = 0


def open_regular(path: str) -> int:
    """Open a regular file for reading; anything else is an `OSError`, and does not make us wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file")


def find_data(descriptor: int) -> int:
    """Return where the first byte is that is not NUL, 0 if none is near.

    A writer that does not open its log for appending goes on at its old place after a truncation, and leaves a
    hole before it. What was written since is behind the hole.
    """
    try:
        start = os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError:  # nothing but a hole, or an empty file
        return 0
    found = os.pread(descriptor, SKIP_BYTES, start)
    text = found.lstrip(b"\0")
    return start + len(found) - len(text) if text else 0
