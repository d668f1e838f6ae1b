"""Senders for development and for containers: streams such as standard output, and a ring of messages for tests."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import termios
from array import array
from collections import deque
from typing import Protocol

from pipeline.metlog.envelope import Message
from pipeline.metlog.senders.byte_sender import MAX_BYTES, ByteSender
from pipeline.metlog.senders.dotted import Formatter, find_callable
from pipeline.metlog.senders.encoding import ENCODING_ERRORS, format_line, format_pretty
from pipeline.metlog.senders.file import FileSender
from pipeline.metlog.senders.patience import TIMEOUT_SECONDS, is_writable
from pipeline.metlog.senders.sender import NO_JSON, Sender

__all__ = ["DebugCaptureSender", "FileSender", "StdErrSender", "StdOutSender", "StreamSender"]

KEPT = 100
"""How many messages the ring holds."""

PAGE_BYTES = 4096
"""A pipe keeps pages, and has room for at least one if `poll` calls it writable."""


class TextStream(Protocol):
    """What is written to."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class StreamSender(ByteSender):
    """Writes to a stream of text: on a terminal for people, elsewhere a line each.

    If the stream leads to a pipe, a socket or a terminal, it is written to when that has room, and messages are dropped
    while it has not. What the application itself has left in the stream's buffer goes with it, and may wait for room.
    """

    def __init__(
        self,
        stream: TextStream,
        formatter: Formatter | str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        self.stream = stream
        self.formatter = find_callable(formatter) or (format_pretty if is_terminal(stream) else format_line)

    def encode(self, message: Message) -> bytes:
        """Return a message as the formatter spells it."""
        return self.formatter(message).encode("utf-8", "backslashreplace")

    def transmit(self, data: bytes) -> bool:
        """Write a line and flush it. A stream that is closed, or fails in its own way, is a failure like another."""
        self.wait_room(len(data) + 1)
        try:
            self.stream.write(spell_for(self.stream, data.decode() + "\n"))
            self.stream.flush()
        except ValueError as error:
            raise OSError(errno.EBADF, str(error)) from error
        return True

    def let_go(self) -> None:
        """Leave the stream to the application, whose it is."""

    def wait_room(self, size: int) -> None:
        """Return when so many bytes can be written, or nobody can know; raises `BlockingIOError` if they cannot."""
        descriptor = find_descriptor(self.stream)
        if descriptor is None or is_file(descriptor):
            return
        if not is_writable(descriptor, 0) and not self.patience.wait(descriptor, self.patience.find_deadline()):
            raise BlockingIOError(errno.EAGAIN, "Nobody reads it")
        if size > PAGE_BYTES and is_pipe(descriptor) and size > measure_pipe(descriptor):
            raise BlockingIOError(errno.EAGAIN, "The pipe has no room for a line of this length")


class StdOutSender(StreamSender):
    """Writes to standard output."""

    def __init__(
        self,
        formatter: Formatter | str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(sys.stdout, formatter, timeout_seconds=timeout_seconds, max_bytes=max_bytes)


class StdErrSender(StreamSender):
    """Writes to standard error."""

    def __init__(
        self,
        formatter: Formatter | str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(sys.stderr, formatter, timeout_seconds=timeout_seconds, max_bytes=max_bytes)


class DebugCaptureSender(Sender):
    """Keeps the last hundred messages, for tests: as JSON in `msgs`, as they came in `messages`.

    What else it is made with becomes attributes of it.
    """

    def __init__(self, **attributes: object) -> None:
        super().__init__()
        self.msgs: deque[str] = deque(maxlen=KEPT)
        self.messages: deque[Message] = deque(maxlen=KEPT)
        vars(self).update(attributes)

    def send_message(self, message: Message) -> None:
        """Keep a message."""
        try:
            self.msgs.append(format_line(message))
        except ENCODING_ERRORS as error:
            self.counts.drop(NO_JSON, str(error))
            return
        self.messages.append(message)
        self.counts.sent += 1


def find_descriptor(stream: TextStream) -> int | None:
    """Return what can be asked whether a stream has room; None if it leads into memory or to a file."""
    try:
        descriptor: int = stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor


def is_terminal(stream: TextStream) -> bool:
    """Return whether people read what is written to a stream."""
    descriptor = find_descriptor(stream)
    return descriptor is not None and os.isatty(descriptor)


def is_file(descriptor: int) -> bool:
    """Return whether it is that of a file, or of nothing: writing will tell what is wrong with that."""
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return True


def is_pipe(descriptor: int) -> bool:
    """Return whether it is that of a pipe."""
    return stat.S_ISFIFO(os.fstat(descriptor).st_mode)


def measure_pipe(descriptor: int) -> int:
    """Return for how many bytes a pipe has room at least.

    It keeps pages, and a write that does not fit behind another begins a new one: two neighbours hold more than one
    page together, so that what waits takes at most twice its size, and a page.
    """
    waiting = array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
    return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) - 2 * waiting[0] - PAGE_BYTES


def spell_for(stream: TextStream, text: str) -> str:
    """Return text as a stream can write it, with escapes for what its encoding has not."""
    encoding = getattr(stream, "encoding", None)
    if not isinstance(encoding, str):
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)
