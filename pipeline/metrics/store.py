"""All metrics, by exported name: what a program's loading and reloading does to them.

The rules of behaviour.md 3.4, with what is recommended there: a registration happens as a whole or
not at all; a metric whose type, label names or bounds changed starts anew in place of the old one;
expiries move along. Where programs come and go, the loader takes out what they had (`take_out`), so
that metrics of a program that is unloaded, and metrics a new version no longer declares, are gone.

A program may use any name. A metric of the daemon's own, which belongs to no program, gives way to it: it is not
shown as long as a metric that programs show has its name. So does one that messages of metlog have made: the router
hides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from pipeline.errors import StoreConflictError
from pipeline.metrics.lifetimes import Lifetimes
from pipeline.metrics.metric import DEFAULT_MAX_LABEL_VALUE_BYTES, DEFAULT_MAX_SERIES, Metric
from pipeline.metrics.snapshot import Snapshot, copy_metric, view_metric

NO_LIFETIMES = Lifetimes()

ROUTER = "metlog"
"""What stands for a program where messages of metlog, and no program, have made a metric. Those end in `.mtail`."""

NO_PROGRAMS = ("", ROUTER)
"""Whose metrics may be of another kind than those of programs: they give way."""


class Store:
    """The metrics of all programs, and the daemon's own."""

    def __init__(
        self,
        max_series: int = DEFAULT_MAX_SERIES,
        max_label_value_bytes: int = DEFAULT_MAX_LABEL_VALUE_BYTES,
        lifetimes: Lifetimes = NO_LIFETIMES,
    ) -> None:
        """Bound the metrics of programs: `max_series` those without a `limit` (see `Metric`); 0 is no bound."""
        self.lifetimes = lifetimes
        self.max_series = max_series
        self.max_label_value_bytes = max_label_value_bytes
        self.by_name: dict[str, list[Metric]] = {}

    def register(
        self, metrics: Sequence[Metric], predecessors: Sequence[Metric] = (), now: int = 0
    ) -> tuple[Metric, ...]:
        """Take in the metrics of one program; return for each the one that lives in the store.

        Equal declarations share the last of them (spec 12.8). A live metric takes over the series
        of its predecessor, in the store or among `predecessors`, and gets its initial one, which began `now`.
        StoreConflictError leaves all as it was.
        """
        add_kinds(self.find_kinds(), metrics)
        live = tuple(next(last for last in reversed(metrics) if last.continues(metric)) for metric in metrics)
        predecessors = [*predecessors, *self.remove_predecessors(metrics)]
        for metric in dict.fromkeys(live):
            if metric.program:
                metric.cap_series(self.max_series)
                metric.cap_label_values(self.max_label_value_bytes)
                metric.lifetime = self.lifetimes.find(metric)
            for predecessor in predecessors:
                if metric.continues(predecessor) and predecessor is not metric:
                    metric.adopt(predecessor)
            metric.initialize(now)
            self.by_name.setdefault(metric.name, []).append(metric)
        return live

    def find_kinds(self, leaving: Set[str] = frozenset()) -> dict[str, Metric]:
        """Return the programs' first metric of each name, as if the programs `leaving` had none."""
        kinds: dict[str, Metric] = {}
        for metric in self:
            if metric.program not in NO_PROGRAMS and metric.program not in leaving:
                kinds.setdefault(metric.name, metric)
        return kinds

    def take_out(self, program: str) -> list[Metric]:
        """Take out and return all metrics of a program, with their series."""
        metrics = [metric for metric in self if metric.program == program]
        self.unregister(metrics)
        return metrics

    def remove_predecessors(self, metrics: Sequence[Metric]) -> list[Metric]:
        """Take out and return the metrics that stand in the place of `metrics`: same name, same program."""
        places = {(metric.name, metric.program) for metric in metrics}
        predecessors = [metric for metric in self if (metric.name, metric.program) in places]
        self.unregister(predecessors)
        return predecessors

    def unregister(self, metrics: Sequence[Metric]) -> None:
        """Take out exactly these metrics, with their series."""
        removed = set(metrics)
        for name in {metric.name for metric in metrics}:
            family = [metric for metric in self.by_name.get(name, []) if metric not in removed]
            if family:
                self.by_name[name] = family
            else:
                self.by_name.pop(name, None)

    def __iter__(self) -> Iterator[Metric]:
        """Go through all metrics: sorted by name, then in order of registration."""
        for name in sorted(self.by_name):
            yield from self.by_name[name]

    def snapshot(self) -> Snapshot:
        """Return a copy of everything as it is now."""
        return Snapshot(tuple(copy_metric(metric) for metric in self.list_shown()))

    def view(self) -> Snapshot:
        """Return the series that there are now; their values are those of when they are read."""
        return Snapshot(tuple(view_metric(metric) for metric in self.list_shown()))

    def list_shown(self) -> Iterator[Metric]:
        """Go through all metrics but those of the daemon's own that give way."""
        for metric in self:
            if metric.program or not any(other.program and not other.hidden for other in self.by_name[metric.name]):
                yield metric

    def sweep(self, now: int) -> None:
        """Delete what has expired or is over a limit, hidden metrics too (spec 12.7)."""
        for metric in self:
            metric.sweep(now)

    def sweep_in_steps(self, now: int) -> Iterator[None]:
        """Do the same in steps that lines need not wait for; what expires meanwhile stays."""
        for metric in [*self]:
            yield from metric.sweep_in_steps(now)
            yield

    def next_expiry(self) -> int | None:
        """Return when the next `sweep` will find something to expire, in ns since 1970; None for never.

        It costs a step for each series that can expire, so ask at intervals, not for each line. A
        line may bring an earlier expiry than the last answer.
        """
        times = [time for metric in self if (time := metric.next_expiry()) is not None]
        return min(times, default=None)


def add_kinds(known: Mapping[str, Metric], metrics: Sequence[Metric]) -> dict[str, Metric]:
    """Return `known`, a metric for each name, with those of `metrics` that belong to a program.

    StoreConflictError when a name has two kinds.
    """
    kinds = dict(known)
    for metric in metrics:
        if metric.program in NO_PROGRAMS:
            continue
        other = kinds.setdefault(metric.name, metric)
        if other.kind is not metric.kind:
            raise StoreConflictError(
                f"Metric `{metric.name}` is a {metric.kind.name.lower()} at {metric.source}"
                f" and a {other.kind.name.lower()} at {other.source};"
                " metrics of one name must be of one kind."
            )
    return kinds
