"""One journal, opened through python-systemd: libsystemd's sd-journal(3), whose entries are taken as bytes.

Imported when a journal is opened, because it needs a package that is compiled against libsystemd.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import systemd.journal

from pipeline.sources.journal_lines import Entry
from pipeline.sources.journal_query import JournalQuery

FIELD_BYTES = 64
"""More than the name of a field that we read, with its `=`."""

MAX_OTHER_BYTES = 256
"""What is taken of a field beside the message. The name of a host has at most 64 bytes, and a sender may call himself
anything."""

MAX_TIME = 1 << 55
"""Microseconds that libsystemd takes for no time any more (VALID_REALTIME)."""


class JournalReader(systemd.journal.Reader):  # type: ignore[misc] # the package has no types
    """Reads one entry after another; without the conversions of its base, which makes objects of every field.

    Of a message `max_message_bytes` and a little more are taken, so that its line shows that it was longer: journald
    takes messages of 700 MB from anybody, and to escape the control characters of one takes 1 s for each megabyte.
    """

    max_message_bytes: int

    @classmethod
    def open(cls, query: JournalQuery, max_message_bytes: int) -> JournalReader:
        """Open, for those entries that the query wants. Raises `OSError`."""
        if query.root:
            reader = cls(flags=systemd.journal.OS_ROOT, path=query.root)
        elif not query.path:
            reader = cls()
        elif Path(query.path).is_dir():
            reader = cls(path=query.path)
        else:
            reader = cls(files=[query.path])
        reader.max_message_bytes = max_message_bytes + FIELD_BYTES
        # Of a compressed field libsystemd need not unpack more (sd_journal_set_data_threshold(3)), as long as
        # it shows that there is more.
        reader.data_threshold = max_message_bytes + FIELD_BYTES
        # The first call begins to watch (sd_journal_get_fd(3)): what comes after it wakes us.
        reader.fileno()
        for condition in query.conditions:
            for term in condition:
                for match in term:
                    reader.add_match(os.fsencode(match))
                reader.add_disjunction()
            reader.add_conjunction()
        return reader

    @property
    def finds_files(self) -> bool:
        """Whether there is a journal file that we may read."""
        return bool(self.get_usage())

    @property
    def timeout_seconds(self) -> float:
        """How long to wait at most: on a network file system nobody wakes us (sd_journal_get_timeout(3))."""
        milliseconds: int = self.get_timeout_ms()
        return math.inf if milliseconds < 0 else milliseconds / 1000

    def seek_end(self) -> str:
        """Go behind the last entry, and return its cursor; where there is none yet, "" and to the beginning."""
        self.seek_tail()
        # sd_journal_next(3) right behind sd_journal_seek_tail(3) may go anywhere (systemd issue 9934).
        if self._previous():
            return self.cursor
        self.seek_head()
        return ""

    def seek_behind(self, cursor: str) -> None:
        """Go behind the entry of this cursor; where it is gone, before the nearest after it. "" is the beginning.

        Raises `ValueError` if it is no cursor.
        """
        if not cursor:
            self.seek_head()
            return
        self.seek_cursor(cursor)
        if self._next() and not self.test_cursor(cursor):
            self.seek_cursor(cursor)

    def step(self) -> bool:
        """Go to the next entry; return whether there was one."""
        return bool(self._next())

    @property
    def cursor(self) -> str:
        """What names the entry we are at."""
        return str(self._get_cursor())

    def read_entry(self) -> Entry | None:
        """Return the entry we are at, None if it has no message. Raises `OSError` if it cannot be read."""
        message = self.find("MESSAGE", self.max_message_bytes)
        if message is None:
            return None
        return Entry(
            time=self.read_time(),
            host=self.find("_HOSTNAME") or b"",
            identifier=self.find("SYSLOG_IDENTIFIER") or self.find("_COMM") or b"",
            process=self.find("SYSLOG_PID") or self.find("_PID") or b"",
            message=message,
        )

    def read_time(self) -> int:
        """Return when the entry was sent, as far as the sender could be asked, else when it was received."""
        sent = self.find("_SOURCE_REALTIME_TIMESTAMP")
        if sent is not None and sent.isdigit() and 0 < int(sent) < MAX_TIME:
            return int(sent)
        return int(self._get_realtime())

    def find(self, name: str, max_bytes: int = MAX_OTHER_BYTES) -> bytes | None:
        """Return a field of the entry, the first if there are several of the name, None if there is none."""
        try:
            value: bytes = self._get(name)
        except KeyError:
            return None
        return value[:max_bytes]
