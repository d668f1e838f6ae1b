"""Messages as lines over a pipe or a connection, which may take a part of a line and no more.

What is left of a line is held, and goes before the next one, so that no line is ever mixed with another. If the
receiver goes in between, the line counts as dropped: its rest would be no line of the next receiver.
"""

from __future__ import annotations

import errno
import time
from abc import abstractmethod

from pipeline.metlog.senders.byte_sender import ByteSender
from pipeline.metlog.senders.patience import is_writable
from pipeline.metlog.senders.sender import GONE, LOCK_SECONDS


class ChannelSender(ByteSender):
    """Sends each message as a line. What opens the channel, writes to it and closes it is for others to say."""

    rest = b""
    """What is left of a line whose beginning has been sent."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether there is a channel."""

    @abstractmethod
    def open(self, deadline: float) -> None:
        """Open the channel, without blocking, waiting at most until the deadline; raises `OSError`."""

    @abstractmethod
    def push(self, data: bytes) -> int:
        """Write what there is room for, and return how much that was; raises `OSError`."""

    @abstractmethod
    def fileno(self) -> int:
        """Return the descriptor to wait for."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close the channel, if there is one."""

    def check(self) -> None:
        """Raise `OSError` if the receiver has gone. Only over TCP writing would not tell."""

    def transmit(self, data: bytes) -> bool:
        """Send a line, over a new channel if the receiver of the last one has gone."""
        line = data + b"\n"
        deadline = self.patience.find_deadline()
        if self.is_open:
            try:
                self.check()
                self.finish_rest(deadline)
                return self.put(line, deadline)
            except BlockingIOError:
                raise
            except OSError:
                self.let_go()
        self.open(deadline)
        return self.put(line, deadline)

    def put(self, data: bytes, deadline: float) -> bool:
        """Write a line; what there is no room for is held. If nothing could be written it raises `BlockingIOError`."""
        left = self.write(data, deadline)
        if len(left) == len(data):
            raise BlockingIOError(errno.EAGAIN, "The receiver does not read")
        self.rest = left
        self.counts.held = int(bool(left))
        return not left

    def finish_rest(self, deadline: float) -> None:
        """Write what is left of the last line; raises `BlockingIOError` if something still is."""
        if not self.rest:
            return
        self.rest = self.write(self.rest, deadline)
        if self.rest:
            raise BlockingIOError(errno.EAGAIN, "The receiver has not read all of the last line")
        self.counts.held = 0
        self.counts.sent += 1

    def write(self, data: bytes, deadline: float) -> bytes:
        """Write until the deadline, and return what is left."""
        while data:
            try:
                data = data[self.push(data) :]
            except BlockingIOError:
                if not self.patience.wait(self.fileno(), deadline):
                    break
        return data

    def let_go(self) -> None:
        """Close the channel; the line of which a part is held is lost."""
        self.hang_up()
        if self.rest:
            self.rest = b""
            self.counts.held = 0
            self.counts.drop(GONE, "it went in the middle of a line")

    def flush(self, timeout_seconds: float = 1.0) -> bool:
        """Write what is left of the last line, and return whether it is gone."""
        deadline = time.monotonic() + timeout_seconds
        if not self.lock.acquire(timeout=LOCK_SECONDS):
            return False
        try:
            return self.flush_alone(deadline)
        finally:
            self.lock.release()

    def flush_alone(self, deadline: float) -> bool:
        """Write what is left while no other thread sends, unless this is a signal handler within a message."""
        if self.is_sending:
            return False
        self.is_sending = True
        try:
            self.flush_rest(deadline)
        except OSError:
            self.let_go()
        finally:
            self.is_sending = False
        return not self.rest

    def flush_rest(self, deadline: float) -> None:
        """Write what is left of the last line until the deadline, whatever was waited for in vain before."""
        while self.rest and self.is_open:
            try:
                self.finish_rest(0.0)
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0 or not is_writable(self.fileno(), left):
                    break

    def start_anew(self) -> None:
        """Begin with a channel of this process, which was forked: what is left of a line is for the parent to send."""
        self.rest = b""
        super().start_anew()
