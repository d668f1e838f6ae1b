"""Lines that belong together, joined before programs see them: `joiner.py` and `sorter.py` do it, without I/O."""

from __future__ import annotations

from pipeline.sources.records.begun import Spelled
from pipeline.sources.records.way import (
    RecordWatch,
    RecordWay,
    check_rules,
    describe_unmatched_rules,
    open_way,
    release_records,
)

__all__ = [
    "RecordWatch",
    "RecordWay",
    "Spelled",
    "check_rules",
    "describe_unmatched_rules",
    "open_way",
    "release_records",
]
