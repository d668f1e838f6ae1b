"""All that an operator may set about pushes: a class for the schedule, and one for each destination.

As in `settings`, a field is named like its flag, and each class checks its own values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.setting_checks import (
    RESERVED_LABELS,
    require_at_least,
    require_headers,
    require_labels,
    require_mode,
    require_no_blank,
    require_printable,
    require_socket_path,
    require_url,
    split_place,
)

OTLP_METRICS_PATH = "/v1/metrics"

REMOTE_WRITE_HEADERS = ("user-agent", "x-prometheus-remote-write-version")
"""Headers that the protocol keeps for itself."""

NO_GROUPING = "none"
"""What an operator writes for a grouping key that is the job alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphiteSettings:
    """Carbon's line receiver over TCP, or one of its kind on a unix socket."""

    graphite_host_port: str = ""
    graphite_prefix: str = ""

    def __post_init__(self) -> None:
        if self.graphite_host_port:
            split_place("graphite_host_port", self.graphite_host_port)
        require_no_blank("graphite_prefix", self.graphite_prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectdSettings:
    """Collectd's unixsock plugin."""

    collectd_socketpath: Path | None = None
    collectd_prefix: str = ""

    def __post_init__(self) -> None:
        if self.collectd_socketpath is not None:
            require_socket_path("collectd_socketpath", self.collectd_socketpath)
        require_no_blank("collectd_prefix", self.collectd_prefix)
        if "/" in self.collectd_prefix:
            raise SettingError("--collectd_prefix must have no slash: it is part of the name of a plugin.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsdSettings:
    """Statsd, over UDP or on a unix socket."""

    statsd_hostport: str = ""
    statsd_prefix: str = ""
    statsd_totals: bool = False

    def __post_init__(self) -> None:
        if self.statsd_hostport:
            split_place("statsd_hostport", self.statsd_hostport)
        require_no_blank("statsd_prefix", self.statsd_prefix)
        if re.search(r"[:|@#;]", self.statsd_prefix):
            raise SettingError(
                "--statsd_prefix must have none of the characters : | @ # ; that mean something to statsd."
            )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteWriteSettings:
    """A receiver of Prometheus' remote write."""

    remote_write_url: str = ""
    remote_write_version: str = "auto"
    remote_write_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    remote_write_labels: tuple[str, ...] = ()
    """Labels, `NAME=VALUE`; the job and the name of this host if there are none, and none with `NO_GROUPING` alone."""

    def __post_init__(self) -> None:
        if self.remote_write_url:
            require_url("remote_write_url", self.remote_write_url)
        require_headers("remote_write_headers", self.remote_write_headers, REMOTE_WRITE_HEADERS)
        labels = self.find_labels("")
        if NO_GROUPING in self.remote_write_labels and labels:
            raise SettingError(f"--remote_write_labels: {NO_GROUPING} does not go with a label.")
        require_labels("remote_write_labels", labels)

    def find_labels(self, host: str) -> tuple[tuple[str, str], ...]:
        """Return the labels that every series has beside its own."""
        if not self.remote_write_labels:
            return (("job", "syslog-pipeline"), ("instance", host))
        labels = (label.partition("=") for label in self.remote_write_labels if label != NO_GROUPING)
        return tuple((name, value) for name, _, value in labels)


DESTINATIONS: dict[str, type] = {
    "collectd": CollectdSettings,
    "graphite": GraphiteSettings,
    "otlp": OtlpSettings,
    "pushgateway": PushgatewaySettings,
    "remote_write": RemoteWriteSettings,
    "statsd": StatsdSettings,
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
    collectd: CollectdSettings = field(default_factory=CollectdSettings)
    graphite: GraphiteSettings = field(default_factory=GraphiteSettings)
    otlp: OtlpSettings = field(default_factory=OtlpSettings)
    pushgateway: PushgatewaySettings = field(default_factory=PushgatewaySettings)
    remote_write: RemoteWriteSettings = field(default_factory=RemoteWriteSettings)
    statsd: StatsdSettings = field(default_factory=StatsdSettings)
    textfile: TextfileSettings = field(default_factory=TextfileSettings)

    def __post_init__(self) -> None:
        if 0 < self.metric_push_interval_seconds < 0.1:
            raise SettingError("--metric_push_interval must be at least 100ms, or 0 to push nothing.")
        if self.metric_push_write_deadline_seconds <= 0:
            raise SettingError("--metric_push_write_deadline must be more than 0.")
        require_at_least("push_spool_bytes", self.push_spool_bytes, 0)
