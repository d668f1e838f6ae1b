"""Flags of mtail that are accepted, so that a command line of mtail's needs no change, and do nothing."""

from __future__ import annotations

from pipeline.flag_types import BOOLEAN, TEXT

ACCEPTED_FLAGS = (
    ("alsologtostderr", BOOLEAN),
    ("block_profile_rate", TEXT),
    ("disable_fsnotify", BOOLEAN),
    ("jaeger_endpoint", TEXT),
    ("log_backtrace_at", TEXT),
    ("log_dir", TEXT),
    ("logtostderr", BOOLEAN),
    ("metric_push_interval_seconds", TEXT),
    ("mtailDebug", TEXT),
    ("mutex_profile_fraction", TEXT),
    ("stale_log_gc_interval", TEXT),
    ("stderrthreshold", TEXT),
    ("trace_sample_period", TEXT),
    ("vmodule", TEXT),
)
"""mtail's flags that have no meaning here (profiling, tracing, log files, and what mtail itself ignores)."""
