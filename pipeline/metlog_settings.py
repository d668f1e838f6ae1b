"""All that an operator may set about metlog: where envelopes come from, which endpoints there are, what goes where.

These are the tables below `[metlog]` in the file of settings, which `metlog_table` reads. A field is named like its
key, with the unit added where the key has none (`delay = "1s"` is `delay_seconds`). Each class checks its own values
and raises `SettingError`, whose text begins with the key; who reads the file says before it where that stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite

from pipeline.endpoint_settings import (
    EndpointSettings,
    FileEndpointSettings,
    HttpEndpointSettings,
    SentryEndpointSettings,
    StatsdEndpointSettings,
    SyslogEndpointSettings,
)
from pipeline.errors import SettingError
from pipeline.setting_checks import LABEL_NAME, RESERVED_LABELS, require_at_least

STORE = "store"
PROGRAMS = "programs"
DROP = "drop"
BUILT_IN = (STORE, PROGRAMS, DROP)
"""Endpoints that there are without a table. That of the store may have one, for its keys."""

METRIC_TYPES = ("counter", "timer", "gauge")
"""What the store takes."""

SEVERITY_NAMES = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
"""By their numbers, which are syslog's."""
SEVERITY = re.compile(r"(?P<operator><=|>=|<|>|=|)\s*(?P<level>[0-7]|[a-z]+)")

ENDPOINT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
METRIC_PREFIX = re.compile(r"(?:[A-Za-z_:][A-Za-z0-9_:]*)?")
LOGGER_LABEL = "logger"

# As those of Prometheus' client libraries; the first two more are for what takes no more than a query of a cache.
TIMER_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreEndpointSettings(EndpointSettings):
    """Our own store of metrics: counters, timers and gauges become series."""

    prefix: str = ""
    labels: tuple[str, ...] = ()
    """The fields that become labels, beside the logger; of the envelope `metlog_hostname` and the like can be, too."""
    buckets: tuple[float, ...] = TIMER_BUCKETS
    # Names are what senders like, and each makes a metric; an application has some tens of them.
    max_metrics: int = 1000
    # They choose the loggers too: what each of 1,000 metrics may have by itself fills any memory.
    # So many take 25 MB, of timers 45 (measured).
    max_series: int = 100_000

    def __post_init__(self) -> None:
        if not METRIC_PREFIX.fullmatch(self.prefix):
            raise SettingError("prefix must have letters, digits, _ and : alone, and no digit at its beginning.")
        for name in self.labels:
            if not LABEL_NAME.fullmatch(name) or name in (*RESERVED_LABELS, LOGGER_LABEL):
                raise SettingError(f"labels must not have {name!r}: it is no name that a label of ours can have.")
            if self.labels.count(name) > 1:
                raise SettingError(f"labels must not have {name!r} twice.")
        if not self.buckets or not all(map(isfinite, self.buckets)) or self.buckets[0] <= 0:
            raise SettingError("buckets must be upper bounds in seconds, each more than 0.")
        if any(lower >= upper for lower, upper in pairwise(self.buckets)):
            raise SettingError("buckets must rise.")
        require_at_least("max_metrics", self.max_metrics, 1)
        require_at_least("max_series", self.max_series, 1)


ENDPOINT_KINDS: dict[str, type[EndpointSettings]] = {
    "store": StoreEndpointSettings,
    "file": FileEndpointSettings,
    "statsd": StatsdEndpointSettings,
    "sentry": SentryEndpointSettings,
    "http": HttpEndpointSettings,
    "syslog": SyslogEndpointSettings,
}
"""By the word behind `kind`. `make_endpoint` has a case for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """Which messages go where: those that all matchers fit. A matcher that is not given fits all.

    Names may be patterns as in fnmatch(3), and of several one must fit.
    """

    to: tuple[str, ...]
    type: tuple[str, ...] = ()
    logger: tuple[str, ...] = ()
    severity: str = ""
    """A number or a name, and perhaps a comparison before it: `<=4`, `error`."""
    fields: tuple[tuple[str, tuple[str, ...]], ...] = ()
    goes_on: bool = False
    """Whether later routes see these messages too. The key is `continue`."""

    def __post_init__(self) -> None:
        if not self.to:
            raise SettingError("to must name an endpoint.")
        for name in self.to:
            if self.to.count(name) > 1:
                raise SettingError(f"to must not name {name} twice.")
        self.find_severity()

    def find_severity(self) -> tuple[str, int] | None:
        """Return the comparison (`<`, `<=`, `=`, `>=`, `>`) and the number it is with; None for any severity."""
        if not self.severity:
            return None
        found = SEVERITY.fullmatch(self.severity.strip().lower())
        if found is None or not (found["level"].isdigit() or found["level"] in SEVERITY_NAMES):
            raise SettingError(
                f"severity must be a number from 0 to 7 or one of {', '.join(SEVERITY_NAMES)}, perhaps with a "
                f'comparison such as "<=4", not "{self.severity}".'
            )
        level = found["level"]
        return found["operator"] or "=", int(level) if level.isdigit() else SEVERITY_NAMES.index(level)

    @property
    def is_catch_all(self) -> bool:
        """Whether it fits all messages."""
        return not (self.type or self.logger or self.severity or self.fields)


DEFAULT_ROUTES = (RouteSettings(type=METRIC_TYPES, to=(STORE,)), RouteSettings(to=(PROGRAMS,)))
"""What holds where the operator has given no route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetlogSettings:
    """The router: which sources carry envelopes, and what becomes of them."""

    metlog_logs: tuple[str, ...] = ()
    """As `--logs` has sources; none of them is one of those. Without any there is no router."""
    endpoints: Mapping[str, EndpointSettings] = field(default_factory=dict)
    """By the name that the operator has given each, in order."""
    routes: tuple[RouteSettings, ...] = DEFAULT_ROUTES

    def __post_init__(self) -> None:
        known = (*self.endpoints, *BUILT_IN)
        for number, route in enumerate(self.routes, 1):
            for name in route.to:
                if name not in known:
                    raise SettingError(f"route {number} goes to {name}, which is no endpoint.")
        self.check_paths()

    def check_paths(self) -> None:
        """Raise `SettingError` when two endpoints would write the same file, however its path is spelled."""
        writers: dict[str, str] = {}
        for name, settings in self.endpoints.items():
            for key, path in settings.list_paths():
                place = os.path.realpath(path)
                if place in writers:
                    raise SettingError(f"endpoint.{name}.{key} and endpoint.{writers[place]} are the same path.")
                writers[place] = f"{name}.{key}"

    def list_unused(self) -> list[str]:
        """Return the endpoints that no route goes to."""
        used = {name for route in self.routes for name in route.to}
        return [name for name in self.endpoints if name not in used]

    def list_idle_routes(self) -> list[int]:
        """Return the numbers, from 1, of the routes that come to no message: one before them takes all."""
        for number, route in enumerate(self.routes, 1):
            if route.is_catch_all and not route.goes_on:
                return list(range(number + 1, len(self.routes) + 1))
        return []
