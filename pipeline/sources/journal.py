"""The journal of systemd: the machine's own, or journal files at a path.

The journal is on disk, and remembers for us: what was logged while we were away is read from where we
were (`position` is the cursor of the last entry delivered), as long as journald has not deleted it.

Entries are read in slices: libsystemd reads files mapped into memory, and does not return before it has.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import trio

from pipeline.batch import Deliver
from pipeline.errors import SettingError, describe_os_error
from pipeline.settings import ReadFrom, SourceSettings, find_zone
from pipeline.sources.intake import MAX_DRAIN_BYTES, READ_BYTES, Intake
from pipeline.sources.journal_lines import LineWriter
from pipeline.sources.journal_query import parse_query
from pipeline.sources.records import Spelled
from pipeline.sources.single_source import SingleSource
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.waiting import wait_readable, yield_after

if TYPE_CHECKING:
    from pipeline.sources.journal_reader import JournalReader

logger = logging.getLogger(__name__)

REOPEN_SECONDS = 2.0
"""How often journal files are looked for as long as there are none, as when journald has yet to start."""

SLICE_SECONDS = 0.005
"""How long entries are read before the programs run on them and others have their turn."""


class JournalSource(SingleSource):
    """Reads one journal. `name` is as the operator wrote it."""

    def __init__(self, spec: str, settings: SourceSettings, surroundings: Surroundings | None = None) -> None:
        super().__init__(spec, settings, surroundings)
        self.query = parse_query(spec)
        self.reader: JournalReader | None = None
        self.writer = LineWriter(find_zone("Local"), message_only=self.query.message_only)
        self.cursor: str | None = None
        """The last entry read, "" before the first of an empty journal, None where nothing is known yet."""
        self.saved_records: Spelled = ()
        """Records that the last run had begun by then."""
        self.intake: Intake | None = None
        match self.surroundings.positions.get(spec):
            case str(cursor):
                self.cursor = cursor
            case {"cursor": str(cursor), "records": list(records)}:
                self.cursor, self.saved_records = cursor, records

    @property
    def position(self) -> object:
        """The last entry read, and with it the records that have begun: their lines were not delivered yet."""
        records = self.begun_records
        return {"cursor": self.cursor, "records": list(records)} if records and self.cursor else self.cursor

    @property
    def descriptors(self) -> tuple[int, ...]:
        """None: what wakes us is that something was logged, and that need not be for us."""
        return ()

    def prepare(self) -> None:
        self.surroundings.add_counts(self.counts)
        try:
            reader = self.open()
        except ImportError as error:
            raise SettingError(f"{self.name} needs the Python package systemd-python, which is missing.") from error
        except OSError as error:
            self.close()
            raise SettingError(f"{self.name} cannot be opened: {describe_os_error(error)}.") from error
        if not reader.finds_files:
            logger.warning(
                "%s: there is no journal file that can be read. It is looked for every %g s. Users other than root "
                "must be in the group systemd-journal.",
                self.name,
                REOPEN_SECONDS,
                extra={"source": self.name},
            )

    def open(self) -> JournalReader:
        """Open where the reading is to go on; raises `OSError`, and `ImportError` without systemd-python."""
        from pipeline.sources.journal_reader import JournalReader

        self.close()
        self.reader = JournalReader.open(self.query, self.settings.max_line_bytes)
        self.seek(self.reader)
        return self.reader

    def seek(self, reader: JournalReader) -> None:
        """Go to where the last run stopped, or to where this one is to begin."""
        if self.cursor is not None:
            try:
                reader.seek_behind(self.cursor)
            except ValueError:
                logger.warning(
                    "%s: the position %r that was kept is none. It is read as if none had been kept.",
                    self.name,
                    self.cursor,
                    extra={"source": self.name},
                )
            else:
                return
        if self.settings.read_from is ReadFrom.START:
            reader.seek_head()
            self.cursor = ""
        else:
            self.cursor = reader.seek_end()

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        intake = self.begin(deliver)
        try:
            task_status.started()
            reader = await self.wait_files()
            while True:
                if self.read(reader, intake):
                    await trio.lowlevel.checkpoint()
                    await yield_after(0, self.surroundings.wait_room)
                else:
                    await wait_readable(reader.fileno(), reader.timeout_seconds)
                    reader.process()
        except trio.Cancelled:
            self.drain(intake)
            if not self.settings.read_positions:
                intake.finish()
            raise
        finally:
            self.close()

    def begin(self, deliver: Deliver) -> Intake:
        """Return the way of the lines to come, which goes on with the records that the last way has begun."""
        intake = self.make_intake(deliver)
        intake.resume_records(self.begun_records)
        if self.intake is not None:
            self.intake.forget()
        self.intake, self.saved_records = intake, ()
        return intake

    @property
    def begun_records(self) -> Spelled:
        """The records that have begun, of this run or of the last."""
        return self.saved_records if self.intake is None else self.intake.begun_records

    async def wait_files(self) -> JournalReader:
        """Return the reader when it finds files: libsystemd notices them in folders only that it has found already."""
        assert self.reader is not None, "prepare() comes first"
        reader = self.reader
        while not reader.finds_files:
            await trio.sleep(REOPEN_SECONDS)
            reader = self.open()
        return reader

    def read(self, reader: JournalReader, intake: Intake) -> int:
        """Deliver the entries of one slice; return how many there were, 0 at the end of the journal."""
        entries = size = 0
        lines = []
        end = time.monotonic() + SLICE_SECONDS
        while reader.step():
            entries += 1
            if (line := self.read_line(reader)) is not None:
                lines.append(line)
                size += len(line) + 1
            if size >= READ_BYTES or time.monotonic() >= end:
                break
        if entries:
            self.cursor = reader.cursor
        if lines:
            lines.append(b"")
            self.counts.bytes_read += size
            intake.feed(b"\n".join(lines), size)
        return entries

    def read_line(self, reader: JournalReader) -> bytes | None:
        """Return the line of an entry; None if it has no message, or cannot be read."""
        try:
            entry = reader.read_entry()
        except OSError as error:
            self.report_failure(error)
            return None
        return None if entry is None else self.writer.write(entry)

    def drain(self, intake: Intake) -> None:
        """Deliver what has been logged by now, as far as time and `MAX_DRAIN_BYTES` reach."""
        assert self.reader is not None, "it is closed later"
        reader = self.reader
        reader.process()
        limit = self.counts.bytes_read + MAX_DRAIN_BYTES
        while self.counts.bytes_read < limit and self.surroundings.may_drain() and self.read(reader, intake):
            pass

    def report_failure(self, error: OSError) -> None:
        """Count an entry that cannot be read; the first one is also logged."""
        self.counts.errors += 1
        if self.counts.errors == 1:
            logger.error(
                "An entry of %s cannot be read: %s. It is left out; more failures are only counted.",
                self.name,
                describe_os_error(error),
                extra={"source": self.name},
            )

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()
            self.reader = None
