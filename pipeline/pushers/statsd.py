"""Pushes to statsd: several lines in a UDP datagram, or on one connection to a unix stream socket.

Statsd answers nothing. What the kernel has taken counts as told, unless it is known at once that nobody listens; what
could not be sent is in the next difference.

What finds no room in statsd's buffer the kernel throws away without a word. So a push of many datagrams makes pauses,
in which statsd, which may be on this host, reads.
"""

from __future__ import annotations

from pathlib import Path

import trio

from pipeline.formats import statsd
from pipeline.metrics import Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers.connection import DatagramConnection, UnixConnection, spell_place
from pipeline.pushers.pusher import Pusher
from pipeline.setting_checks import split_place

# Of 100,000 lines at once a statsd on a busy host of two processors lost up to 6,000; with pauses like these, none
# (measured). The buffer that Linux gives has room for 90 such datagrams.
DATAGRAMS_AT_ONCE = 16
PAUSE_SECONDS = 0.001


class StatsdPusher(Pusher):
    """Sends what each series has become, or by how much it has grown."""

    def __init__(self, settings: PushSettings, began: int) -> None:
        """Of a program that is loaded late, an earlier run has told what began before `began`, in ns since 1970."""
        target = settings.statsd.statsd_hostport
        place = split_place("statsd_hostport", target)
        super().__init__("statsd", spell_place("statsd_hostport", target))
        self.prefix = settings.statsd.statsd_prefix
        self.told = None if settings.statsd.statsd_totals else statsd.Told(began)
        self.connection = UnixConnection(place) if isinstance(place, Path) else DatagramConnection(*place)
        self.is_stream = isinstance(place, Path)
        self.sent = 0
        """How many pieces, of which datagrams need pauses."""

    def begin(self, snapshot: Snapshot) -> None:
        """Take note of what an earlier run has told."""
        if self.told is not None:
            self.told.begin(snapshot)

    async def connect(self) -> None:
        """Have a socket for the address that statsd has now, or the connection of the last push."""
        await self.connection.connect()

    async def write(self, snapshot: Snapshot) -> int:
        """Send what there is to tell, with the values of the moment at which each line is made."""
        writer = statsd.Writer(self.prefix, self.told, self.is_stream)
        series = 0
        for piece in writer.write(snapshot):
            if piece.data:
                await self.connection.send(piece.data)
                piece.note()
                series += piece.series
                await self.pause()
            else:
                await trio.lowlevel.checkpoint()
        self.report(writer.problems)
        return series

    async def pause(self) -> None:
        """Let statsd read, when it has got some datagrams."""
        self.sent += 1
        if not self.is_stream and self.sent % DATAGRAMS_AT_ONCE == 0:
            await trio.sleep(PAUSE_SECONDS)

    async def disconnect(self) -> None:
        """Close the socket."""
        self.connection.disconnect()
