"""How long a series stays that nothing is written to, by the name of its metric: what an operator says with `--expire`.

`del … after` of a program says the same of one series, and comes first. Metrics without labels have no lifetime: what
their only series counted would be gone for ever, and nothing is saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pipeline.bindings import suggest
from pipeline.metrics.metric import Metric

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Pairs of a name, or a pattern as in fnmatch(3), and nanoseconds; the first that has a metric's name counts."""

    items: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def of_seconds(items: Sequence[tuple[str, float]]) -> Lifetimes:
        """Return the same of pairs with seconds."""
        return Lifetimes(tuple((pattern, round(seconds * NANOSECONDS)) for pattern, seconds in items))

    def find(self, metric: Metric) -> int:
        """Return the lifetime of the series of `metric`; 0 if they have none."""
        if not metric.label_names:
            return 0
        return next((lifetime for pattern, lifetime in self.items if fnmatchcase(metric.name, pattern)), 0)

    def describe_unmatched(self, metrics: Iterable[Metric]) -> list[str]:
        """Return a sentence for each item that has the name of none of `metrics` with labels."""
        names = sorted({metric.name for metric in metrics if metric.label_names})
        return [
            f"--expire does nothing for {pattern}: no program has a metric of that name that has labels."
            f"{suggest(pattern, names)} Programs are looked at again at a reload."
            for pattern, _ in self.items
            if not any(fnmatchcase(name, pattern) for name in names)
        ]
