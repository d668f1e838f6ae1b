"""Metrics as OTLP has them: protobuf messages of the published classes, in requests of a bounded size.

- A counter is a cumulative sum that only grows, a gauge and a timer a gauge, a histogram a cumulative histogram with
  explicit bounds; one that is kept by powers is an exponential histogram instead, because a metric of OTLP is only one
  of them. A text metric is left out: OTLP has numbers only.
- Labels are attributes, and so are the program and the constant labels. Any text can stand there.
- A data point carries the moment of the push, or with `emit_metric_timestamp` the time of its series.

Not imported by `formats`: the classes take memory that only those pay who push to OTLP.
"""

from __future__ import annotations

from pipeline.formats.otlp.answers import Verdict, read_message, read_verdict
from pipeline.formats.otlp.splitting import split_request
from pipeline.formats.otlp.writer import MAX_POINTS, Request, Writer, make_resource

__all__ = [
    "MAX_POINTS",
    "Request",
    "Verdict",
    "Writer",
    "make_resource",
    "read_message",
    "read_verdict",
    "split_request",
]
