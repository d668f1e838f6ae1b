"""Standard input, read to its end: a pipe, a terminal, a socket or a file.

The descriptor is left blocking, because that setting is shared with whoever else holds the same
pipe or terminal. It is read only when it is readable.
"""

from __future__ import annotations

import os
import select
import stat

import trio

from pipeline.batch import Deliver
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources.intake import MAX_DRAIN_BYTES, STDIN, Intake, widen_pipe
from pipeline.sources.waiting import yield_after
from pipeline.telemetry import SourceCounts


class StdinSource:
    """Reads standard input once. `name` is as the operator wrote it: `-` or `/dev/stdin`."""

    def __init__(self, name: str, settings: SourceSettings, descriptor: int = STDIN) -> None:
        self.name = name
        self.counts = SourceCounts(os.fsencode(name))
        self.max_line_bytes = settings.max_line_bytes
        self.descriptor = descriptor

    def prepare(self) -> None:
        try:
            status = os.fstat(self.descriptor)
        except OSError as error:
            raise SettingError("Standard input is closed, so no lines can be read from it.") from error
        if stat.S_ISDIR(status.st_mode):
            raise SettingError("Standard input is a directory, so no lines can be read from it.")
        if stat.S_ISFIFO(status.st_mode):
            widen_pipe(self.descriptor)

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        intake = Intake(self.counts, deliver, self.max_line_bytes)
        try:
            task_status.started()
            await self.wait_readable()
            while size := intake.read(self.descriptor):
                await yield_after(size)
                await self.wait_readable()
        except trio.Cancelled:
            self.drain(intake)
            raise
        intake.finish()

    async def wait_readable(self) -> None:
        """Wait until a read would not block. A file is always readable, and epoll refuses it."""
        try:
            await trio.lowlevel.wait_readable(self.descriptor)
        except PermissionError:
            await trio.lowlevel.checkpoint()

    def drain(self, intake: Intake) -> None:
        """Deliver what can be read now without waiting, and the unended last line."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        remaining = MAX_DRAIN_BYTES
        while remaining > 0 and poll.poll(0) and (size := intake.read(self.descriptor)):
            remaining -= size
        intake.finish()

    def close(self) -> None:
        """Standard input stays open: it is not ours."""
