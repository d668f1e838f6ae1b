"""Batch: whole lines as bytes, with their origin. The unit in which lines travel, never the line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Batch:
    """The whole lines of one read, in order, without their line feeds.

    `origin` is what `getfilename()` returns. `is_ascii` promises that every line is ASCII;
    where it is False some line may still be, or even all.
    """

    lines: list[bytes]
    origin: bytes
    is_ascii: bool


Deliver: TypeAlias = Callable[[Batch], None]
"""What a source hands its batches to. It runs the programs at once and never waits."""
