"""The metrics that messages make, in the daemon's store: no program declares them, and a stranger may have named them.

They give way. What a program shows, or the daemon of itself, stands on the pages as if there were none of them: a
message whose metric would take a name from one of those is refused, and metrics that there are already are not shown
any more once a program has their name. Names are compared as the Prometheus format has them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.metlog_settings import StoreEndpointSettings
from pipeline.metrics import ROUTER, Datum, HistogramDatum, Kind, Metric, Store, ValueType

MISFITS = re.compile(r"[^A-Za-z0-9_]")
MEANINGFUL = re.compile(r"[A-Za-z0-9]")
MAX_NAME_CHARACTERS = 200
"""Longer names are none that people gave."""

LOOK_INTERVAL = 10**9
"""Nanoseconds. To look through 1,000 metrics takes 0.1 ms, which a stranger's names could cause for each message."""

COUNTER_ENDING, TIMER_ENDING = "_total", "_seconds"
HISTOGRAM_ENDINGS = ("_bucket", "_count", "_sum", "_created")
COUNTER_ENDINGS = ("", "_created")
"""What OpenMetrics puts behind the name of a counter without its `_total`."""

PROMETHEUS_NAMES = frozenset(
    {
        "ALERTS",
        "ALERTS_FOR_STATE",
        "scrape_body_size_bytes",
        "scrape_duration_seconds",
        "scrape_sample_limit",
        "scrape_samples_post_metric_relabeling",
        "scrape_samples_scraped",
        "scrape_series_added",
        "scrape_timeout_seconds",
        "up",
    }
)
"""What Prometheus writes itself, beside what it scrapes: a gauge `up` of a stranger would set off alerts."""

KINDS = {"counter": Kind.COUNTER, "timer": Kind.HISTOGRAM, "gauge": Kind.GAUGE}
"""By the type of a message."""


@dataclass(slots=True)
class Room:
    """How many series more the metrics of one endpoint may have. It is counted anew when there is none left."""

    max_series: int
    left: int
    counted: int = 0
    """When that was, in ns since 1970."""


class MessageMetrics:
    """The metrics of all endpoints that are stores."""

    def __init__(self, store: Store, *, native: bool = False) -> None:
        """`native` has timers count in buckets of powers too."""
        self.store = store
        self.native = native
        self.metrics: dict[str, Metric] = {}
        self.claimed: set[str] = set()
        """The names of their samples."""
        self.made: Counter[str] = Counter()
        """How many of them there are of each endpoint, by its `source`."""
        self.rooms: dict[str, Room] = {}
        """How many series more those of each may have."""
        self.taken: frozenset[str] = frozenset()
        """Names that are not for us."""
        self.memories: list[dict[tuple[str, str], Any]] = []
        """What endpoints remember of metrics: it is forgotten whenever a metric goes."""
        self.looked = 0
        """When it was looked for metrics that are empty, in ns since 1970."""
        self.refresh()

    def refresh(self) -> None:
        """Take note of what the programs show now, and hide what it covers; it is called when that may have changed."""
        others = [metric for metric in self.store if metric.program != ROUTER and not metric.hidden]
        self.taken = PROMETHEUS_NAMES.union(name for metric in others for name in list_names(metric))
        for name, metric in self.metrics.items():
            metric.hidden = not self.taken.isdisjoint(list_samples(metric.kind, name))
        self.clear_memories()

    def clear_memories(self) -> None:
        """Have all endpoints find anew what counts where."""
        for memory in self.memories:
            memory.clear()

    def find(self, name: str, kind: Kind, settings: StoreEndpointSettings, source: str, now: int) -> Metric | str:
        """Return the metric of a name, which is made if there is none; a reason in a word if that cannot be.

        `source` says who makes it, for those who read about it. A metric without series is in nobody's way.
        """
        metric = self.find_or_make(name, kind, settings, source, now)
        if isinstance(metric, str) and abs(now - self.looked) >= LOOK_INTERVAL:
            self.looked = now
            self.forget_empty()
            return self.find_or_make(name, kind, settings, source, now)
        return metric

    def find_or_make(
        self, name: str, kind: Kind, settings: StoreEndpointSettings, source: str, now: int
    ) -> Metric | str:
        """Return the same, as things are."""
        metric = self.metrics.get(name)
        if metric is None:
            return self.make(name, kind, settings, source, now)
        return "name_taken" if metric.hidden or not fits(metric, kind, settings) else metric

    def make(self, name: str, kind: Kind, settings: StoreEndpointSettings, source: str, now: int) -> Metric | str:
        """Make a metric and put it into the store, or return why that cannot be."""
        samples = list_samples(kind, name)
        if not self.taken.isdisjoint(samples) or not self.claimed.isdisjoint(samples):
            return "name_taken"
        if self.made[source] >= settings.max_metrics:
            return "too_many_metrics"
        metric = Metric(
            name,
            kind=kind,
            value_type=ValueType.BUCKETS if kind is Kind.HISTOGRAM else ValueType.FLOAT,
            program=ROUTER,
            label_names=list_labels(settings),
            source=source,
            unit="seconds" if kind is Kind.HISTOGRAM else "",
            buckets=settings.buckets if kind is Kind.HISTOGRAM else (),
            native=self.native and kind is Kind.HISTOGRAM,
            follows_clock=True,
        )
        self.store.register([metric], (), now)
        self.metrics[name] = metric
        self.claimed.update(samples)
        self.made[source] += 1
        self.rooms.setdefault(source, Room(settings.max_series, settings.max_series))
        return metric

    def add_series(self, metric: Metric, key: tuple[bytes, ...], now: int) -> Datum | HistogramDatum | None:
        """Return a new series of a metric, None if a limit forbids it."""
        room = self.rooms[metric.source]
        if room.left <= 0 and abs(now - room.counted) >= LOOK_INTERVAL:
            room.counted = now
            ours = [one for one in self.metrics.values() if one.source == metric.source]
            room.left = room.max_series - sum(len(one.data) for one in ours)
        if room.left <= 0:
            return None
        series = metric.new(key, now)
        if key not in metric.data:
            return None
        room.left -= 1
        return series

    def restore(self, saved: Metric, settings: StoreEndpointSettings, source: str, now: int) -> bool:
        """Go on with a metric of an earlier run, if it is one that `settings` would make."""
        if not saved.name.startswith(settings.prefix) or saved.kind not in KINDS.values():
            return False
        if not fits(saved, saved.kind, settings):
            return False
        metric = self.find(saved.name, saved.kind, settings, source, now)
        if isinstance(metric, str) or not metric.continues(saved):
            return False
        metric.adopt(saved)
        self.rooms[metric.source].left -= len(metric.data)
        return True

    def forget_empty(self) -> None:
        """Make room: let go of metrics whose series have all expired, or that never had one."""
        empty = [metric for metric in self.metrics.values() if not metric.data]
        if not empty:
            return
        self.store.unregister(empty)
        for metric in empty:
            del self.metrics[metric.name]
            self.claimed.difference_update(list_samples(metric.kind, metric.name))
            self.made[metric.source] -= 1
        self.clear_memories()


def name_metric(kind: str, name: str, prefix: str) -> str | None:
    """Return what the metric of a message is called; None if its name is none that could be written.

    Every character that a name in Prometheus must not have becomes `_`, a counter ends in `_total` and a timer in
    `_seconds`.
    """
    if not MEANINGFUL.search(name) or len(name) > MAX_NAME_CHARACTERS:
        return None
    clean = prefix + MISFITS.sub("_", name)
    if clean[0].isdecimal():
        clean = f"_{clean}"
    ending = {"counter": COUNTER_ENDING, "timer": TIMER_ENDING}.get(kind, "")
    stem = clean.removesuffix(ending)
    # Readers of the format take `_total` off the name of a counter, and refuse a page for a name of nothing.
    return stem + ending if MEANINGFUL.search(stem) else None


def list_labels(settings: StoreEndpointSettings) -> tuple[str, ...]:
    """Return the names of the labels of each metric of an endpoint."""
    return ("logger", *settings.labels)


def fits(metric: Metric, kind: Kind, settings: StoreEndpointSettings) -> bool:
    """Tell whether a metric is one that an endpoint would have made."""
    return (
        metric.kind is kind
        and metric.label_names == list_labels(settings)
        and (kind is not Kind.HISTOGRAM or metric.bounds == settings.buckets)
    )


def list_samples(kind: Kind, name: str) -> list[str]:
    """Return the names of the samples of a metric."""
    return [name, *(name + ending for ending in HISTOGRAM_ENDINGS)] if kind is Kind.HISTOGRAM else [name]


def list_names(metric: Metric) -> Iterator[str]:
    """Yield all names that a metric of somebody else needs, in any variant of the Prometheus format."""
    name = re.sub(r"[^A-Za-z0-9_:]|^[0-9]", "_", metric.name)
    yield from list_samples(metric.kind, name)
    if metric.kind is Kind.COUNTER and name.endswith(COUNTER_ENDING):
        base = name.removesuffix(COUNTER_ENDING)
        yield from (base + ending for ending in COUNTER_ENDINGS)
