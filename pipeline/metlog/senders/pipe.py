"""Messages as lines through a named pipe."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat

from pipeline.metlog.senders.channel import ChannelSender
from pipeline.metlog.senders.patience import TIMEOUT_SECONDS
from pipeline.metlog.senders.sender import close_file

# POSIX promises that a write of so much goes into a pipe as a whole or not at all (pipe(7), PIPE_BUF): lines of
# several processes are never mixed. On Linux it is 4,096, the line feed included.
MAX_BYTES = 4095


class PipeSender(ChannelSender):
    """Writes to the named pipe at `path`, which somebody else makes and reads.

    With `max_bytes` above 4,095 a line may be written in parts, between which lines of other processes can fall: for a
    pipe that nobody else writes to.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        self.path = os.path.abspath(path)  # noqa: PTH100 - a path is only a text here
        self.pipe: io.FileIO | None = None
        self.is_guarded = False

    @property
    def is_open(self) -> bool:
        """Whether it is open for writing."""
        return self.pipe is not None

    def open(self, deadline: float) -> None:
        """Open it, if somebody reads it: otherwise opening would wait for that."""
        pipe = io.FileIO(self.path, "w", opener=open_for_writing)
        if not stat.S_ISFIFO(os.fstat(pipe.fileno()).st_mode):
            pipe.close()
            raise OSError(errno.EINVAL, f"{self.path} is no named pipe")
        self.pipe = pipe
        self.is_guarded = signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL

    def push(self, data: bytes) -> int:
        """Write what there is room for."""
        return write_guarded(self.fileno(), data) if self.is_guarded else os.write(self.fileno(), data)

    def fileno(self) -> int:
        """Return the descriptor of the pipe."""
        assert self.pipe is not None
        return self.pipe.fileno()

    def hang_up(self) -> None:
        """Close the pipe."""
        pipe, self.pipe = self.pipe, None
        close_file(pipe)


def open_for_writing(path: str, _: int) -> int:
    """Open what is there, without waiting and without making a file."""
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def write_guarded(descriptor: int, data: bytes) -> int:
    """Write in an application that lets SIGPIPE end it: here that signal is an error and no more."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        return os.write(descriptor, data)
    except BrokenPipeError:
        signal.sigtimedwait({signal.SIGPIPE}, 0)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
