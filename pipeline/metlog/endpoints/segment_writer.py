"""Writes the last segment of a spool, and brings to the disk what was written, beside everything else.

The kernel has what `write` was given when it returns. When the disk has it, is a matter of `fsync`: `always` begins
with it at once, for all that came meanwhile together; `interval` a second later; `never` leaves it to the kernel.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic

import trio

from pipeline.errors import describe_os_error
from pipeline.metlog.endpoints.spool_folder import FILE_MODE, SpoolFolder
from pipeline.rate_limit import RateLimit

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
WARNING_SECONDS = 60


class SegmentWriter:
    """Has the last segment open. `synced` is the number of the last record that is safe from a power failure."""

    def __init__(self, folder: SpoolFolder, fsync: str) -> None:
        self.folder = folder
        self.is_syncing = fsync != "never"
        self.delay = INTERVAL_SECONDS if fsync == "interval" else 0.0
        self.descriptor: int | None = None
        self.ended: list[int] = []
        """Descriptors of segments that are ended, but not on the disk yet."""
        self.written = -1
        self.synced = -1
        self.wake = trio.Event()
        self.warnings = RateLimit(WARNING_SECONDS)

    def begin(self, path: Path, *, is_new: bool) -> None:
        """Have a segment open to write behind what it has."""
        flags = os.O_CREAT | os.O_EXCL if is_new else 0
        self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | flags, FILE_MODE)

    def write(self, data: bytes, size: int, number: int) -> None:
        """Write all of `data`, or leave the segment at `size` and raise `OSError`; `number` is that of the last."""
        assert self.descriptor is not None, "begin() comes first"
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        except OSError:
            os.ftruncate(self.descriptor, size)
            raise
        self.written = number
        self.wake.set()

    def end(self) -> None:
        """Close the segment, when the disk has it."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is None:
            return
        if self.is_syncing:
            self.ended.append(descriptor)
            self.wake.set()
        else:
            os.close(descriptor)

    async def run(self) -> None:
        """Bring to the disk what is written, until cancelled."""
        while self.is_syncing:
            await self.wake.wait()
            await trio.sleep(self.delay)
            self.wake = trio.Event()
            await self.sync()
        await trio.sleep_forever()

    async def sync(self) -> None:
        """Bring to the disk what is written, in a thread: a busy disk may take seconds."""
        number = self.written
        try:
            descriptors = self.take_out()
        except OSError as error:  # there is no descriptor left; the next time there may be
            self.warn(error)
            return
        if await trio.to_thread.run_sync(self.sync_all, descriptors, abandon_on_cancel=True):
            self.synced = number

    def take_out(self) -> list[int]:
        """Return descriptors of what is to be synced, which the caller closes."""
        last = [] if self.descriptor is None else [os.dup(self.descriptor)]
        descriptors, self.ended = [*self.ended, *last], []
        return descriptors

    def sync_all(self, descriptors: list[int]) -> bool:
        """Bring these to the disk and close them; return whether that went well. It may be run in a thread."""
        steps: list[Callable[[], None]] = [*(partial(sync_and_close, one) for one in descriptors), self.folder.sync]
        failed = [step for step in steps if not self.try_sync(step)]
        return not failed

    def try_sync(self, step: Callable[[], None]) -> bool:
        """Do a step, and return whether that went well."""
        try:
            step()
        except OSError as error:
            self.warn(error)
            return False
        return True

    def warn(self, error: OSError) -> None:
        """Log that the disk did not take what was written; not each time, which may be a thousand times a second."""
        if self.warnings.admit(int(monotonic())) is not None:
            logger.warning("The spool %s was not brought to the disk: %s.", self.folder.path, describe_os_error(error))

    def close(self) -> None:
        """Bring all to the disk and close it."""
        self.end()
        if self.is_syncing and self.sync_all(self.take_out()):
            self.synced = self.written


def sync_and_close(descriptor: int) -> None:
    """Bring a file to the disk, and close it in any case. Raises `OSError`, which closing may do too."""
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
