"""Standard input, read to its end: a pipe, a terminal, a socket or a file.

The descriptor is left blocking, because that setting is shared with whoever else holds the same
pipe or terminal. It is read only when it is readable.
"""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress

import trio

from pipeline.batch import Deliver
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources.intake import MAX_DRAIN_BYTES, STDIN, Intake, count_readable, count_waiting, widen_pipe
from pipeline.sources.single_source import SingleSource
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.waiting import yield_after


class StdinSource(SingleSource):
    """Reads standard input once. `name` is as the operator wrote it: `-` or `/dev/stdin`."""

    def __init__(
        self,
        name: str,
        settings: SourceSettings,
        surroundings: Surroundings | None = None,
        *,
        descriptor: int = STDIN,
    ) -> None:
        super().__init__(name, settings, surroundings)
        self.descriptor = descriptor

    @property
    def descriptors(self) -> tuple[int, ...]:
        return (self.descriptor,)

    @property
    def waiting_bytes(self) -> int | None:
        return count_waiting(self.descriptors)

    def prepare(self) -> None:
        self.surroundings.add_counts(self.counts)
        try:
            status = os.fstat(self.descriptor)
        except OSError as error:
            raise SettingError("Standard input is closed, so no lines can be read from it.") from error
        if stat.S_ISDIR(status.st_mode):
            raise SettingError("Standard input is a directory, so no lines can be read from it.")
        if stat.S_ISFIFO(status.st_mode):
            widen_pipe(self.descriptor)

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        intake = self.make_intake(deliver)
        intake.follow(self.descriptor)
        try:
            task_status.started()
            await self.wait_readable()
            while size := self.read(intake):
                await yield_after(size, self.surroundings.wait_room)
                await self.wait_readable()
        except trio.Cancelled:
            self.drain(intake)
            raise
        except OSError:
            intake.finish()
            raise
        intake.finish()

    def read(self, intake: Intake) -> int:
        """Read what is there, and deliver; 0 at the end, as which counts that the writer of a socket has reset it."""
        try:
            return intake.read(self.descriptor)
        except ConnectionResetError:
            return 0

    async def wait_readable(self) -> None:
        """Wait until a read would not block. A file is always readable, and epoll refuses it."""
        try:
            await trio.lowlevel.wait_readable(self.descriptor)
        except PermissionError:
            await trio.lowlevel.checkpoint()

    def drain(self, intake: Intake) -> None:
        """Deliver what can be read now without waiting, and the unended last line."""
        remaining = MAX_DRAIN_BYTES
        while is_ready(self.descriptor, select.POLLIN):
            if remaining <= 0 or not self.surroundings.may_drain():
                with suppress(OSError):  # a device need not know how much it holds
                    self.counts.bytes_left += count_readable(self.descriptor)
                break
            size = self.read(intake)
            if not size:
                break
            remaining -= size
        intake.finish()

    def close(self) -> None:
        """Standard input stays open: it is not ours."""


def is_ready(descriptor: int, event: int) -> bool:
    """Return whether a descriptor is readable (`POLLIN`) or writable (`POLLOUT`) now; without its other end it is."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(0))
