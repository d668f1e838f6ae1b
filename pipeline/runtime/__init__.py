"""Programs at work: loading them, running them on batches."""

from __future__ import annotations

from pipeline.runtime.dispatch import Dispatcher
from pipeline.runtime.group import ProgramGroup
from pipeline.runtime.loader import LoadFailure, LoadReport, ProgramLoader
from pipeline.runtime.program import LineFailure, Program, show_bytes
from pipeline.runtime.searches import Records, SearchRecord, join_records, record_searches, share_searches

__all__ = [
    "Dispatcher",
    "LineFailure",
    "LoadFailure",
    "LoadReport",
    "Program",
    "ProgramGroup",
    "ProgramLoader",
    "Records",
    "SearchRecord",
    "join_records",
    "record_searches",
    "share_searches",
    "show_bytes",
]
