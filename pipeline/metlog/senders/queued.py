"""A thread between the application and a sender that may block: a file on a disk that hangs, a stream nobody reads."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue

from pipeline.metlog.envelope import Message
from pipeline.metlog.senders.sender import EXIT_SECONDS, FAILED, FULL, Sender, SenderError

LIMIT = 10_000
"""How many messages wait at most, unless the sender is told otherwise."""


class QueuedSender(Sender):
    """Hands messages to another sender from a thread of its own, so that the application never waits.

    At most `limit` of them wait; what comes then is dropped. At the end of the application it waits a second for them.
    The counts are those of the other sender.
    """

    def __init__(self, sender: Sender, limit: int = LIMIT) -> None:
        if limit < 1:
            raise SenderError("A queue needs a limit of 1 or more.")
        super().__init__()
        self.sender = sender
        self.counts = sender.counts
        self.limit = limit
        # Of a kind that a signal handler may put something into, too.
        self.queue: SimpleQueue[Message | threading.Event] = SimpleQueue()
        self.thread: threading.Thread | None = None

    def send_message(self, message: Message) -> None:
        """Put a message into the queue."""
        if self.queue.qsize() >= self.limit:
            self.counts.drop(FULL, "the queue is full")
            return
        # The caller, a plugin for example, may go on to use what is its own.
        fields = message.get("fields")
        self.queue.put({**message, "fields": fields.copy()} if isinstance(fields, dict) else message.copy())
        if self.thread is None:
            self.start()

    def start(self) -> None:
        """Start the thread, once."""
        with self.lock:
            if self.thread is None:
                # It does not hold this sender, so that one that nobody uses any more goes.
                arguments = self.queue, self.sender
                self.thread = threading.Thread(target=pass_on, args=arguments, daemon=True, name="metlog sender")
                self.thread.start()

    def flush(self, timeout_seconds: float = 1.0) -> bool:
        """Wait until what is in the queue has been sent, and return whether it has."""
        end = time.monotonic() + timeout_seconds
        if self.thread is not None:
            done = threading.Event()
            self.queue.put(done)
            if not done.wait(timeout_seconds):
                return False
        return self.sender.flush(max(end - time.monotonic(), 0.0))

    def close(self) -> None:
        """Send what is in the queue, as long as that takes less than a second, and close the other sender."""
        if self.flush(EXIT_SECONDS):
            self.sender.close()

    def start_anew(self) -> None:
        """Begin with a queue of this process, which was forked: what waits is for the parent to send."""
        super().start_anew()
        self.queue = SimpleQueue()
        self.thread = None


def pass_on(queue: SimpleQueue[Message | threading.Event], sender: Sender) -> None:
    """Hand over what comes, for ever; an event among it is set when all before it has been."""
    while True:
        item = queue.get()
        if isinstance(item, threading.Event):
            item.set()
            continue
        try:
            sender.send_message(item)
        except Exception as error:  # noqa: BLE001 - a formatter of the application may fail in any way
            sender.counts.drop(FAILED, str(error))
