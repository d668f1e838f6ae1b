"""A file that is read once, from its start to its end, without waiting for more."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.batch import Batch
from pipeline.errors import SettingError, describe_os_error
from pipeline.settings import SourceSettings
from pipeline.sources.compressed import find_compression
from pipeline.sources.intake import STDIN, STDIN_NAMES, Intake, widen_pipe
from pipeline.sources.records import RecordWatch, check_rules, open_way
from pipeline.telemetry import SourceCounts


class ReplayFile:
    """A file, a pipe or standard input (`-`). `bytes_read` tells how far it has been read."""

    def __init__(self, spec: str, settings: SourceSettings) -> None:
        if spec.startswith("journal://"):
            raise SettingError(f"{spec} has no end: only files and standard input can be replayed.")
        if spec.startswith(("unix://", "unixgram://", "tcp://", "udp://")):
            raise SettingError(f"{spec} is a socket, which has no end: only files and standard input can be replayed.")
        self.spec = spec
        self.is_stdin = spec in STDIN_NAMES
        path = spec.removeprefix("file://")
        self.name = spec if self.is_stdin else os.path.normpath(Path.cwd() / path)
        self.counts = SourceCounts(os.fsencode(self.name))
        self.settings = settings
        check_rules(settings.records)
        self.bytes_read = 0
        self.is_text = False
        """Its beginning has been seen, and is not compressed."""

    def measure(self) -> int:
        """Return the size in bytes, 0 where it has none; raises `SettingError` when nothing is there."""
        try:
            status = os.fstat(STDIN) if self.is_stdin else Path(self.name).stat()
        except OSError as error:
            raise self.refuse(error) from error
        return status.st_size

    def read_batches(self) -> Iterator[Batch]:
        """Read to the end, the unended last line included; raises `SettingError` when it cannot be read."""
        batches: list[Batch] = []
        # Nobody has records delivered that wait: the rest of each is there already, or will never be.
        records = open_way(self.settings, self.counts, batches.append, RecordWatch(), self.spec)
        intake = Intake(self.counts, batches.append, self.settings.max_line_bytes, records=records)
        for size in self.read(intake):
            self.require_text(batches)
            self.bytes_read += size
            yield from batches
            batches.clear()
        intake.finish()
        self.require_text(batches)
        yield from batches

    def require_text(self, batches: Sequence[Batch]) -> None:
        """Raise `SettingError` when the file begins as a compressed one: nothing in it would match, unnoticed."""
        if self.is_text or not batches:
            return
        if program := find_compression(batches[0].block):
            raise SettingError(f"{self.name} is compressed by {program}: pipe it through {program} -dc to --logs -.")
        self.is_text = True

    def read(self, intake: Intake) -> Iterator[int]:
        """Read to the end; yield after each read how many bytes there were."""
        try:
            descriptor = self.open()
        except OSError as error:
            raise self.refuse(error) from error
        try:
            while size := intake.read(descriptor):
                yield size
        except OSError as error:
            raise self.refuse(error) from error
        finally:
            os.close(descriptor)

    def open(self) -> int:
        """Open what is named; a pipe is made to hold as much as it may."""
        descriptor = os.dup(STDIN) if self.is_stdin else os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            widen_pipe(descriptor)
        return descriptor

    def refuse(self, error: OSError) -> SettingError:
        """Return what to tell the operator."""
        return SettingError(f"{self.name} cannot be read: {describe_os_error(error)}.")
