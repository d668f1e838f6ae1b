"""Regular files, by path or pattern: found, followed through rotation, gone on with after a restart."""

from __future__ import annotations

from pipeline.sources.files.pattern import PathPattern, has_wildcard
from pipeline.sources.files.source import PathSource

__all__ = ["PathPattern", "PathSource", "has_wildcard"]
