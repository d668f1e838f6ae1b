"""All that an operator may set about pushes: a class for the schedule, and one for each destination.

As in `settings`, a field is named like its flag, and each class checks its own values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.setting_checks import (
    RESERVED_LABELS,
    require_at_least,
    require_labels,
    require_headers,
    require_mode,
    require_no_blank,
    require_printable,
    require_url,
    split_host_port,
)

NO_GROUPING = "none"
"""What an operator writes for a grouping key that is the job alone."""
OTLP_METRICS_PATH = "/v1/metrics"



@dataclass(frozen=True, slots=True, kw_only=True)
class GraphiteSettings:
    """Carbon's line receiver, over TCP."""

    graphite_host_port: str = ""
    graphite_prefix: str = ""

    def __post_init__(self) -> None:
        if self.graphite_host_port:
            split_host_port("graphite_host_port", self.graphite_host_port)
        require_no_blank("graphite_prefix", self.graphite_prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushgatewaySettings:
    """A Prometheus Pushgateway, and the group that is ours there."""

    pushgateway_url: str = ""
    pushgateway_job: str = "syslog-pipeline"
    pushgateway_grouping: tuple[str, ...] = ()
    """Labels, `NAME=VALUE`; the name of this host if there are none, and really none with `NO_GROUPING` alone."""
    pushgateway_method: str = "put"
    pushgateway_delete_on_exit: bool = False

    def __post_init__(self) -> None:
        if self.pushgateway_url:
            require_url("pushgateway_url", self.pushgateway_url)
        if not self.pushgateway_job:
            raise SettingError("--pushgateway_job must not be empty: the Pushgateway knows no group without a job.")
        require_printable("pushgateway_job", "the job", self.pushgateway_job)
        labels = self.find_grouping("")
        if NO_GROUPING in self.pushgateway_grouping and labels:
            raise SettingError(f"--pushgateway_grouping: {NO_GROUPING} does not go with a label.")
        require_labels("pushgateway_grouping", labels, (*RESERVED_LABELS, "job"))

    def find_grouping(self, host: str) -> tuple[tuple[str, str], ...]:
        """Return the labels of the grouping key beside the job."""
        if not self.pushgateway_grouping:
            return (("instance", host),)
        labels = (label.partition("=") for label in self.pushgateway_grouping if label != NO_GROUPING)
        return tuple((name, value) for name, _, value in labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextfileSettings:
    """A file for the textfile collector of the node exporter."""

    textfile_path: Path | None = None
    # The node exporter runs as another user, and what it shows everybody may read.
    textfile_mode: int = 0o644

    def __post_init__(self) -> None:
        if self.textfile_path is not None and self.textfile_path.suffix != ".prom":
            raise SettingError("--textfile_path must end in .prom: the node exporter reads no other files.")
        require_mode("textfile_mode", self.textfile_mode)


DESTINATIONS: dict[str, type] = {
    "graphite": GraphiteSettings,
    "pushgateway": PushgatewaySettings,
    "textfile": TextfileSettings,
}
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
    pushgateway: PushgatewaySettings = field(default_factory=PushgatewaySettings)
    textfile: TextfileSettings = field(default_factory=TextfileSettings)

    def __post_init__(self) -> None:
        if 0 < self.metric_push_interval_seconds < 0.1:
            raise SettingError("--metric_push_interval must be at least 100ms, or 0 to push nothing.")
        if self.metric_push_write_deadline_seconds <= 0:
            raise SettingError("--metric_push_write_deadline must be more than 0.")
        require_at_least("push_spool_bytes", self.push_spool_bytes, 0)
@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpSettings:
    """A receiver of OTLP over HTTP."""

    otlp_endpoint: str = ""
    """Its base URL, as the exporters of OpenTelemetry have it."""
    otlp_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    otlp_resource_attributes: tuple[tuple[str, str], ...] = ()
    otlp_compression: str = "gzip"

    def __post_init__(self) -> None:
        if self.otlp_endpoint:
            require_url("otlp_endpoint", self.otlp_endpoint)
        require_headers("otlp_headers", self.otlp_headers)
        names = [name for name, _ in self.otlp_resource_attributes]
        for name, value in self.otlp_resource_attributes:
            require_printable("otlp_resource_attributes", name, value)
            if names.count(name) > 1:
                raise SettingError(f"--otlp_resource_attributes: the attribute {name} is given twice.")

    def find_url(self) -> str:
        """Return where metrics are sent: the base, with the path of metrics, unless it has that already."""
        base = self.otlp_endpoint.rstrip("/")
        return base if base.endswith(OTLP_METRICS_PATH) else base + OTLP_METRICS_PATH

    def find_resource(self, host: str) -> dict[str, str]:
        """Return what stands for the daemon on this host."""
        own = {"service.name": "syslog-pipeline", "service.instance.id": host, "host.name": host}
        return {**{name: value for name, value in own.items() if value}, **dict(self.otlp_resource_attributes)}


    "otlp": OtlpSettings,
    otlp: OtlpSettings = field(default_factory=OtlpSettings)
