"""What became of a program and its log, in a form in which ours and mtail's can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

RUN_TIME = -1
"""Stands for a time stamp taken from the clock during the run, which no two runs share."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series. A histogram's value is its sum, its count, and its counts by bound, not cumulative."""

    value: int | float | str | tuple[float, int, tuple[tuple[str, int], ...]]
    time: int
    expiry: int = 0


@dataclass(frozen=True, slots=True)
class MetricOutcome:
    """One metric as JSON shows it; `source` is where it was declared."""

    kind: int
    value_type: int
    label_names: tuple[str, ...]
    source: str
    series: Mapping[tuple[str, ...], Series]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The metrics by name, and how many lines failed; or why the program was rejected."""

    metrics: Mapping[str, tuple[MetricOutcome, ...]] = field(default_factory=dict)
    failures: int = 0
    rejection: str = ""

    def without_hidden(self, hidden: frozenset[str]) -> Outcome:
        return replace(self, metrics={name: each for name, each in self.metrics.items() if name not in hidden})


def read_int(text: str) -> int | float:
    """Go writes a Float of minus zero as `-0`."""
    return -0.0 if text == "-0" else int(text)


def read_metrics(page: str, run: range) -> dict[str, tuple[MetricOutcome, ...]]:
    """Read one-shot JSON. A time within `run` (nanoseconds) is one taken from the clock."""
    families: dict[str, list[dict[str, Any]]] = json.loads(page, parse_int=read_int)
    return {name: tuple(read_metric(one, run) for one in family) for name, family in families.items()}


def read_metric(members: dict[str, Any], run: range) -> MetricOutcome:
    is_float = members["Type"] == 1
    series = {
        tuple(each.get("Labels", ())): read_series(each, run, is_float=is_float)
        for each in members.get("LabelValues", ())
    }
    return MetricOutcome(members["Kind"], members["Type"], tuple(members.get("Keys", ())), members["Source"], series)


def read_series(members: dict[str, Any], run: range, *, is_float: bool) -> Series:
    datum = members["Value"]
    time = RUN_TIME if datum["Time"] in run else datum["Time"]
    expiry = members.get("Expiry", 0)
    if "Buckets" in datum:
        counts = tuple(sorted(datum["Buckets"].items()))
        return Series((float(datum["Sum"]), datum["Count"], counts), time, expiry)
    value = datum["Value"]
    return Series(float(value) if is_float else value, time, expiry)


def list_differences(ours: Outcome, theirs: Outcome) -> list[str]:
    """Say in one line each how two outcomes differ; nothing when they are the same."""
    if bool(ours.rejection) != bool(theirs.rejection):
        return [f"rejected by us: {ours.rejection!r}; by mtail: {theirs.rejection!r}"]
    lines = []
    if ours.failures != theirs.failures:
        lines.append(f"lines failed: ours {ours.failures}, mtail's {theirs.failures}")
    for name in sorted(ours.metrics.keys() | theirs.metrics.keys()):
        mine, other = ours.metrics.get(name, ()), theirs.metrics.get(name, ())
        if len(mine) != len(other):
            lines.append(f"{name}: {len(mine)} metrics, mtail has {len(other)}")
        for one, two in zip(mine, other, strict=False):
            lines.extend(f"{name}: {line}" for line in list_metric_differences(one, two))
    return lines


def list_metric_differences(ours: MetricOutcome, theirs: MetricOutcome) -> list[str]:
    lines = [
        f"{attribute} {getattr(ours, attribute)!r}, mtail has {getattr(theirs, attribute)!r}"
        for attribute in ("kind", "value_type", "label_names", "source")
        if getattr(ours, attribute) != getattr(theirs, attribute)
    ]
    # `repr` tells minus zero from zero.
    for labels in sorted(ours.series.keys() | theirs.series.keys()):
        one, two = ours.series.get(labels), theirs.series.get(labels)
        if repr(one) != repr(two):
            lines.append(f"{labels} is {one}, mtail has {two}")
    return lines
