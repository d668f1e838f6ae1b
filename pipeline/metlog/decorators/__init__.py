"""Decorators that are bound when their function is first called, after the configuration was read."""

from __future__ import annotations

from pipeline.metlog.decorators.base import MetlogDecorator
from pipeline.metlog.decorators.stats import incr_count, timeit

__all__ = ["MetlogDecorator", "incr_count", "timeit"]
