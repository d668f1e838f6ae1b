"""Pushes to Graphite: carbon's line protocol over TCP, on one connection that is kept.

Carbon answers nothing. What the kernel has taken counts as written; a connection that breaks afterwards is noticed by
the next push, which opens a new one and carries newer values.
"""

from __future__ import annotations

import logging

from pipeline.formats import carbon
from pipeline.metrics import Snapshot
from pipeline.pushers.connection import TcpConnection
from pipeline.settings import PushSettings, split_host_port

logger = logging.getLogger(__name__)


class GraphitePusher:
    """Sends each series as a line to `host` at `port`."""

    name = "graphite"

    def __init__(self, host: str, port: int, prefix: str, deadline_seconds: float) -> None:
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.prefix = prefix
        self.connection = TcpConnection(host, port, deadline_seconds)
        self.reported: set[str] = set()

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

    def disconnect(self) -> None:
        """Close the connection."""
        self.connection.disconnect()

    def report(self, problems: list[str]) -> None:
        """Log what cannot be told as it is, for each metric when it begins."""
        for problem in problems:
            if problem not in self.reported:
                logger.warning("%s", problem)
        self.reported = set(problems)


def make_graphite_pusher(settings: PushSettings) -> GraphitePusher | None:
    """Return the pusher that the settings ask for, if they do."""
    if not settings.graphite_host_port:
        return None
    host, port = split_host_port("graphite_host_port", settings.graphite_host_port)
    return GraphitePusher(host, port, settings.graphite_prefix, settings.metric_push_write_deadline_seconds)
