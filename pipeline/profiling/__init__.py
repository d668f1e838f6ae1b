"""Where the time of a program goes: it is run over a log, and looked at while it runs (`explain --profile`)."""

from __future__ import annotations

from pipeline.profiling.log import LogSample, read_sample
from pipeline.profiling.report import describe_profile
from pipeline.profiling.runs import Profiler

__all__ = ["LogSample", "Profiler", "describe_profile", "read_sample"]
