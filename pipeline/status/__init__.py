"""What the status pages show: the parts of the daemon are looked at, and keep nothing for it."""

from __future__ import annotations

from pipeline.status.reader import Parts, StatusReader

__all__ = ["Parts", "StatusReader"]
