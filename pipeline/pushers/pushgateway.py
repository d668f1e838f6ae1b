"""Pushes to a Prometheus Pushgateway: the page of metrics, as a group that is known by its grouping key.

The key is the job and some labels. It stands in the path, and the gateway gives its labels to every series, whatever
these say of themselves. A series that has such a label already keeps it under another name, as it would in a scrape by
Prometheus: otherwise two series could become the same, for which the gateway refuses a push as a whole.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace

from pipeline.errors import PushError
from pipeline.formats import PrometheusOptions, prometheus
from pipeline.metrics import MetricSnapshot, Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers.compression import compress
from pipeline.pushers.http import Answer, HttpConnection
from pipeline.pushers.http_pusher import HttpPusher
from pipeline.pushers.pusher import PushContext
from pipeline.pushers.text_page import CONTENT_TYPE, TextPage

PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""A value that no proxy on the way changes or takes for something else, such as `..`."""

OWN_NAMES = ("push_time_seconds", "push_failure_time_seconds")
"""What the gateway says of each group. It replaces a metric that is called so, and says nothing."""

PAGE_HEADERS = {"content-type": CONTENT_TYPE, "content-encoding": "gzip"}


class PushgatewayPusher(HttpPusher):
    """Sends the page of all series as one request."""

    def __init__(self, settings: PushSettings, context: PushContext) -> None:
        gateway = settings.pushgateway
        self.labels = gateway.find_grouping(context.host)
        self.connection = HttpConnection(gateway.pushgateway_url, ca=settings.push_ca)
        self.url = self.connection.url.rstrip("/") + spell_path(gateway.pushgateway_job, self.labels)
        super().__init__("pushgateway", self.url)
        self.method = gateway.pushgateway_method.upper()
        self.is_deleting = gateway.pushgateway_delete_on_exit
        self.read_clock = context.read_clock
        self.taken = {"job", *(name for name, _ in self.labels)}
        self.page = TextPage(leave_constants(context.options, self.taken))
        self.constant_problems = list(describe_constants(context.options, self.taken))

    async def write(self, snapshot: Snapshot) -> int:
        """Replace the group, or with POST its metrics of the same names."""
        problems = [*self.constant_problems]
        free = Snapshot(tuple(free_labels(leave_names(snapshot.metrics, problems), self.taken, problems)))
        body = await compress(self.page.write(free))
        self.report([*problems, *self.page.problems])
        self.check(await self.connection.send(self.method, self.url, body, PAGE_HEADERS))
        return self.page.series

    def check(self, answer: Answer) -> None:
        """Raise `PushError` unless the gateway agrees."""
        if not answer.is_good:
            raise answer.make_error(self.read_clock())

    async def finish(self) -> None:
        """Delete the group, if that is wanted."""
        if not self.is_deleting:
            return
        await self.connection.connect()
        try:
            self.check(await self.connection.send("DELETE", self.url))
        except PushError as error:
            raise PushError(f"the group is not deleted: {error}") from error


# The grouping key


def spell_path(job: str, labels: Iterable[tuple[str, str]]) -> str:
    """Return the path of a group."""
    return "/metrics" + "".join(f"/{spell_label(name, value)}" for name, value in (("job", job), *labels))


def spell_label(name: str, value: str) -> str:
    """Return a label as it stands in the path: a value that is not plain in base64, an empty one as a sign of it."""
    if PLAIN.fullmatch(value):
        return f"{name}/{value}"
    return f"{name}@base64/{urlsafe_b64encode(value.encode()).decode().rstrip('=') or '='}"


# What the gateway would replace


def leave_constants(options: PrometheusOptions, taken: Set[str]) -> PrometheusOptions:
    """Return the options without the constant labels that the key has, too."""
    kept = tuple((name, value) for name, value in options.constant_labels if name not in taken)
    return replace(options, constant_labels=kept)


def describe_constants(options: PrometheusOptions, taken: Set[str]) -> Iterator[str]:
    """Yield a sentence for each of these labels."""
    for name, value in options.constant_labels:
        if name in taken:
            yield f"The constant label {name}={value} is not pushed to the Pushgateway, whose grouping key has {name}."


def leave_names(metrics: Iterable[MetricSnapshot], problems: list[str]) -> Iterator[MetricSnapshot]:
    """Yield the metrics whose names the gateway has not kept for itself."""
    for metric in metrics:
        if prometheus.clean_name(metric.name) not in OWN_NAMES:
            yield metric
        elif metric.series and not metric.hidden:
            problems.append(
                f"Metric `{metric.name}` at {metric.source} is not pushed to the Pushgateway, which has one of its own."
            )


def free_labels(metrics: Iterable[MetricSnapshot], taken: Set[str], problems: list[str]) -> Iterator[MetricSnapshot]:
    """Yield the metrics with labels that the key does not have."""
    for metric in metrics:
        names = free_names(metric.label_names, taken)
        if names == metric.label_names:
            yield metric
            continue
        yield replace(metric, label_names=names)
        if metric.series and not metric.hidden:
            changed = [f"`{old}` as `{new}`" for old, new in zip(metric.label_names, names, strict=True) if old != new]
            problems.append(
                f"Metric `{metric.name}` at {metric.source} is pushed to the Pushgateway with the label"
                f" {' and '.join(changed)}: the grouping key has one of that name."
            )


def free_names(names: Sequence[str], taken: Set[str]) -> tuple[str, ...]:
    """Return names of labels, `exported_` before those that are taken, as often as it needs."""
    used = {*map(prometheus.clean_label_name, names), *taken}
    free = []
    for name in names:
        new = name
        if prometheus.clean_label_name(name) in taken:
            while prometheus.clean_label_name(new) in used:
                new = f"exported_{new}"
            used.add(prometheus.clean_label_name(new))
        free.append(new)
    return tuple(free)
