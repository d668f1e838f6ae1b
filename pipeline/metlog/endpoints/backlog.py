"""What waits for a destination: in memory here, or in a spool on disk.

Messages go in at one end; some of the oldest are taken in hand, and then settled, or laid back where one attempt has
failed. What is in hand is neither dropped nor given out twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

import trio

from pipeline.decoders import repair_json
from pipeline.message_counts import EndpointCounts
from pipeline.metlog.endpoints.entry import Entry, make_identity
from pipeline.metlog.endpoints.message import Message


class Backlog(ABC):
    """Messages in order, the oldest first. What it drops it counts; how much there is, it shows in `counts`."""

    def __init__(self, counts: EndpointCounts) -> None:
        self.counts = counts
        self.identity = b""
        """What distinguishes its numbers from those of others; once known it stays."""
        self.hand: deque[Entry] = deque()
        """Those that an attempt is made with."""
        self.ahead: deque[Entry] = deque()
        """Those that come next and are in memory."""

    def open(self) -> None:  # noqa: B027 - that in memory has nothing to open
        """Take up what an earlier run has left. Raises `SettingError` when that cannot be."""

    @property
    @abstractmethod
    def is_filling(self) -> bool:
        """Whether more than half of the room is taken."""

    @abstractmethod
    def put(self, messages: Sequence[Message], now: int) -> None:
        """Add messages. Those that find no room make the oldest go."""

    async def fetch(self, max_messages: int, max_bytes: int) -> Sequence[Entry]:
        """Take the oldest in hand, at least one if there is any, and return them."""
        await trio.lowlevel.checkpoint()
        size = 0
        while self.ahead and len(self.hand) < max_messages:
            size += len(self.ahead[0].line)
            if self.hand and size > max_bytes:
                break
            self.hand.append(self.ahead.popleft())
        return tuple(self.hand)

    def settle(self, count: int) -> None:
        """Forget the first `count` of those in hand: they have arrived, or never can."""
        for _ in range(count):
            self.forget(self.hand.popleft())

    def lay_back(self) -> None:
        """Have those that are still in hand wait again, before all others."""
        self.ahead.extendleft(reversed(self.hand))
        self.hand.clear()

    @abstractmethod
    def forget(self, entry: Entry) -> None:
        """Let go of an entry that has been settled."""

    async def run(self) -> None:
        """Do what is to be done beside, until cancelled."""
        await trio.sleep_forever()

    def close(self) -> None:  # noqa: B027 - that in memory has nothing to close
        """Let go of what was opened. What cannot be kept is dropped."""


def make_entry(message: Message, number: int, now: int) -> Entry:
    """Return a message as it waits: in one line, which every reader of JSON takes.

    Its blanks may be line feeds, and its texts may hold bytes that are no UTF-8, or half a surrogate pair.
    """
    line = message.line
    if not line.isascii() or b"\\u" in line:
        line = repair_json(line)
    if b"\n" in line or b"\r" in line:
        line = line.replace(b"\n", b" ").replace(b"\r", b" ")
    return Entry(number, now, line)


class MemoryBacklog(Backlog):
    """Has room for so many messages and so many bytes, those in hand included; a stop loses them."""

    def __init__(self, counts: EndpointCounts, max_messages: int, max_bytes: int) -> None:
        super().__init__(counts)
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.identity = make_identity()
        self.next_number = 0

    @property
    def is_filling(self) -> bool:
        """Whether more than half of the messages or of the bytes are there."""
        return 2 * self.counts.queued > self.max_messages or 2 * self.counts.queued_bytes > self.max_bytes

    def put(self, messages: Sequence[Message], now: int) -> None:
        """Add messages; drop the oldest until all have room."""
        counts = self.counts
        for message in messages:
            entry = make_entry(message, self.next_number, now)
            self.next_number += 1
            self.ahead.append(entry)
            counts.queued_bytes += len(entry.line)
        counts.queued += len(messages)
        while self.ahead and (counts.queued > self.max_messages or counts.queued_bytes > self.max_bytes):
            self.forget(self.ahead.popleft())
            counts.dropped += 1

    def forget(self, entry: Entry) -> None:
        """Make room."""
        self.counts.queued -= 1
        self.counts.queued_bytes -= len(entry.line)

    def close(self) -> None:
        """Drop what is left."""
        self.lay_back()
        self.counts.dropped += len(self.ahead)
        while self.ahead:
            self.forget(self.ahead.popleft())
