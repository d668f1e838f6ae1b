"""What the sources have in common that are their own only part: all but patterns of paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Self

from pipeline.batch import Deliver
from pipeline.settings import SourceSettings
from pipeline.sources.framing import LineFramer
from pipeline.sources.intake import Intake
from pipeline.sources.records import RecordWay, open_way
from pipeline.sources.surroundings import Surroundings
from pipeline.telemetry import SourceCounts


class SingleSource:
    """Has one origin, which is its name. Unless it says otherwise, what it has read cannot be read again."""

    def __init__(self, name: str, settings: SourceSettings, surroundings: Surroundings | None = None) -> None:
        self.name = name
        self.settings = settings
        self.surroundings = surroundings or Surroundings()
        self.counts = SourceCounts(os.fsencode(name))

    def make_intake(self, deliver: Deliver, make_framer: Callable[[int], LineFramer] = LineFramer) -> Intake:
        """Return the way of a new stream of lines."""
        records = self.open_records(deliver)
        return Intake(self.counts, deliver, self.settings.max_line_bytes, make_framer, records)

    def open_records(self, deliver: Deliver) -> RecordWay | None:
        """Return what joins the lines of a new stream, None if nothing does."""
        return open_way(self.settings, self.counts, deliver, self.surroundings.watch)

    @property
    def parts(self) -> tuple[Self, ...]:
        return (self,)

    @property
    def position(self) -> object:
        return None

    @property
    def waiting_bytes(self) -> int | None:
        return None

    @property
    def is_there(self) -> bool:
        return True
