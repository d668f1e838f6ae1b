"""What a generator of log lines is, and how a log of any length is written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

LINES_PER_WRITE = 10_000


@dataclass(frozen=True, slots=True)
class LogShape:
    """One kind of log. `lines` is endless, and the same for the same seed."""

    file_name: str
    lines: Callable[[Random], Iterator[str]]


def take_lines(shape: LogShape, count: int, seed: int) -> Iterator[str]:
    return itertools.islice(shape.lines(Random(seed)), count)


def write_log(shape: LogShape, folder: Path, count: int, seed: int = 1) -> Path:
    """Write `count` lines below `folder`, in pieces: the whole log is never in memory."""
    path = folder / shape.file_name
    lines = take_lines(shape, count, seed)
    with path.open("w", encoding="utf-8", newline="\n") as log:
        while piece := list(itertools.islice(lines, LINES_PER_WRITE)):
            log.write("\n".join(piece) + "\n")
    return path
