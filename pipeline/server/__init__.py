"""Answers scrapes over HTTP on a unix socket."""

from __future__ import annotations

from pipeline.server.app import Answers, make_app
from pipeline.server.listen import bind_server, serve
from pipeline.server.status import (
    MAX_PROBLEMS,
    MAX_ROWS,
    DaemonStatus,
    FailureStatus,
    Listing,
    MetricStatus,
    PatternStatus,
    ProgramDetails,
    ProgramState,
    ProgramStatus,
    PushStatus,
    ReloadStatus,
    SeriesStatus,
    SourceState,
    SourceStatus,
    StateStatus,
    Status,
    UnknownProgram,
)

__all__ = [
    "MAX_PROBLEMS",
    "MAX_ROWS",
    "Answers",
    "DaemonStatus",
    "FailureStatus",
    "Listing",
    "MetricStatus",
    "PatternStatus",
    "ProgramDetails",
    "ProgramState",
    "ProgramStatus",
    "PushStatus",
    "ReloadStatus",
    "SeriesStatus",
    "SourceState",
    "SourceStatus",
    "StateStatus",
    "Status",
    "UnknownProgram",
    "bind_server",
    "make_app",
    "serve",
]
