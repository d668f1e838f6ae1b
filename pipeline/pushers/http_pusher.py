"""What the destinations that speak HTTP have in common."""

from __future__ import annotations

from pipeline.pushers.http import HttpConnection
from pipeline.pushers.pusher import Pusher


class HttpPusher(Pusher):
    """Pushes over a connection that is made by the first request, since httpx makes none before."""

    connection: HttpConnection

    @property
    def is_reached(self) -> bool:
        """Whether there was a connection for the last request."""
        return self.connection.is_reached

    async def connect(self) -> None:
        """Have the connection of the last push, or let the next request make one."""
        await self.connection.connect()

    async def disconnect(self) -> None:
        """Close the connection."""
        await self.connection.disconnect()
