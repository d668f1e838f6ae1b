"""What the sources have in common that are their own only part: all but patterns of paths."""

from __future__ import annotations

import os
from typing import Self

from pipeline.settings import SourceSettings
from pipeline.sources.surroundings import Surroundings
from pipeline.telemetry import SourceCounts


class SingleSource:
    """Has one origin, which is its name. Unless it says otherwise, what it has read cannot be read again."""

    def __init__(self, name: str, settings: SourceSettings, surroundings: Surroundings | None = None) -> None:
        self.name = name
        self.settings = settings
        self.surroundings = surroundings or Surroundings()
        self.counts = SourceCounts(os.fsencode(name))

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
