"""Where lines come from. A kind of source is a module here and a row in `SOURCES` (`kinds.py`)."""

from __future__ import annotations

from pipeline.settings import SourceSettings
from pipeline.sources.intake import Source
from pipeline.sources.replay import ReplayFile

__all__ = ["ReplayFile", "Source", "parse_sources"]


def parse_sources(settings: SourceSettings) -> list[Source]:
    """Return the sources that `--logs` names; one that is named twice is read once.

    They wait on Trio, and `replay` does not. Its import takes 0.1 s, longer than many a replay: so it comes late.
    """
    from pipeline.sources import kinds

    return kinds.parse_sources(settings)
