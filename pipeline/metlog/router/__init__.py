"""Decides for each message, by its labels, which endpoints get it."""

from __future__ import annotations

from pipeline.metlog.router.faults import EXPLANATIONS
from pipeline.metlog.router.router import InvalidLine, Router
from pipeline.metlog.router.service import RouterService

__all__ = ["EXPLANATIONS", "InvalidLine", "Router", "RouterService"]
