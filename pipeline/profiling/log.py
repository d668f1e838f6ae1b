"""The lines that a program is profiled with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

from pipeline.batch import Batch
from pipeline.record_settings import RecordSettings
from pipeline.settings import SourceSettings
from pipeline.sources import ReplayFile

MAX_BYTES = 16 * 1024 * 1024
"""Of the log's beginning. They are kept in memory, because they are run again and again."""

BATCH_BYTES = 256 * 1024
"""What the daemon reads at once when it is busy. A log that has less is repeated up to it."""


@dataclass(frozen=True, slots=True)
class LogSample:
    """Lines of one log: `blocks` are the texts of batches, `lines` is how many the log gave, 0 if it is empty."""

    name: str
    origin: bytes
    blocks: tuple[bytes, ...]
    lines: int

    def repeat(self) -> Iterator[Batch]:
        """Yield the batches again and again, each as the daemon gets it: not yet split."""
        for block in cycle(self.blocks):
            yield Batch(block, self.origin)


def read_sample(spec: str, records: tuple[RecordSettings, ...] = ()) -> LogSample:
    """Read the beginning of a file, or of standard input (`-`); `SettingError` when it cannot be read."""
    file = ReplayFile(spec, SourceSettings(logs=(spec,), records=records))
    file.measure()
    batches: list[Batch] = []
    for batch in file.read_batches():
        batches.append(batch)
        if file.bytes_read >= MAX_BYTES:
            break
    blocks = tuple(batch.block for batch in batches)
    lines = sum(batch.line_count for batch in batches)
    size = sum(map(len, blocks))
    if 0 < size < BATCH_BYTES:
        blocks = (b"".join(blocks) * -(-BATCH_BYTES // size),)
    return LogSample(spec, file.counts.origin, blocks, lines)
