"""Messages as lines of a file that is only ever appended to."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable

from pipeline.metlog.envelope import Message, encode_message
from pipeline.metlog.senders.byte_sender import MAX_BYTES, ByteSender
from pipeline.metlog.senders.dotted import find_callable
from pipeline.metlog.senders.sender import close_file

MODE = 0o640
"""Of a file that is made, less what the process' umask takes away."""


class FileSender(ByteSender):
    """Appends to the file at `filepath`, which is made if it is missing, and opened anew when it was rotated.

    A line is one write, so that those of several processes are never mixed. A local disk that hangs holds the thread
    that is writing; others drop their messages after a tenth of a second. Where that matters, put a `QueuedSender`
    around it.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        formatter: Callable[[Message], str] | str | None = None,
        *,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(timeout_seconds=0.0, max_bytes=max_bytes)
        self.path = os.path.abspath(filepath)  # noqa: PTH100 - a path is only a text here
        self.formatter = find_callable(formatter)
        self.file: io.FileIO | None = None
        self.identity = (0, 0)
        self.is_torn = False
        """Whether the file ends within a line that could not be written to its end."""

    def encode(self, message: Message) -> bytes:
        """Return a message as the formatter spells it."""
        if self.formatter is None:
            return encode_message(message)
        return self.formatter(message).encode("utf-8", "backslashreplace")

    def transmit(self, data: bytes) -> bool:
        """Append a line. Behind a line that is not whole, it begins with a line feed."""
        file = self.find_file()
        line = b"\n" * self.is_torn + data + b"\n"
        try:
            written = os.write(file.fileno(), line)
        except BlockingIOError:  # what is no file at all: a pipe that is full
            raise
        except OSError:
            self.let_go()
            raise
        if written:
            self.is_torn = written < len(line)
        if self.is_torn:
            raise OSError(errno.ENOSPC, "The line was written in part")
        return True

    def find_file(self) -> io.FileIO:
        """Return the file that is at the path now, as `logrotate` may have moved away the one that is open."""
        if self.file is not None:
            try:
                if identify(os.stat(self.path)) == self.identity:  # noqa: PTH116 - half the time of Path.stat
                    return self.file
            except FileNotFoundError:
                pass
            self.let_go()
        return self.open_file()

    def open_file(self) -> io.FileIO:
        """Open the file for appending."""
        file = io.FileIO(self.path, "a", opener=open_for_appending)
        identity = identify(os.fstat(file.fileno()))
        self.is_torn = self.is_torn and identity == self.identity
        self.identity = identity
        self.file = file
        return file

    def let_go(self) -> None:
        """Close the file."""
        file, self.file = self.file, None
        close_file(file)


def open_for_appending(path: str, flags: int) -> int:
    """Open a file; what turns out to be a pipe without a reader is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK, MODE)


def identify(status: os.stat_result) -> tuple[int, int]:
    """Return what tells a file from the one that took its name."""
    return status.st_dev, status.st_ino
