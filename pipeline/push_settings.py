"""All that an operator may set about pushes: a class for the schedule, and one for each destination.

As in `settings`, a field is named like its flag, and each class checks its own values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.setting_checks import require_at_least, require_no_blank, split_host_port


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphiteSettings:
    """Carbon's line receiver, over TCP."""

    graphite_host_port: str = ""
    graphite_prefix: str = ""

    def __post_init__(self) -> None:
        if self.graphite_host_port:
            split_host_port("graphite_host_port", self.graphite_host_port)
        require_no_blank("graphite_prefix", self.graphite_prefix)


DESTINATIONS: dict[str, type] = {"graphite": GraphiteSettings}
"""The settings of each destination, by the field of `PushSettings` that they are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """Where metrics are sent on a timer, and how that is paced. A destination without an address is not sent to."""

    metric_push_interval_seconds: float = 60.0
    """At 0 or less nothing is pushed."""
    metric_push_write_deadline_seconds: float = 10.0
    # An hour of pushes of 10,000 series, once a minute, compressed (measured: 4 bytes for each series).
    push_spool_bytes: int = 16 * 1024 * 1024
    push_ca: Path | None = None
    graphite: GraphiteSettings = field(default_factory=GraphiteSettings)

    def __post_init__(self) -> None:
        if 0 < self.metric_push_interval_seconds < 0.1:
            raise SettingError("--metric_push_interval must be at least 100ms, or 0 to push nothing.")
        if self.metric_push_write_deadline_seconds <= 0:
            raise SettingError("--metric_push_write_deadline must be more than 0.")
        require_at_least("push_spool_bytes", self.push_spool_bytes, 0)
