"""Spools with small segments, emptied, killed, or on a disk that is full."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.message_counts import EndpointCounts
from pipeline.metlog.endpoints.spool import Spool
from tests.metlog.endpoints.messages import read_number

SEGMENT_BYTES = 600
"""Room for five small messages or so."""


def make_spool(folder: Path, max_bytes: int = 10**7, fsync: str = "never") -> Spool:
    """Return a spool that is open, with small segments, of which little is in memory."""
    spool = Spool(
        EndpointCounts("spooled"),
        folder,
        max_bytes=max_bytes,
        max_memory_messages=1000,
        max_memory_bytes=2000,
        fsync=fsync,
    )
    spool.segment_bytes = SEGMENT_BYTES
    spool.ahead_bytes = 300
    spool.retry_seconds = 0.0
    spool.open()
    return spool


async def drain(spool: Spool, at_once: int = 10) -> list[int]:
    """Take out all messages, and return their numbers."""
    numbers = []
    while entries := await spool.fetch(at_once, 10**6):
        numbers += [read_number(entry.line) for entry in entries]
        spool.counts.delivered += len(entries)
        spool.settle(len(entries))
    return numbers


def die(spool: Spool) -> None:
    """Have the spool end as the kernel ends a process that is killed: it closes descriptors and does nothing else."""
    for descriptor in (spool.writer.descriptor, *spool.writer.ended):
        if descriptor is not None:
            os.close(descriptor)
    spool.folder.close()
