"""Answers scrapes over HTTP on a unix socket."""

from __future__ import annotations

from pipeline.server.app import Answers, make_app
from pipeline.server.listen import bind_server, serve
from pipeline.server.message_status import EndpointStatus, InvalidStatus, MessageStatus, RouteStatus
from pipeline.server.status import (
    DaemonStatus,
    FailureStatus,
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
from pipeline.server.status_values import MAX_PROBLEMS, MAX_ROWS, Listing

__all__ = [
    "MAX_PROBLEMS",
    "MAX_ROWS",
    "Answers",
    "DaemonStatus",
    "EndpointStatus",
    "FailureStatus",
    "InvalidStatus",
    "Listing",
    "MessageStatus",
    "MetricStatus",
    "PatternStatus",
    "ProgramDetails",
    "ProgramState",
    "ProgramStatus",
    "PushStatus",
    "ReloadStatus",
    "RouteStatus",
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
