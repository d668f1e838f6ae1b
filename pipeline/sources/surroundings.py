"""What a source finds around it: what the last run left, and whom it tells what it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pipeline.descriptors import Descriptors
from pipeline.sources.ledger import Ledger
from pipeline.sources.records import RecordWatch
from pipeline.telemetry import SourceCounts

WaitRoom: TypeAlias = Callable[[], Awaitable[None]]
"""Returns when there is room for more of what was delivered; at once where there is."""


async def save_nothing() -> None:
    """Where no state is kept, there is nothing to wait for."""


@dataclass(slots=True)
class Surroundings:
    """By default nothing: no systemd, no earlier run, nobody who listens."""

    descriptors: Descriptors = field(default_factory=Descriptors)
    positions: Mapping[str, object] = field(default_factory=dict)
    """How far the last run read each source, by its name: what its `position` returned."""
    add_counts: Callable[[SourceCounts], None] = lambda _: None
    """To be told of what begins to be counted: by its name, the origin."""
    remove_counts: Callable[[SourceCounts], None] = lambda _: None
    """To be told of what is not counted any more."""
    may_drain: Callable[[], bool] = lambda: True
    """Whether there is time left to read on, at the end."""
    save: Callable[[], Awaitable[None]] = save_nothing
    """Returns when what was counted so far is on the disk, if it is to be."""
    stop: Callable[[], None] = lambda: None
    """Has the whole daemon end in good order."""
    ledger: Ledger = field(default_factory=Ledger)
    """Which files are read: two patterns may match the same one."""
    watch: RecordWatch = field(default_factory=RecordWatch)
    """Whom to tell of records that wait for their next line."""
    wait_room: WaitRoom | None = None
    """To be awaited after each batch by a source that can be read later as well: by files, the journal and standard
    input. Who writes to a pipe or a socket would wait, or lose what has nothing to do with who is slow, and to the
    watchdog the source would be stuck. None where nothing of it waits."""
    keeps_state: bool = False
    """Whether what `position` returns goes over to the next run, also that of sources that cannot be read again."""
