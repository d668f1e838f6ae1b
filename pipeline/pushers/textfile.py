"""Writes the page of metrics to a file, for the textfile collector of the Prometheus node exporter.

The file is there as a whole at any time: the new one is made beside it, under a name that the collector does not read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from pipeline.metrics import Snapshot
from pipeline.new_file import NewFile
from pipeline.push_settings import PushSettings
from pipeline.pushers.pusher import PushContext, Pusher
from pipeline.pushers.text_page import TextPage


class TextfilePusher(Pusher):
    """Replaces the file with each push. The last one stays when the daemon ends: its age tells how old the values are.

    A thread writes it, because a disk may keep one waiting. If that takes too long, the thread is left behind, and
    there is no second one before it has ended: so files take their place in the order in which they were made.
    """

    def __init__(self, path: Path, settings: PushSettings, context: PushContext) -> None:
        super().__init__("textfile", os.fspath(path))
        self.path = path
        self.mode = settings.textfile.textfile_mode
        self.page = TextPage(context.options)
        self.limiter = trio.CapacityLimiter(1)

    async def connect(self) -> None:
        """Do nothing: there is no way to a file but writing it."""
        await trio.lowlevel.checkpoint()

    async def write(self, snapshot: Snapshot) -> int:
        """Write the page, with the values of the moment at which each piece is made."""
        pieces = []
        for piece in self.page.write(snapshot):
            pieces.append(piece)
            await trio.lowlevel.checkpoint()
        self.report(self.page.problems)
        work = partial(replace_file, NewFile(self.path, self.mode), pieces)
        await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self.limiter)
        return self.page.series

    async def disconnect(self) -> None:
        """Do nothing: what is written is there."""
        await trio.lowlevel.checkpoint()


def replace_file(new: NewFile, pieces: Sequence[bytes]) -> None:
    """Write `pieces` and put them in place; raises `OSError`, and then nothing has changed."""
    try:
        new.create()
        new.write(b"".join(pieces))
        new.put_in_place()
    except BaseException:
        new.discard()
        raise
