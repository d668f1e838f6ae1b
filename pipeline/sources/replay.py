"""A file that is read once, from its start to its end, without waiting for more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.batch import Batch
from pipeline.errors import SettingError, describe_os_error
from pipeline.settings import SourceSettings
from pipeline.sources.intake import READ_BYTES, STDIN, STDIN_NAMES, Intake
from pipeline.telemetry import SourceCounts


class ReplayFile:
    """A file, a pipe or standard input (`-`). `bytes_read` tells how far it has been read."""

    def __init__(self, spec: str, settings: SourceSettings) -> None:
        if spec.startswith(("unix://", "unixgram://")):
            raise SettingError(f"{spec} is a socket, which has no end: only files and standard input can be replayed.")
        self.is_stdin = spec in STDIN_NAMES
        path = spec.removeprefix("file://")
        self.name = spec if self.is_stdin else os.path.normpath(Path.cwd() / path)
        self.counts = SourceCounts(os.fsencode(self.name))
        self.max_line_bytes = settings.max_line_bytes
        self.bytes_read = 0

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
        intake = Intake(self.counts, batches.append, self.max_line_bytes)
        for data in self.read():
            self.bytes_read += len(data)
            intake.feed(data)
            yield from batches
            batches.clear()
        intake.finish()
        yield from batches

    def read(self) -> Iterator[bytes]:
        """Read to the end."""
        try:
            descriptor = os.dup(STDIN) if self.is_stdin else os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self.refuse(error) from error
        try:
            while data := os.read(descriptor, READ_BYTES):
                yield data
        except OSError as error:
            raise self.refuse(error) from error
        finally:
            os.close(descriptor)

    def refuse(self, error: OSError) -> SettingError:
        """Return what to tell the operator."""
        return SettingError(f"{self.name} cannot be read: {describe_os_error(error)}.")
