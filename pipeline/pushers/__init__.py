"""Sends metrics out on a timer: a table of destinations, and one schedule for all of them.

The ways to a destination are for others too who send something: connections, and requests over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.push_settings import PushSettings
from pipeline.pushers.compression import compress
from pipeline.pushers.connection import DatagramConnection, UnixConnection, spell_place
from pipeline.pushers.pusher import PushContext, Pusher
from pipeline.pushers.schedule import Pushes, PushTask, describe_failure

if TYPE_CHECKING:
    from pipeline.pushers.http import Answer, HttpConnection

__all__ = [
    "PUSHERS",
    "Answer",
    "DatagramConnection",
    "HttpConnection",
    "PushContext",
    "PushTask",
    "Pusher",
    "Pushes",
    "UnixConnection",
    "compress",
    "describe_failure",
    "make_http_connection",
    "make_pushers",
    "spell_place",
]


def make_http_connection(
    url: str, headers: Mapping[str, str], ca: Path | None = None, ca_name: str = "--push_ca"
) -> HttpConnection:
    """Return the way to an HTTP server, as `HttpConnection` says."""
    from pipeline.pushers.http import HttpConnection

    return HttpConnection(url, headers, ca, ca_name)


def make_graphite_pusher(settings: PushSettings, _context: PushContext) -> Pusher | None:
    """Return what pushes to Graphite."""
    if not settings.graphite.graphite_host_port:
        return None
    from pipeline.pushers.graphite import GraphitePusher

    return GraphitePusher(settings)


def make_otlp_pusher(settings: PushSettings, context: PushContext) -> Pusher | None:
    """Return what pushes over OTLP."""
    if not settings.otlp.otlp_endpoint:
        return None
    from pipeline.pushers.otlp import OtlpPusher

    return OtlpPusher(settings, context)


def make_pushgateway_pusher(settings: PushSettings, context: PushContext) -> Pusher | None:
    """Return what pushes to a Pushgateway."""
    if not settings.pushgateway.pushgateway_url:
        return None
    from pipeline.pushers.pushgateway import PushgatewayPusher

    return PushgatewayPusher(settings, context)


def make_remote_write_pusher(settings: PushSettings, context: PushContext) -> Pusher | None:
    """Return what pushes by remote write."""
    if not settings.remote_write.remote_write_url:
        return None
    from pipeline.pushers.remote_write import RemoteWritePusher

    return RemoteWritePusher(settings, context)


def make_textfile_pusher(settings: PushSettings, context: PushContext) -> Pusher | None:
    """Return what writes a file for the node exporter."""
    path = settings.textfile.textfile_path
    if path is None:
        return None
    from pipeline.pushers.textfile import TextfilePusher

    return TextfilePusher(path, settings, context)


def make_statsd_pusher(settings: PushSettings, context: PushContext) -> Pusher | None:
    """Return what pushes to statsd."""
    if not settings.statsd.statsd_hostport:
        return None
    from pipeline.pushers.statsd import StatsdPusher

    return StatsdPusher(settings, context.read_clock())


def make_collectd_pusher(settings: PushSettings, context: PushContext) -> Pusher | None:
    """Return what pushes to collectd."""
    if settings.collectd.collectd_socketpath is None:
        return None
    from pipeline.pushers.collectd import CollectdPusher

    return CollectdPusher(settings, settings.collectd.collectd_socketpath, context.host, context.read_clock)


PUSHERS: tuple[Callable[[PushSettings, PushContext], Pusher | None], ...] = (
    make_collectd_pusher,
    make_graphite_pusher,
    make_statsd_pusher,
    make_otlp_pusher,
    make_pushgateway_pusher,
    make_remote_write_pusher,
    make_textfile_pusher,
)
"""A row for each destination: settings → its pusher, or None where no address is set.

What a destination needs is imported where one is made: who pushes nothing, needs no HTTP client.
"""


def make_pushers(settings: PushSettings, context: PushContext) -> list[Pusher]:
    """Return a pusher for each destination that has an address; none when nothing is to be pushed.

    `SettingError` if one cannot be used.
    """
    if settings.metric_push_interval_seconds <= 0:
        return []
    made = [make(settings, context) for make in PUSHERS]
    return [pusher for pusher in made if pusher is not None]
