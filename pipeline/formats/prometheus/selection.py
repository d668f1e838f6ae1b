"""Which metrics make which family, and what cannot stand on the page.

Metrics of one exported name form a family; names with other characters than the format knows are
changed, so metrics of different names can meet in one family. What cannot stand beside the rest of
the page (another type, names the format reserves) is left out and reported as a problem, because a
scraper rejects the whole page for one such line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.metrics import Kind, MetricSnapshot, Snapshot

TYPES = {
    Kind.COUNTER: "counter",
    Kind.GAUGE: "gauge",
    Kind.TIMER: "gauge",
    Kind.HISTOGRAM: "histogram",
}
"""Kinds the format can hold. Text is none of them."""

HISTOGRAM_SUFFIXES = ("_bucket", "_count", "_sum")

# A metric name may hold a colon. A label name may not, although mtail would write it there.
NAME_MISFITS = re.compile("[^A-Za-z0-9_:]|^[0-9]")
LABEL_NAME_MISFITS = re.compile("[^A-Za-z0-9_]|^[0-9]")

HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclass(frozen=True, slots=True)
class PrometheusOptions:
    """What mtail's flags of the same names switch, and the labels that each series has."""

    emit_prog_label: bool = True
    emit_metric_timestamp: bool = False
    constant_labels: tuple[tuple[str, str], ...] = ()
    """Names that the format can hold, and their values; a label of a metric counts more than one of its name."""
    emit_created_timestamps: bool = False
    """Whether it is told when each counter and histogram began, in those variants that can say so."""


def select_families(
    families: dict[str, list[MetricSnapshot]], options: PrometheusOptions, problems: list[str]
) -> dict[str, list[MetricSnapshot]]:
    """Return what can stand on the page, sorted by name; a sentence for each thing left out goes to `problems`."""
    selected: dict[str, list[MetricSnapshot]] = {}
    reserved: dict[str, str] = {}
    for name, metrics in sorted(families.items()):
        if name in reserved:
            problems.extend(
                leave_out(metric, f"histogram `{reserved[name]}` has samples of that name") for metric in metrics
            )
            continue
        family = select_metrics(metrics, options, problems)
        if not family:
            continue
        selected[name] = family
        if family[0].kind is Kind.HISTOGRAM:
            # A suffix only makes a name sort later, so this comes before the family it concerns.
            reserved.update((name + suffix, name) for suffix in HISTOGRAM_SUFFIXES)
    return selected


def group_families(snapshot: Snapshot) -> dict[str, list[MetricSnapshot]]:
    """Return what can be exported, by the name it is exported under."""
    families: dict[str, list[MetricSnapshot]] = {}
    for metric in snapshot.metrics:
        if metric.series and not metric.hidden and metric.kind in TYPES:
            families.setdefault(clean_name(metric.name), []).append(metric)
    return families


def select_metrics(
    metrics: Sequence[MetricSnapshot], options: PrometheusOptions, problems: list[str]
) -> list[MetricSnapshot]:
    """Return the metrics that can stand in one family, with the first of them."""
    family: list[MetricSnapshot] = []
    for metric in metrics:
        reason = find_misfit(metric, options)
        if not reason and family and TYPES[metric.kind] != TYPES[family[0].kind]:
            reason = f"the name is taken by a {TYPES[family[0].kind]} at {family[0].source}"
        if reason:
            problems.append(leave_out(metric, reason))
        else:
            family.append(metric)
    return describe_family(family, problems)


def describe_family(family: Sequence[MetricSnapshot], problems: list[str]) -> list[MetricSnapshot]:
    """Return the metrics, the first of them with help text and unit of all.

    Of several they are those of the program whose name comes first, so that a reload does not exchange them.
    """
    if not any(metric.help_text or metric.unit for metric in family):
        return list(family)
    in_order = sorted(family, key=lambda metric: metric.program)
    helping = next((metric for metric in in_order if metric.help_text), in_order[0])
    measured = next((metric for metric in in_order if metric.unit), in_order[0])
    for metric in in_order:
        if metric.help_text not in ("", helping.help_text):
            problems.append(overrule(metric, "help text", helping))
        if metric.unit not in ("", measured.unit):
            problems.append(overrule(metric, "unit", measured))
    return [replace(family[0], help_text=helping.help_text, unit=measured.unit), *family[1:]]


def find_misfit(metric: MetricSnapshot, options: PrometheusOptions) -> str:
    """Return why the format cannot hold `metric` at all, or nothing."""
    if not metric.name:
        return "it has no name"
    for name in map(clean_label_name, metric.label_names):
        if not name:
            return "a label has no name"
        if name.startswith("__"):
            return f"label names that begin with two underscores, as `{name}`, are reserved"
        if name == "le" and metric.kind is Kind.HISTOGRAM:
            return "the label `le` of a histogram is the bound of a bucket"
        if name == "prog" and has_prog_label(metric, options):
            return "the label `prog` is the name of the program"
    return ""


def leave_out(metric: MetricSnapshot, reason: str, where: str = "the Prometheus format") -> str:
    """Return the problem that `metric` is left out for `reason`."""
    return f"Metric `{metric.name}` at {metric.source} is left out of {where}: {reason}."


def overrule(metric: MetricSnapshot, noun: str, first: MetricSnapshot) -> str:
    """Return the problem that `first` says something else of the family than `metric` does."""
    return f"Metric `{metric.name}` has another {noun} at {metric.source} than at {first.source}, which counts."


def has_prog_label(metric: MetricSnapshot, options: PrometheusOptions) -> bool:
    """Tell whether the program is shown. The daemon's own metrics have none."""
    return options.emit_prog_label and bool(metric.program)


def clean_name(name: str) -> str:
    """Return the name of a metric as the format can hold it."""
    return NAME_MISFITS.sub("_", name)


def clean_label_name(name: str) -> str:
    """Return the name of a label as the format can hold it."""
    return LABEL_NAME_MISFITS.sub("_", name)


def find_help(first: MetricSnapshot) -> str:
    """Return what is said about a family; `first` is its first metric."""
    return first.help_text or f"defined at {first.source}"
