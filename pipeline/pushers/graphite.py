"""Pushes to Graphite: carbon's line protocol over TCP or a unix socket, on one connection that is kept.

Carbon answers nothing. What the kernel has taken counts as written; a connection that breaks afterwards is noticed by
the next push, which opens a new one and carries newer values.
"""

from __future__ import annotations

from pipeline.formats import carbon
from pipeline.metrics import Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers.connection import make_stream_connection, spell_place
from pipeline.pushers.pusher import Pusher


class GraphitePusher(Pusher):
    """Sends each series as a line."""

    def __init__(self, settings: PushSettings) -> None:
        name, target = "graphite_host_port", settings.graphite.graphite_host_port
        super().__init__("graphite", spell_place(name, target))
        self.prefix = settings.graphite.graphite_prefix
        self.connection = make_stream_connection(name, target, settings.metric_push_write_deadline_seconds)

    async def connect(self) -> None:
        """Have a connection: the one of the last push, if carbon has not closed it."""
        await self.connection.connect()

    async def write(self, snapshot: Snapshot) -> int:
        """Send all series, with the values of the moment at which each goes."""
        writer = carbon.Writer(self.prefix)
        for piece in writer.write(snapshot):
            await self.connection.send(piece)
        self.report(writer.problems)
        return writer.series

    async def disconnect(self) -> None:
        """Close the connection."""
        self.connection.disconnect()
