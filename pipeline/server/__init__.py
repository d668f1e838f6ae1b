"""Answers scrapes over HTTP on a unix socket."""

from __future__ import annotations

from pipeline.server.app import Answers, ProgramStatus, PushStatus, SourceStatus, Status, make_app
from pipeline.server.listen import bind_server, serve

__all__ = ["Answers", "ProgramStatus", "PushStatus", "SourceStatus", "Status", "bind_server", "make_app", "serve"]
