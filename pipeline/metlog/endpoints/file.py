"""A file as an endpoint: a line for each message, as it came or its payload alone.

All that happens on the disk happens in a thread, one call at a time, and one write for a batch: while a slow disk takes
one, the next gathers. A call that has no end is left behind, and no other begins before it has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

import trio

from pipeline.endpoint_settings import FileEndpointSettings
from pipeline.errors import SettingError, describe_os_error
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.message import spell_value
from pipeline.metlog.endpoints.message_file import MessageFile
from pipeline.metlog.endpoints.queued_endpoint import WARNING_SECONDS, QueuedEndpoint
from pipeline.metlog.endpoints.reading import read_entry
from pipeline.ownership import find_group
from pipeline.rate_limit import RateLimit

logger = logging.getLogger(__name__)

SYNC_SECONDS = 1.0

ESCAPES = str.maketrans({"\n": "\\n", "\r": "\\r"})
"""So that a payload is one line, whatever is in it."""


class FileEndpoint(QueuedEndpoint):
    """Opens its file anew at SIGHUP, and when it was moved away or removed, as log rotations do."""

    def __init__(self, name: str, settings: FileEndpointSettings) -> None:
        super().__init__(name, str(settings.path), settings)
        is_synced = settings.fsync == "always"
        self.file = MessageFile(settings.path, settings.mode, find_group(settings.group), is_synced=is_synced)
        self.is_payload_only = settings.format == "payload"
        self.fsync = settings.fsync
        self.is_dirty = False
        self.limiter = trio.CapacityLimiter(1)
        self.warnings = RateLimit(WARNING_SECONDS)

    def prepare(self) -> None:
        """Open the file, and the spool if there is one."""
        try:
            self.file.open()
        except OSError as error:
            raise SettingError(
                f"The file {self.file.path} of metlog endpoint {self.name} cannot be written: "
                f"{describe_os_error(error)}."
            ) from error
        super().prepare()

    def reopen(self) -> None:
        """Open the file anew before the next write."""
        self.file.is_stale = True

    async def run(self) -> None:
        """Write what was taken, until cancelled."""
        async with trio.open_nursery() as nursery:
            if self.fsync == "interval":
                nursery.start_soon(self.sync_regularly)
            await super().run()

    async def send(self, entries: Sequence[Entry]) -> None:
        """Write messages."""
        lines = [find_payload(entry) if self.is_payload_only else entry.line for entry in entries]
        count, failure = await trio.to_thread.run_sync(self.write, lines, abandon_on_cancel=True, limiter=self.limiter)
        self.settle(delivered=count)
        if failure is not None:
            raise failure

    def write(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write lines. It is run in a thread."""
        self.is_dirty = True
        return self.file.write(lines)

    async def sync_regularly(self) -> None:
        """Bring what was written to the disk, each second at most."""
        while True:
            await trio.sleep(SYNC_SECONDS)
            if self.is_dirty:
                await trio.to_thread.run_sync(self.sync, abandon_on_cancel=True, limiter=self.limiter)

    def sync(self) -> None:
        """Bring what was written to the disk."""
        self.is_dirty = False
        try:
            self.file.sync()
        except OSError as error:
            if self.warnings.admit(int(monotonic())) is None:
                return
            logger.warning("The file %s was not brought to the disk: %s.", self.file.path, describe_os_error(error))

    def close(self) -> None:
        """Close the file and the spool.

        A call that was left behind keeps the file: it would write to whatever is opened next by the same number.
        """
        if not self.limiter.borrowed_tokens:
            if self.fsync == "interval" and self.is_dirty:
                self.sync()
            self.file.close()
        super().close()


def find_payload(entry: Entry) -> bytes:
    """Return the payload of an envelope, as one line."""
    return spell_value(read_entry(entry).record["payload"]).translate(ESCAPES).encode("utf-8", "replace")
