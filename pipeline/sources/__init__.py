"""Where lines come from. A kind of source is a module here and a row in `SOURCES` (`kinds.py`).

What waits for lines is imported from `kinds` and `source`: it needs Trio, whose import takes longer than
many a `replay` (0.1 s), which needs no event loop.
"""

from __future__ import annotations

from pipeline.sources.replay import ReplayFile

__all__ = ["ReplayFile"]
