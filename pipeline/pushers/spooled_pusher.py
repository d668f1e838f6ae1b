"""What the destinations that want every sample have in common: what they could not take waits in a spool."""

from __future__ import annotations

from abc import abstractmethod

import trio

from pipeline.metrics import Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers.http import HttpConnection
from pipeline.pushers.http_pusher import HttpPusher
from pipeline.pushers.spool import Spool


class SpooledPusher(HttpPusher):
    """Sends what waits, the oldest first, for as long as one push has patience. What there was no time for waits on."""

    wants_every_sample = True

    def __init__(self, name: str, connection: HttpConnection, settings: PushSettings) -> None:
        super().__init__(name, connection.url)
        self.connection = connection
        self.patience = settings.metric_push_write_deadline_seconds / 2
        """How long one push sends what waits."""
        self.spool = Spool(settings.push_spool_bytes, self.counts)
        self.is_behind = False
        """Something waits although the last push went well: there was no time for it."""

    @abstractmethod
    async def pack(self, snapshot: Snapshot) -> None:
        """Put all of `snapshot` to what waits, made in turns with everything else."""

    @abstractmethod
    async def send_first(self, spool: Spool) -> int:
        """Send the oldest request of a spool; return how many of its series were taken.

        It is taken out unless it can be sent again; then that is a `PushError`.
        """

    async def keep(self, snapshot: Snapshot) -> None:
        """Put all of `snapshot` to what waits."""
        await self.pack(snapshot)

    async def finish(self) -> None:
        """Send what there was no time for."""
        while self.is_behind:
            await self.connection.connect()
            self.counts.series += await self.send()

    async def send(self) -> int:
        """Send what waits; return how many series were taken."""
        self.is_behind = False
        return await self.send_waiting(self.spool, trio.current_time())

    async def send_waiting(self, spool: Spool, begun: float) -> int:
        """Send what waits there, the oldest first; return how many series were taken. What takes too long waits on.

        Whatever is taken or refused waits no more, even if the rest cannot be sent.
        """
        taken = sent = 0
        while spool:
            if sent and trio.current_time() - begun > self.patience:
                self.is_behind = True
                break
            taken += await self.send_first(spool)
            sent += 1
        return taken
