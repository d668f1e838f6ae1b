"""A named pipe, always held open for reading and writing, so that writers come and go.

While somebody holds a pipe it has no end of file and loses nothing between two writers: rsyslog's
omfile onto a pipe that is held lost and doubled no message when its reader restarted; on a pipe that nobody
held it lost 1 and doubled 111 (measured).
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import trio

from pipeline.batch import Deliver
from pipeline.errors import SettingError, describe_os_error
from pipeline.settings import SourceSettings
from pipeline.sources.intake import Intake, drain, widen_pipe
from pipeline.sources.waiting import read_to_end
from pipeline.telemetry import SourceCounts

PIPE_MODE = 0o660
"""Of a pipe that we make: its owner and its group may write, a stranger may not."""


class FifoSource:
    """Reads one named pipe; makes it where nothing is."""

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        self.name = str(path)
        self.path = path
        self.counts = SourceCounts(os.fsencode(path))
        self.max_line_bytes = settings.max_line_bytes
        self.descriptor: int | None = None

    def prepare(self) -> None:
        try:
            make_pipe(self.path)
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            is_pipe = stat.S_ISFIFO(os.fstat(self.descriptor).st_mode)
        except OSError as error:
            raise SettingError(f"The pipe {self.path} cannot be opened: {describe_os_error(error)}.") from error
        if not is_pipe:
            self.close()
            raise SettingError(f"{self.path} is not a named pipe.")
        widen_pipe(self.descriptor)

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        assert self.descriptor is not None, "prepare() comes first"
        intake = Intake(self.counts, deliver, self.max_line_bytes)
        try:
            task_status.started()
            await read_to_end(self.descriptor, intake)
        except trio.Cancelled:
            drain(self.descriptor, intake)
            raise
        finally:
            self.close()

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def make_pipe(path: Path) -> None:
    """Make a named pipe with `PIPE_MODE`, whatever the umask, unless something is there."""
    with suppress(FileExistsError):
        os.mkfifo(path, PIPE_MODE)
        path.chmod(PIPE_MODE)
