"""Lines to records, without I/O and without a clock: `feed` takes a block of lines and returns one of records.

A record is what programs see as one line: the lines that belong together, with a separator between them. Which
those are is said by patterns:

- with `start` alone, a line that matches begins a record, and any other goes on with the one before;
- with `goes_on` alone, a line that matches goes on with the one before, and any other begins a record;
- with both, a record begins with a line that matches `start`, and goes on with lines that match `goes_on`. A line
  that matches neither is a record by itself.

A line that goes on with nothing begins a record, or with both patterns is one by itself. The last record of a block
may go on in the next, so it is held back: until that comes, or until it has waited long enough (`expire`), or until the
end (`finish`). How the lines were cut into blocks never shows.

What is held is bounded by the limits of `RecordSettings`. What is beyond them is thrown away, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.sources.records.begun import BegunRecord, Key, Spelled, join_lines, read_records, split_lines
from pipeline.sources.records.rules import RecordRule, list_tests
from pipeline.telemetry import RecordCounts

NO_KEY: Key = ()

EXPIRE_BYTES = 256 * 1024
"""What has waited too long reaches the programs in batches of the size that a read has."""


class RecordJoiner:
    """Joins the lines of one stream. `counts` may be shared with others."""

    def __init__(self, rule: RecordRule, counts: RecordCounts) -> None:
        self.rule = rule
        self.settings = rule.settings
        self.counts = counts
        self.begun: dict[Key, BegunRecord] = {}
        """What is held back, oldest first; without headers it is one record at most."""

    def feed(self, block: bytes, now: float) -> bytes:
        """Return the records that end in `block`, which holds whole lines, or are known to have ended before."""
        if not self.begun and not self.rule.may_join_in(block):
            return block
        held = len(self.begun)
        result = self.join(block, now, is_ascii=block.isascii())
        self.counts.begun += len(self.begun) - held
        return result

    def join(self, block: bytes, now: float, *, is_ascii: bool) -> bytes:
        """Do what `feed` does with a block that is not empty."""
        if is_ascii and self.rule.opens_each(block):
            return self.pass_through(block, now)
        if is_ascii and not self.begun and self.rule.opens_none(block):
            return block
        lines = split_lines(block)
        opens = self.find_openings(lines, is_ascii=is_ascii)
        if all(opens):
            return self.pass_through(block, now)
        goes_on = self.find_goes_on(is_ascii=is_ascii)
        if goes_on is not None and not self.begun and not any(opens):
            return block
        return join_lines(self.join_each(lines, opens, goes_on, now))

    def find_openings(self, lines: Sequence[bytes], *, is_ascii: bool) -> list[object]:
        """Return for each line something that is true if a record begins with it that may go on."""
        if self.rule.start is not None:
            return list_tests(self.rule.start, lines, is_ascii=is_ascii)
        assert self.rule.goes_on is not None, "a rule has one or the other"
        return [not found for found in list_tests(self.rule.goes_on, lines, is_ascii=is_ascii)]

    def find_goes_on(self, *, is_ascii: bool) -> Callable[[bytes], object] | None:
        """Return what says whether a line goes on; None where each does that begins no record."""
        if self.rule.start is None or self.rule.goes_on is None:
            return None
        return self.rule.goes_on.ascii if is_ascii else self.rule.goes_on.utf8

    def pass_through(self, block: bytes, now: float) -> bytes:
        """Return the records of a block of which each line begins one: all but the last, behind what was held."""
        before = self.take_held()
        start = block.rfind(b"\n", 0, len(block) - 1) + 1
        self.begun[NO_KEY] = BegunRecord(bytearray(block[start:-1]), now)
        whole = block[:start]
        return whole if before is None else before + b"\n" + whole

    def join_each(
        self, lines: Sequence[bytes], opens: Sequence[object], goes_on: Callable[[bytes], object] | None, now: float
    ) -> list[bytes]:
        """Return the records that have ended. Without `goes_on`, every line goes on that opens none."""
        ended: list[bytes] = []
        record = self.begun.pop(NO_KEY, None)
        parts: list[bytes] | None = None if record is None else []
        for line, begins in zip(lines, opens, strict=True):
            if parts is not None and not begins and (goes_on is None or goes_on(line)):
                parts.append(line)
                continue
            if parts is not None:
                ended.append(self.end(record, parts, now))
            record = None
            if begins or goes_on is None:
                parts = [line]
            else:
                parts = None
                ended.append(line)
        if parts is not None:
            self.begun[NO_KEY] = self.grow(record, parts, now)
        return ended

    def grow(self, record: BegunRecord | None, parts: Sequence[bytes], now: float) -> BegunRecord:
        """Return the record that these lines go on with, or else begin."""
        if record is None:
            record = BegunRecord(bytearray(parts[0]), now)
            parts = parts[1:]
        was_cut = record.is_cut
        record.extend(parts, self.rule.separator, self.settings)
        record.since = now
        self.counts.lines_joined += len(parts)
        self.counts.cut += record.is_cut and not was_cut
        return record

    def end(self, record: BegunRecord | None, parts: Sequence[bytes], now: float) -> bytes:
        """Return the text of a record that has ended with these lines."""
        if record is None and len(parts) == 1:
            return parts[0]
        return self.count(self.grow(record, parts, now))

    def count(self, record: BegunRecord) -> bytes:
        """Return the text of a record that has ended, which is counted here if it has several lines."""
        self.counts.joined += record.lines > 1
        return bytes(record.text)

    def take_held(self) -> bytes | None:
        """Return the text of the record that is held, which has ended; None if none is."""
        record = self.begun.pop(NO_KEY, None)
        return None if record is None else self.count(record)

    def expire(self, since: float) -> bytes:
        """Return records that have not gone on since then, which have ended: `EXPIRE_BYTES` or so; call it again."""
        late: list[Key] = []
        size = 0
        for key, record in self.begun.items():
            if record.since > since or size >= EXPIRE_BYTES:
                break
            late.append(key)
            size += len(record.text)
        self.counts.timed_out += len(late)
        return self.release(late)

    def finish(self) -> bytes:
        """Return what is held: it is as it is."""
        return self.release(list(self.begun))

    def release(self, keys: Sequence[Key]) -> bytes:
        """Return some of the records that are held; they have ended."""
        self.counts.begun -= len(keys)
        return join_lines([self.count(self.begun.pop(key)) for key in keys])

    def forget(self) -> None:
        """Hold nothing any more: somebody else has it."""
        self.counts.begun -= len(self.begun)
        self.begun.clear()

    def spell(self) -> Spelled:
        """Return what is held, as JSON can write it."""
        return [record.spell(key) for key, record in self.begun.items()]

    def resume(self, spelled: object, now: float) -> bytes:
        """Hold what another joiner has held; return what cannot be: by another rule, it may be too much."""
        over: list[bytes] = []
        self.counts.begun -= len(self.begun)
        for key, record in read_records(spelled, now):
            place = self.place_of(key)
            if (earlier := self.begun.pop(place, None)) is not None:
                over.append(self.count(earlier))
            self.begun[place] = record
        self.counts.begun += len(self.begun)
        return join_lines(over)

    def place_of(self, key: Key) -> Key:
        """Return under what a record is held that another joiner held under `key`."""
        return NO_KEY
