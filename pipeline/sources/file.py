"""A regular file, followed from its end while it grows, is truncated or rotated.

A file that is there when we start, is read from its end on: its lines may have been counted before.
What takes its place later is read from its start. These are mtail's rules (behaviour.md 2.3), with
what is recommended there: an unended last line is delivered, once, on rotation and truncation.
A renamed file is followed until its successor is there, and a deleted one is let go.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

import trio

from pipeline.batch import Deliver
from pipeline.errors import describe_os_error
from pipeline.settings import SourceSettings
from pipeline.sources.intake import Intake, drain
from pipeline.sources.waiting import yield_after
from pipeline.telemetry import SourceCounts
from pipeline.unix_socket import identify

logger = logging.getLogger(__name__)


class FileSource:
    """Follows one path."""

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        self.name = str(path)
        self.path = path
        self.counts = SourceCounts(os.fsencode(path))
        self.max_line_bytes = settings.max_line_bytes
        self.poll_seconds = settings.poll_interval_seconds
        self.descriptor: int | None = None
        self.whence = os.SEEK_END
        self.replaced = False

    def prepare(self) -> None:
        """Open the file at its end. One that cannot be opened is not an error: it is tried again and again."""
        self.open()

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        intake = Intake(self.counts, deliver, self.max_line_bytes)
        try:
            task_status.started()
            while True:
                if (size := self.read(intake)) or self.look_at_path(intake):
                    await trio.lowlevel.checkpoint()
                    await yield_after(size)
                else:
                    await trio.sleep(self.poll_seconds)
        except trio.Cancelled:
            if self.descriptor is not None:
                drain(self.descriptor, intake)
            raise
        finally:
            self.close()

    def open(self) -> bool:
        """Open the path, and return whether that went well; a failure is counted, the first one logged."""
        try:
            self.descriptor = open_regular(self.path)
        except FileNotFoundError:
            self.whence = os.SEEK_SET
            return False
        except OSError as error:
            self.report_failure(error)
            return False
        os.lseek(self.descriptor, 0, self.whence)
        self.whence = os.SEEK_SET
        self.replaced = False
        self.counts.opens += 1
        return True

    def read(self, intake: Intake) -> int:
        """Read once; return how many bytes there were."""
        return 0 if self.descriptor is None else intake.read(self.descriptor)

    def look_at_path(self, intake: Intake) -> bool:
        """Find out what became of the file whose end was reached; return whether to read on at once."""
        if self.descriptor is None:
            return self.open()
        ours = os.fstat(self.descriptor)
        if ours.st_size < os.lseek(self.descriptor, 0, os.SEEK_CUR):
            intake.finish()
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            self.counts.file_truncates += 1
            return True
        if self.replaced:
            intake.finish()
            self.close()
            return self.open()
        self.replaced = self.is_replaced(ours)
        return self.replaced  # it may have grown between the last read and its replacement

    def is_replaced(self, ours: os.stat_result) -> bool:
        """Return whether another file took the place of ours, or ours was deleted."""
        try:
            return identify(self.path.stat()) != identify(ours)
        except FileNotFoundError:
            return ours.st_nlink == 0
        except OSError as error:
            self.report_failure(error)
            return False

    def report_failure(self, error: OSError) -> None:
        """Count a failure to open or find the file; the first of a source is also logged."""
        self.counts.errors += 1
        if self.counts.errors == 1:
            logger.warning(
                "%s cannot be read: %s. It is tried again every %g s; more failures are only counted.",
                self.name,
                describe_os_error(error),
                self.poll_seconds,
            )

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
            self.counts.closes += 1


def open_regular(path: Path) -> int:
    """Open a regular file for reading; anything else is an `OSError`, and does not make us wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file")
