"""The flags about pushes: what they have in common, then those of each destination."""

from __future__ import annotations

from pipeline import push_settings
from pipeline.flag import PUSHING, Flag
from pipeline.flag_types import DURATION, INTEGER, PATH, TEXT

PUSH_FLAGS = (
    Flag(
        of=push_settings.PushSettings,
        name="metric_push_interval",
        type=DURATION,
        section=PUSHING,
        help="How often the metrics are pushed. 0: never.",
    ),
    Flag(
        of=push_settings.PushSettings,
        name="metric_push_write_deadline",
        type=DURATION,
        section=PUSHING,
        help="How long it may take to reach a destination, and as long again to write to it.",
    ),
    Flag(
        of=push_settings.PushSettings,
        name="push_ca",
        type=PATH,
        section=PUSHING,
        help="The authority that destinations over HTTPS are trusted by, in PEM; by default those of the system.",
    ),
    Flag(
        of=push_settings.PushSettings,
        name="push_spool_bytes",
        type=INTEGER,
        section=PUSHING,
        help="How much is kept for each destination that wants every sample and cannot be reached. 0: nothing.",
    ),
    Flag(
        of=push_settings.GraphiteSettings,
        name="graphite_host_port",
        type=TEXT,
        section=PUSHING,
        help="Push to Graphite (carbon, line protocol over TCP) at HOST:PORT.",
    ),
    Flag(
        of=push_settings.GraphiteSettings,
        name="graphite_prefix",
        type=TEXT,
        section=PUSHING,
        help="What each path in Graphite begins with, its dot included.",
    ),
)
