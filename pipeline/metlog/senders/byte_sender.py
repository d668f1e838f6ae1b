"""A sender whose messages are bytes: it makes them, cuts them to size, and hands them over one at a time."""

from __future__ import annotations

import errno
from abc import abstractmethod

from pipeline.metlog.envelope import Message, encode_message
from pipeline.metlog.senders.encoding import ENCODING_ERRORS, shorten
from pipeline.metlog.senders.patience import TIMEOUT_SECONDS, Patience
from pipeline.metlog.senders.sender import BUSY, LARGE, LOCK_SECONDS, NO_JSON, Sender, SenderError

# What the daemon takes as a line, unless it is told otherwise (--max_line_bytes).
MAX_BYTES = 64 * 1024

# An application that waits for a minute with each message has no use for them.
MAX_TIMEOUT_SECONDS = 60
"""What `timeout_seconds` can be at most."""


class ByteSender(Sender):
    """Sends each message as bytes, at most `max_bytes` of them.

    Of a larger one the payload is cut, and the field `payload_cut` says by how many characters; if that is not enough
    it is dropped.
    """

    def __init__(self, *, timeout_seconds: float = TIMEOUT_SECONDS, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        if not 0 <= timeout_seconds <= MAX_TIMEOUT_SECONDS or max_bytes % 1 or max_bytes < 1:
            most = MAX_TIMEOUT_SECONDS
            raise SenderError(f"A sender needs a timeout_seconds from 0 to {most}, and a max_bytes of 1 or more.")
        self.patience = Patience(timeout_seconds)
        self.max_bytes = max_bytes
        self.is_sending = False

    def encode(self, message: Message) -> bytes:
        """Return a message as it is sent."""
        return encode_message(message)

    @abstractmethod
    def transmit(self, data: bytes) -> bool:
        """Hand bytes over and return True, or False if a part of them is held; raises `OSError` if they are not."""

    def send_message(self, message: Message) -> None:
        """Send a message, with a part of its payload if it is too large."""
        try:
            data = self.encode(message)
            if len(data) > self.max_bytes:
                self.send_shortened(message)
                return
        except ENCODING_ERRORS as error:
            self.counts.drop(NO_JSON, str(error))
            return
        self.send_bytes(data)

    def send_shortened(self, message: Message) -> None:
        """Send a message that is too large as a whole."""
        data = shorten(message, self.encode, self.max_bytes)
        if data is None:
            self.counts.drop(LARGE)
        elif self.send_bytes(data):
            self.counts.shortened += 1

    def send_bytes(self, data: bytes) -> bool:
        """Send bytes as they are, in one line or datagram; return whether they were taken, and count it."""
        if not self.lock.acquire(timeout=LOCK_SECONDS):
            self.counts.drop(BUSY, "another thread is sending")
            return False
        try:
            return self.send_alone(data)
        finally:
            self.lock.release()

    def send_alone(self, data: bytes) -> bool:
        """Send bytes while no other thread does."""
        if self.is_sending:  # a signal handler, within a message of its own thread
            self.counts.drop(BUSY, "a signal came while sending")
            return False
        self.is_sending = True
        try:
            if self.transmit_anew(data):
                self.counts.sent += 1
        except OSError as error:
            self.counts.drop_for(error)
            return False
        finally:
            self.is_sending = False
        return True

    def transmit_anew(self, data: bytes) -> bool:
        """Hand bytes over, to what is opened anew if the application has closed it: a daemon closes all that it has."""
        try:
            return self.transmit(data)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOTSOCK):
                raise
        self.let_go()
        return self.transmit(data)

    @abstractmethod
    def let_go(self) -> None:
        """Close what is open, if something is."""

    def close(self) -> None:
        """Close what is open, unless another thread hangs in it. The next message opens it again."""
        if not self.lock.acquire(timeout=LOCK_SECONDS):
            return
        try:
            self.let_go()
        finally:
            self.lock.release()

    def start_anew(self) -> None:
        """Begin with what this process opens, which was forked."""
        super().start_anew()
        self.is_sending = False
        self.let_go()
