"""Lines of several writers to records: what stands before the message says whose a line is. Pure.

A syslog daemon puts time, host and tag before each line, and the lines of one trace stand among those of other
programs. So a line goes on with the last record of the same host and tag, whatever came between, and the patterns look
at what is behind the header. The lines that go on lose theirs: in the record it stands once.
"""

from __future__ import annotations

from pipeline.record_settings import RecordSettings
from pipeline.sources.records.begun import BegunRecord, Key, join_lines
from pipeline.sources.records.joiner import NO_KEY, RecordJoiner
from pipeline.sources.records.rules import Header, RecordRule, compile_rule
from pipeline.telemetry import RecordCounts


class RecordSorter(RecordJoiner):
    """Joins lines that have the same groups in their headers. Records leave in the order in which they end."""

    def __init__(self, rule: RecordRule, header: Header, counts: RecordCounts) -> None:
        super().__init__(rule, counts)
        self.header = header

    def join(self, block: bytes, lines: list[bytes], now: float, *, is_ascii: bool) -> bytes:
        keys, messages = self.split_headers(lines, is_ascii=is_ascii)
        opens = self.find_openings(messages, is_ascii=is_ascii)
        goes_on = None
        if self.rule.start is not None and self.rule.goes_on is not None:
            goes_on = self.rule.goes_on.ascii if is_ascii else self.rule.goes_on.utf8
            if not self.begun and not any(opens):
                return block
        ended: list[bytes] = []
        separator, settings = self.rule.separator, self.settings
        for line, key, message, begins in zip(lines, keys, messages, opens, strict=True):
            record = self.begun.pop(key, None)
            if record is not None and not begins and (goes_on is None or goes_on(message)):
                record.add(message, separator, settings)
                record.since = now
                self.begun[key] = record  # behind the others, because it is the youngest now
                continue
            if record is not None:
                ended.append(self.count(record))
            if begins or goes_on is None:
                self.begun[key] = BegunRecord(bytearray(line), now)
                self.make_room(ended)
            else:
                ended.append(line)
        return join_lines(ended)

    def split_headers(self, lines: list[bytes], *, is_ascii: bool) -> tuple[list[Key], list[bytes]]:
        """Return whose each line is, and what is behind its header. A line without one is all message."""
        search, indexes = self.header.ascii if is_ascii else self.header.utf8, self.header.indexes
        keys: list[Key] = []
        messages: list[bytes] = []
        for line in lines:
            if (match := search(line)) is None:
                keys.append(NO_KEY)
                messages.append(line)
            else:
                # With a mark in front, what has a header never meets what has none.
                keys.append((b"", *[match[index] for index in indexes]))
                messages.append(line[len(match[0] or b"") :])
        return keys, messages

    def make_room(self, ended: list[bytes]) -> None:
        """Have the record end that has waited longest, if there are too many."""
        if len(self.begun) > self.settings.max_open_records:
            oldest = next(iter(self.begun))
            self.counts.evicted += 1
            ended.append(self.count(self.begun.pop(oldest)))

    def place_of(self, key: Key) -> Key:
        return key


def make_joiner(settings: RecordSettings, counts: RecordCounts) -> RecordJoiner:
    """Return what joins lines as the settings say; raises `SettingError` for a pattern that is none."""
    rule = compile_rule(settings)
    return RecordJoiner(rule, counts) if rule.header is None else RecordSorter(rule, rule.header, counts)
