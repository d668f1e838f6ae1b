"""Lines of several writers to records: what stands before the message says whose a line is. Pure.

A syslog daemon puts time, host and tag before each line, and the lines of one trace stand among those of other
programs. So a line goes on with the last record of the same host and tag, whatever came between, and the patterns look
at what is behind the header. The lines that go on lose theirs: in the record it stands once.
"""

from __future__ import annotations

from itertools import islice

from pipeline.record_settings import RecordSettings
from pipeline.sources.records.begun import Key, join_lines, split_lines
from pipeline.sources.records.joiner import NO_KEY, RecordJoiner
from pipeline.sources.records.rules import Header, RecordRule, compile_rule
from pipeline.telemetry import RecordCounts


class RecordSorter(RecordJoiner):
    """Joins lines that have the same groups in their headers. Records leave in the order in which they end."""

    def __init__(self, rule: RecordRule, header: Header, counts: RecordCounts) -> None:
        super().__init__(rule, counts)
        self.header = header

    def join(self, block: bytes, now: float, *, is_ascii: bool) -> bytes:
        others = self.counts.begun - len(self.begun)
        lines = split_lines(block)
        keys, messages = self.split_headers(lines, is_ascii=is_ascii)
        opens = self.find_openings(messages, is_ascii=is_ascii)
        goes_on = self.find_goes_on(is_ascii=is_ascii)
        if goes_on is not None and not self.begun and not any(opens):
            return block
        ended: list[bytes] = []
        begun = self.begun
        fresh: dict[Key, list[bytes]] = {}  # the lines of this block, of records that may go on
        for line, key, message, begins in zip(lines, keys, messages, opens, strict=True):
            parts = fresh.get(key)
            is_open = parts is not None or key in begun
            if is_open and not begins and (goes_on is None or goes_on(message)):
                if parts is None:
                    fresh[key] = [message]
                else:
                    parts.append(message)
                continue
            if is_open:
                ended.append(self.end(begun.pop(key, None), parts or (), now))
            fresh.pop(key, None)  # what begins anew stands behind the others
            if begins or goes_on is None:
                fresh[key] = [line]
            else:
                ended.append(line)
        for key, parts in fresh.items():
            begun[key] = self.grow(begun.pop(key, None), parts, now)  # behind the others: it is the youngest
        self.make_room(self.settings.max_open_records - others, ended)
        return join_lines(ended)

    def split_headers(self, lines: list[bytes], *, is_ascii: bool) -> tuple[list[Key], list[bytes]]:
        """Return whose each line is, and what is behind its header. A line without one is all message."""
        search = self.header.ascii if is_ascii else self.header.utf8
        keys: list[Key] = []
        messages: list[bytes] = []
        for line, match in zip(lines, map(search, lines), strict=True):
            if match is None:
                keys.append(NO_KEY)
                messages.append(line)
            else:
                keys.append(match.groups())
                messages.append(line[len(match[0] or b"") :])
        return keys, messages

    def make_room(self, places: int, ended: list[bytes]) -> None:
        """Have those records end that have waited longest, if there are too many; other connections hold some, too."""
        surplus = max(len(self.begun) - max(places, 0), 0)
        self.counts.evicted += surplus
        # All at once: to look for the first key of a dictionary again and again takes longer each time.
        ended.extend([self.count(self.begun.pop(key)) for key in list(islice(self.begun, surplus))])

    def place_of(self, key: Key) -> Key:
        return key


def make_joiner(settings: RecordSettings, counts: RecordCounts) -> RecordJoiner:
    """Return what joins lines as the settings say; raises `SettingError` for a pattern that is none."""
    rule = compile_rule(settings)
    return RecordJoiner(rule, counts) if rule.header is None else RecordSorter(rule, rule.header, counts)
