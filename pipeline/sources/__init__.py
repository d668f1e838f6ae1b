"""Where lines come from. A kind of source is a module here and a row in `SOURCES` (`kinds.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pipeline.settings import SourceSettings
from pipeline.sources.intake import STDIN_NAMES, Part, Source
from pipeline.sources.records import RecordWatch, check_rules, describe_unmatched_rules
from pipeline.sources.replay import ReplayFile
from pipeline.sources.surroundings import Surroundings

if TYPE_CHECKING:
    from trio import TaskStatus

__all__ = [
    "STDIN_NAMES",
    "Part",
    "RecordWatch",
    "ReplayFile",
    "Source",
    "Surroundings",
    "check_rules",
    "count_listeners",
    "describe_unmatched_rules",
    "expire_records",
    "find_reader",
    "parse_items",
]


def parse_items(settings: SourceSettings, surroundings: Surroundings) -> dict[str, Source]:
    """Return the source of each item of `--logs`, as it is written there; items that name the same share it.

    They wait on Trio, and `replay` does not. Its import takes 0.1 s, longer than many a replay: so it comes late.
    """
    from pipeline.sources import kinds

    return kinds.parse_items(settings, surroundings)


def find_reader(items: Mapping[str, Source], path: str) -> str | None:
    """Return the item whose source reads the file at an absolute path, or would if it came; None if there is none."""
    from pipeline.sources import kinds

    return kinds.find_reader(items, path)


def count_listeners(sources: Iterable[Source]) -> int:
    """Return how many of the sources accept connections."""
    from pipeline.sources import kinds

    return kinds.count_listeners(sources)


async def expire_records(watch: RecordWatch, *, task_status: TaskStatus[None]) -> None:
    """Have records delivered that have waited long enough, until cancelled."""
    from pipeline.sources.records.timer import expire_records

    await expire_records(watch, task_status=task_status)
