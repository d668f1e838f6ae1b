"""A named pipe, always held open for reading and writing, so that writers come and go.

While somebody holds a pipe it has no end of file and loses nothing between two writers: rsyslog's
omfile onto a pipe that is held lost and doubled no message when its reader restarted; on a pipe that nobody
held it lost 1 and doubled 111 (measured).

A pipe may be removed and made anew while we hold it, by hand or by systemd-tmpfiles; who opens the path from then on
writes into another one. So we look at the path now and then. The pipe that is there is read, and the
earlier one is read on until its last writer has gone.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

import trio

from pipeline.batch import Deliver
from pipeline.descriptors import PIPE_NAME, identify_descriptor
from pipeline.errors import SettingError, describe_os_error
from pipeline.ownership import Ownership
from pipeline.settings import SourceSettings
from pipeline.sources.intake import count_waiting, drain, widen_pipe
from pipeline.sources.single_source import SingleSource
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.waiting import read_to_end
from pipeline.unix_socket import identify

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often the path is looked at. A writer that finds no reader waits longer than that before it tries again:
rsyslog 30 s, syslog-ng 60 s. A look costs some microseconds."""


class HeldPipe:
    """A pipe that we hold open. Whoever removes it from the path calls `retire`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.reading = trio.CancelScope()

    def retire(self) -> None:
        """Go on reading to the end, which comes when the last writer has gone."""
        self.reading.cancel()


class FifoSource(SingleSource):
    """Reads one named pipe. Makes it where nothing is, unless `makes` is false."""

    def __init__(
        self, path: Path, settings: SourceSettings, surroundings: Surroundings | None = None, *, makes: bool = True
    ) -> None:
        super().__init__(str(path), settings, surroundings)
        self.path = path
        self.makes = makes
        self.ownership = Ownership.of(settings)
        self.pipes: list[HeldPipe] = []
        """What we hold; the last is the one at the path."""
        self.trouble = ""
        """What was last said about the path."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        return tuple(pipe.descriptor for pipe in self.pipes)

    @property
    def waiting_bytes(self) -> int | None:
        return count_waiting(self.descriptors)

    @property
    def descriptor(self) -> int | None:
        """That of the pipe at the path."""
        return self.pipes[-1].descriptor if self.pipes else None

    def prepare(self) -> None:
        self.surroundings.add_counts(self.counts)
        descriptors = self.surroundings.descriptors
        passed = descriptors.take_pipe(self.path)
        try:
            for earlier in descriptors.take_earlier_pipes(self.path):
                self.hold(earlier).retire()
            self.hold(self.open() if passed is None else keep_open(passed))
        except OSError as error:
            self.close()
            raise SettingError(f"The pipe {self.path} cannot be opened: {describe_os_error(error)}.") from error
        except SettingError:
            self.close()
            raise

    def open(self) -> int:
        """Make the pipe where nothing is, and open it. Raises `SettingError` where something else is."""
        if self.makes:
            make_pipe(self.path, self.ownership)
        descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise SettingError(f"{self.path} is not a named pipe.")

    def hold(self, descriptor: int) -> HeldPipe:
        """Have a pipe among those that are read. Raises `SettingError` if it is among those of another source."""
        claim_pipe(descriptor, self.path)
        widen_pipe(descriptor)
        self.surroundings.descriptors.store(descriptor, PIPE_NAME)
        pipe = HeldPipe(descriptor)
        self.pipes.append(pipe)
        return pipe

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        assert self.pipes, "prepare() comes first"
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                for earlier in self.pipes[:-1]:
                    nursery.start_soon(self.read, earlier, deliver)
                nursery.start_soon(self.watch, nursery, deliver)
                await self.read(self.pipes[-1], deliver)
        finally:
            self.close()

    async def watch(self, nursery: trio.Nursery, deliver: Deliver) -> None:
        """Have each pipe read that takes the place of ours."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            if (successor := self.look()) is not None:
                nursery.start_soon(self.read, successor, deliver)

    def look(self) -> HeldPipe | None:
        """Return the pipe that has taken the place of ours at the path, if one has, and retire ours."""
        current = self.pipes[-1]
        try:
            status = find_status(self.path)
            if status and identify(status) == identify(os.fstat(current.descriptor)):
                self.trouble = ""
                return None
            if status is None and not self.makes:
                return None
            pipe = self.hold(self.open())
        except (OSError, SettingError) as error:
            text = describe_os_error(error) if isinstance(error, OSError) else str(error).removesuffix(".")
            self.report_trouble(text)
            return None
        logger.warning(
            "%s is another pipe than before. It is read from now on, and the earlier one until its last writer goes.",
            self.path,
        )
        current.retire()
        return pipe

    def report_trouble(self, text: str) -> None:
        """Count that the path leads to no pipe, and say it once."""
        self.counts.errors += 1
        if text != self.trouble:
            logger.error(
                "Our pipe is no longer at %s, and none can be had there: %s. The earlier one is read on; "
                "the path is looked at again every %g s.",
                self.path,
                text,
                LOOK_SECONDS,
            )
        self.trouble = text

    async def read(self, pipe: HeldPipe, deliver: Deliver) -> None:
        """Read a pipe until cancelled, or when it has been retired, until its end."""
        intake = self.make_intake(deliver)
        intake.resume(self.surroundings.descriptors.rest_of(pipe.descriptor))
        seconds = self.settings.partial_line_timeout_seconds
        try:
            with pipe.reading:
                await read_to_end(pipe.descriptor, intake, partial_seconds=seconds)
            self.stop_writing(pipe)
            await read_to_end(pipe.descriptor, intake, partial_seconds=seconds)
            intake.finish()
            self.surroundings.descriptors.forget(identify_descriptor(pipe.descriptor))
        except trio.Cancelled:
            drain(pipe.descriptor, intake, self.surroundings.may_drain)
            if self.surroundings.descriptors.leave(pipe.descriptor, intake.begun):
                intake.forget()
            else:
                intake.finish()
            raise
        except OSError:
            intake.finish()
            raise
        self.pipes.remove(pipe)
        os.close(pipe.descriptor)

    def stop_writing(self, pipe: HeldPipe) -> None:
        """Hold a pipe for reading only, in systemd's store too, so that it ends with its last writer."""
        descriptors = self.surroundings.descriptors
        only_reading = os.open(f"/proc/self/fd/{pipe.descriptor}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        descriptors.forget(identify_descriptor(pipe.descriptor))
        descriptors.store(only_reading, PIPE_NAME)
        # It stays ours: it may come back to the path.
        fcntl.flock(pipe.descriptor, fcntl.LOCK_UN)
        with suppress(BlockingIOError):
            fcntl.flock(only_reading, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(pipe.descriptor)
        pipe.descriptor = only_reading

    def close(self) -> None:
        for pipe in self.pipes:
            # systemd may hold on to what we opened, and the next attempt opens it anew.
            fcntl.flock(pipe.descriptor, fcntl.LOCK_UN)
            os.close(pipe.descriptor)
        self.pipes = []


def make_pipe(path: Path, ownership: Ownership) -> None:
    """Make a named pipe with this mode, owner and group, whatever the umask, unless something is there."""
    try:
        os.mkfifo(path, ownership.mode & 0o700)
    except FileExistsError:
        return
    ownership.apply(path)


def claim_pipe(descriptor: int, path: Path) -> None:
    """Be the only one to read a pipe, under whatever name: of two, each would get parts of lines.

    The lock is that of what was opened (flock(2)), so it goes with the descriptor through systemd's store.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SettingError(f"Somebody already reads the pipe {path}, perhaps under another name.") from error


def keep_open(descriptor: int) -> int:
    """Return a descriptor of the same pipe that is open for writing too, so that it has no end."""
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR:
        return descriptor
    held = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    os.close(descriptor)
    return held


def find_status(path: Path) -> os.stat_result | None:
    """Return what is at `path`, None if nothing is; raises `OSError` where that cannot be told."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
