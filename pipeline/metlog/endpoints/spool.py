"""A backlog on disk, for messages that must not be lost: each is written before it is sent.

- A message is with the kernel before `put` returns, so that `kill -9` loses none. What a power failure may take is what
  was not yet brought to the disk: with `fsync = "always"` that begins at once, with `interval` every second.
- How far was delivered is noted behind each attempt. What was in flight when we died is sent again: at least once.
- What is sent soon is read from memory, where there is room for `AHEAD_BYTES`. So a long outage fills the disk, up to
  a limit, and not the memory. At the limit the oldest segment goes, a sixteenth of the spool, and is counted.
- While the disk takes nothing, messages wait in memory, as without a spool.
- A record that cannot be read is counted as dropped. Its segment is set aside when all others in it are settled.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import trio

from pipeline.errors import SettingError, describe_os_error
from pipeline.message_counts import EndpointCounts
from pipeline.metlog.endpoints.backlog import Backlog, make_entry
from pipeline.metlog.endpoints.entry import Entry, read_record, spell_record
from pipeline.metlog.endpoints.message import Message
from pipeline.metlog.endpoints.segment_writer import SegmentWriter
from pipeline.metlog.endpoints.spool_folder import Position, Segment, SpoolFolder, read_part
from pipeline.rate_limit import RateLimit

logger = logging.getLogger(__name__)

AHEAD_BYTES = 1024 * 1024
"""As much is in memory of what is on disk."""

# 64 KiB are read and taken apart in half a millisecond (measured).
READ_BYTES = 64 * 1024

SEGMENTS = 16
MIN_SEGMENT_BYTES = 4096
MAX_SEGMENT_BYTES = 8 * 1024 * 1024

# What waits for a disk that takes nothing is written in parts, of which a full disk refuses the first.
MAX_WRITE_BYTES = 256 * 1024
RETRY_SECONDS = 1.0

WARNING_SECONDS = 60


class Spool(Backlog):
    """A backlog in a folder, of which there is one user at a time."""

    def __init__(
        self,
        counts: EndpointCounts,
        path: Path,
        *,
        max_bytes: int,
        max_memory_messages: int,
        max_memory_bytes: int,
        fsync: str,
    ) -> None:
        """The limits on memory hold for what the disk does not take."""
        super().__init__(counts)
        self.folder = SpoolFolder(path)
        self.max_bytes = max_bytes
        self.max_memory_messages = max_memory_messages
        self.max_memory_bytes = max_memory_bytes
        self.segment_bytes = min(max(max_bytes // SEGMENTS, MIN_SEGMENT_BYTES), MAX_SEGMENT_BYTES)
        self.ahead_bytes = AHEAD_BYTES
        self.segments: deque[Segment] = deque()
        self.writer = SegmentWriter(self.folder, fsync)
        self.next_number = 0
        self.position = 0
        self.bytes = 0
        """Of all segments."""
        self.held_bytes = 0
        """Of the lines in hand and ahead."""
        self.unwritten: deque[Entry] = deque()
        """What the disk did not take, in order behind all that it has."""
        self.unwritten_bytes = 0
        self.retry_seconds = RETRY_SECONDS
        self.retry_time = 0.0
        """By the clock that never goes back: before that the disk, which is full or the like, is left alone."""
        self.homeless: set[int] = set()
        """The numbers of those in hand and ahead that are not on disk."""
        self.warnings = RateLimit(WARNING_SECONDS)
        self.is_open = False

    @property
    def is_filling(self) -> bool:
        """Whether more than half of the folder's room is taken."""
        return 2 * self.bytes > self.max_bytes

    # What an earlier run has left

    def open(self) -> None:
        """Be the only user of the folder, and count what is in it. Raises `SettingError`."""
        position = self.folder.open()
        try:
            self.take_up(position)
        except OSError as error:
            self.folder.close()
            raise SettingError(f"The spool {self.folder.path} cannot be used: {describe_os_error(error)}.") from error
        self.is_open = True

    def take_up(self, position: Position) -> None:
        """Find what is not delivered yet."""
        self.identity, self.position = position.identity, position.number
        self.next_number = self.position
        self.segments.extend(self.folder.list_segments())
        if self.segments:
            self.mend_end(self.segments[-1])
        for segment in self.segments:
            self.bytes += segment.size
        self.remove_settled()
        if self.segments:
            self.skip_settled(self.segments[0])
        self.counts.queued = sum(segment.unread for segment in self.segments)
        self.counts.taken += self.counts.queued
        self.show_bytes()

    def mend_end(self, last: Segment) -> None:
        """Cut off a record that was never whole, and find the next number."""
        data = last.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < last.size:
            os.truncate(last.path, end)
            last.size = end
        numbers = [entry.number for line in data[:end].split(b"\n") if (entry := read_record(line)) is not None]
        self.next_number = max(self.next_number, last.first + 1, max(numbers, default=-1) + 1)

    def skip_settled(self, first: Segment) -> None:
        """Pass over the records of the first segment that were delivered."""
        read = 0
        for given, line in enumerate(first.path.read_bytes().split(b"\n")[:-1], 1):
            entry = read_record(line)
            read += len(line) + 1
            if entry is not None and entry.number < self.position:
                first.read, first.given = read, given

    # In

    def put(self, messages: Sequence[Message], now: int) -> None:
        """Write messages to the disk; those that are next stay in memory too."""
        first = self.next_number
        entries = [make_entry(message, number, now) for number, message in enumerate(messages, first)]
        self.next_number += len(entries)
        self.counts.queued += len(entries)
        self.append(entries)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries, and before them what the disk did not take until now: that is tried once in a while."""
        self.unwritten.extend(entries)
        self.unwritten_bytes += sum(len(entry.line) for entry in entries)
        if monotonic() >= self.retry_time:
            try:
                self.write_waiting()
            except OSError as error:
                self.retry_time = monotonic() + self.retry_seconds
                self.warn(
                    f"The spool {self.folder.path} of metlog endpoint {self.counts.name} takes no more: "
                    f"{describe_os_error(error)}. Messages wait in memory."
                )
        self.trim_unwritten()
        self.show_bytes()

    def write_waiting(self) -> None:
        """Write what is not on the disk, in parts. Raises `OSError` at the first that the disk does not take."""
        while self.unwritten:
            part: list[Entry] = []
            size = 0
            for entry in self.unwritten:
                size += len(entry.line)
                if part and size > MAX_WRITE_BYTES:
                    break
                part.append(entry)
            self.write(part)
            for _ in part:
                self.unwritten_bytes -= len(self.unwritten.popleft().line)

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries behind all others. Raises `OSError` when none of them is on the disk."""
        records = [spell_record(entry) for entry in entries]
        data = b"".join(records)
        last = self.find_last(entries[0].number, len(data))
        is_next = self.find_unread() is None and self.held_bytes + len(data) <= self.ahead_bytes
        self.writer.write(data, last.size, entries[-1].number)
        last.size += len(data)
        last.records += len(records)
        self.bytes += len(data)
        if is_next:
            last.read, last.given = last.size, last.records
            self.hold(entries)

    def find_last(self, number: int, size: int) -> Segment:
        """Return a segment that has room for so many bytes, and have room on the disk for them."""
        while self.segments and self.bytes + size > self.max_bytes:
            self.drop_oldest()
        last = self.segments[-1] if self.segments else None
        if last is None or (last.size and last.size + size > self.segment_bytes):
            self.writer.end()
            last = self.folder.make_segment(number)
            self.writer.begin(last.path, is_new=True)
            self.segments.append(last)
        elif self.writer.descriptor is None:
            self.writer.begin(last.path, is_new=False)
        return last

    def trim_unwritten(self) -> None:
        """Drop the oldest that has no room in memory."""
        while self.unwritten_bytes > self.max_memory_bytes or len(self.unwritten) > self.max_memory_messages:
            self.unwritten_bytes -= len(self.unwritten.popleft().line)
            self.drop(1)

    # Out

    async def fetch(self, max_messages: int, max_bytes: int) -> Sequence[Entry]:
        """Take the oldest in hand, and have them read from the disk where they are not in memory."""
        while not self.ahead and (segment := self.find_unread()) is not None:
            await self.read_on(segment)
        if not self.ahead and self.unwritten:
            self.homeless.update(entry.number for entry in self.unwritten)
            self.hold(self.unwritten)
            self.forget_unwritten()
        return await super().fetch(max_messages, max_bytes)

    def forget_unwritten(self) -> None:
        """Let go of what is elsewhere now."""
        self.unwritten.clear()
        self.unwritten_bytes = 0

    def find_unread(self) -> Segment | None:
        """Return the segment to be read next."""
        return next((one for one in self.segments if one.read < one.size or one.unread), None)

    async def read_on(self, segment: Segment) -> None:
        """Read a part of a segment. It may have been dropped meanwhile."""
        offset, size, reading = segment.read, segment.size, READ_BYTES
        try:
            while True:
                end = min(offset + reading, size)
                data = await trio.to_thread.run_sync(
                    read_part, segment.path, offset, end - offset, abandon_on_cancel=True
                )
                if b"\n" in data or end == size:
                    break
                reading *= 2  # for the sake of one long record
        except OSError as error:
            data, end = b"", size
            self.warn(f"The file {segment.path} of a spool cannot be read: {describe_os_error(error)}.")
        if segment not in self.segments or segment.read != offset:
            return
        self.take_data(segment, data, end, is_end=end == size)

    def take_data(self, segment: Segment, data: bytes, end: int, *, is_end: bool) -> None:
        """Hold the records in a part of a segment; what cannot be read is lost.

        The part goes to `end`, which was the end of the segment when the read began. More may have been written since.
        """
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.split(b"\n")[:-1]
        entries = [entry for line in lines if (entry := read_record(line)) is not None]
        segment.read = end if is_end else segment.read + len(whole)
        segment.given += len(lines)
        lost = len(lines) - len(entries)
        if segment.read == segment.size:
            lost += segment.unread
            segment.given = segment.records
        if lost or (is_end and len(whole) < len(data)):
            self.note_damage(segment, lost)
        self.hold([entry for entry in entries if entry.number >= self.position])
        self.pass_over(sum(entry.number < self.position for entry in entries))
        self.remove_settled()
        self.show_bytes()

    def pass_over(self, settled: int) -> None:
        """Count out records that an earlier run has delivered, and that were not taken for such."""
        self.counts.queued -= settled
        self.counts.taken -= settled

    def note_damage(self, segment: Segment, lost: int) -> None:
        """Count records that cannot be read."""
        self.drop(lost)
        if not segment.is_damaged:
            segment.is_damaged = True
            self.counts.set_aside += 1
            logger.warning(
                "The file %s of a spool is damaged. It is set aside; what is whole in it is sent.", segment.path
            )

    def hold(self, entries: Sequence[Entry]) -> None:
        """Have entries in memory, as the next ones."""
        self.ahead.extend(entries)
        self.held_bytes += sum(len(entry.line) for entry in entries)

    def forget(self, entry: Entry) -> None:
        """Let go of an entry that has been settled."""
        self.counts.queued -= 1
        self.held_bytes -= len(entry.line)
        self.homeless.discard(entry.number)
        self.position = max(self.position, entry.number + 1)

    def settle(self, count: int) -> None:
        """Forget the first `count` of those in hand, and note that on the disk."""
        super().settle(count)
        self.note_position()
        self.remove_settled()
        self.show_bytes()

    def note_position(self) -> None:
        """Write how far was delivered."""
        try:
            self.folder.write_position(Position(self.identity, self.position))
        except OSError as error:
            self.warn(f"The position of the spool {self.folder.path} cannot be noted: {describe_os_error(error)}.")

    def remove_settled(self) -> None:
        """Remove the segments all of whose records are settled."""
        while len(self.segments) > 1 and self.segments[1].first <= self.position:
            self.remove_first()

    def drop_oldest(self) -> None:
        """Drop all records of the oldest segment, but those in hand."""
        if len(self.segments) == 1:
            self.writer.end()
        end = self.segments[1].first if len(self.segments) > 1 else self.next_number
        self.drop(self.segments[0].unread)
        while self.ahead and self.ahead[0].number < end:
            entry = self.ahead.popleft()
            self.held_bytes -= len(entry.line)
            self.homeless.discard(entry.number)
            self.drop(1)
        self.homeless.update(entry.number for entry in self.hand if entry.number < end)
        self.remove_first()

    def remove_first(self) -> None:
        """Remove the first segment."""
        segment = self.segments.popleft()
        self.bytes -= segment.size
        try:
            self.folder.remove(segment)
        except OSError as error:
            self.warn(f"The file {segment.path} of a spool cannot be removed: {describe_os_error(error)}.")

    def drop(self, count: int) -> None:
        """Count what is lost."""
        self.counts.queued -= count
        self.counts.dropped += count

    def show_bytes(self) -> None:
        """Show how much waits, on disk and in memory."""
        unread = sum(segment.size - segment.read for segment in self.segments)
        self.counts.queued_bytes = unread + self.held_bytes + self.unwritten_bytes

    def warn(self, text: str) -> None:
        """Log a warning, but not each time."""
        if self.warnings.admit(int(monotonic())) is not None:
            logger.warning("%s", text)

    # The end

    def close(self) -> None:
        """Bring all to the disk, what is in memory only too; what it does not take is lost."""
        if not self.is_open:
            return
        self.is_open = False
        self.lay_back()
        loose = [entry for entry in self.ahead if entry.number in self.homeless] + list(self.unwritten)
        # The others are on the disk; those that have to make room there are counted.
        self.ahead = deque(entry for entry in self.ahead if entry.number not in self.homeless)
        self.forget_unwritten()
        self.save_loose(loose)
        self.ahead.clear()
        while self.segments and not self.counts.queued:
            self.remove_first()
        self.writer.close()
        self.folder.close()

    async def run(self) -> None:
        """Bring to the disk what is written, until cancelled."""
        await self.writer.run()

    def save_loose(self, loose: Sequence[Entry]) -> None:
        """Write what is in memory only, as new messages."""
        if loose:
            entries = [entry._replace(number=self.next_number + place) for place, entry in enumerate(loose)]
            try:
                self.write(entries)
            except OSError:
                self.drop(len(entries))
