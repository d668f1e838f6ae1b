"""The Prometheus text format 0.0.4, as mtail writes it (behaviour.md 5.3).

Metrics of one exported name form a family; names with other characters than the format knows are
changed, so metrics of different names can meet in one family. What cannot stand beside the rest of
the page (another type, equal labels, names the format reserves) is left out and reported as a
problem, because a scraper rejects the whole page for one such line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from pipeline.formats.numbers import format_sample
from pipeline.formats.text import decode_text
from pipeline.metrics import HistogramValue, Kind, MetricSnapshot, SeriesSnapshot, Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

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

VALUE_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})
ESCAPED = re.compile(r'[\\"\n]')


@dataclass(frozen=True, slots=True)
class PrometheusOptions:
    """What mtail's flags of the same names switch."""

    emit_prog_label: bool = True
    emit_metric_timestamp: bool = False


class Sample(NamedTuple):
    """One series, ready to be sorted and written. A tuple because a page may have 100,000."""

    values: tuple[str, ...]
    labels: str
    metric: MetricSnapshot
    series: SeriesSnapshot


def render(
    snapshot: Snapshot,
    options: PrometheusOptions | None = None,
    problems: list[str] | None = None,
) -> bytes:
    """Return the page. A sentence for each thing that was left out is added to `problems`."""
    return b"".join(render_families(snapshot, options or PrometheusOptions(), [] if problems is None else problems))


def render_families(snapshot: Snapshot, options: PrometheusOptions, problems: list[str]) -> Iterator[bytes]:
    """Yield the page family by family, so that a caller can do something else in between."""
    reserved: dict[str, str] = {}
    for name, metrics in sorted(group_families(snapshot).items()):
        if name in reserved:
            problems.extend(
                leave_out(metric, f"histogram `{reserved[name]}` has samples of that name") for metric in metrics
            )
            continue
        family = select_metrics(metrics, options, problems)
        samples = collect_samples(family, options, problems)
        if not samples:
            continue
        first = family[0]
        if first.kind is Kind.HISTOGRAM:
            # A suffix only makes a name sort later, so this comes before the family it concerns.
            reserved.update((name + suffix, name) for suffix in HISTOGRAM_SUFFIXES)
        help_text = first.help_text or f"defined at {first.source}"
        lines = [f"# HELP {name} {help_text.translate(HELP_ESCAPES)}\n# TYPE {name} {TYPES[first.kind]}\n"]
        lines.extend(write_sample(name, sample, options) for sample in samples)
        yield "".join(lines).encode("utf-8", "replace")


def group_families(snapshot: Snapshot) -> dict[str, list[MetricSnapshot]]:
    """Return what can be exported, by the name it is exported under."""
    families: dict[str, list[MetricSnapshot]] = {}
    for metric in snapshot.metrics:
        if metric.series and not metric.hidden and metric.kind in TYPES:
            families.setdefault(NAME_MISFITS.sub("_", metric.name), []).append(metric)
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
    return family


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


def leave_out(metric: MetricSnapshot, reason: str) -> str:
    """Return the problem that `metric` is left out for `reason`."""
    return f"Metric `{metric.name}` at {metric.source} is left out of the Prometheus format: {reason}."


def has_prog_label(metric: MetricSnapshot, options: PrometheusOptions) -> bool:
    """Tell whether the program is shown. The daemon's own metrics have none."""
    return options.emit_prog_label and bool(metric.program)


def clean_label_name(name: str) -> str:
    """Return `name` as the format can hold it."""
    return LABEL_NAME_MISFITS.sub("_", name)


def collect_samples(family: Sequence[MetricSnapshot], options: PrometheusOptions, problems: list[str]) -> list[Sample]:
    """Return the series of a family, sorted: fewer labels first, then by values in order of label name."""
    samples: dict[str, Sample] = {}
    for metric in family:
        # Escaped and in order of label name, equal labels have equal texts.
        every = label_series(metric, options)
        lost = [sample for sample in every if samples.setdefault(sample.labels, sample) is not sample]
        if lost:
            keeper = samples[lost[0].labels]
            problems.append(
                f"Of metric `{metric.name}` at {metric.source}, {len(lost)} series are left out of the Prometheus"
                f" format: their name and labels equal those of series of {keeper.metric.source},"
                f" such as {{{lost[0].labels}}}."
            )
    ordered = sorted(samples.values(), key=attrgetter("values"))
    if len({len(metric.label_names) for metric in family}) > 1:
        ordered.sort(key=lambda sample: len(sample.values))
    return ordered


def label_series(metric: MetricSnapshot, options: PrometheusOptions) -> Iterator[Sample]:
    """Yield the series of `metric` with their labels, sorted by name, as they stand between the braces."""
    # Of labels with one name the last one counts.
    columns: dict[str, int] = {clean_label_name(name): index for index, name in enumerate(metric.label_names)}
    program = ""
    if has_prog_label(metric, options):
        columns["prog"] = len(metric.label_names)
        program = metric.program
    order = [columns[name] for name in sorted(columns)]
    template = ",".join(f'{name}="%s"' for name in sorted(columns))
    for series in metric.series:
        texts = [*map(decode_text, series.labels), program]
        values = tuple([texts[column] for column in order])
        labels = template % values
        if labels.count('"') != 2 * len(order) or "\\" in labels or "\n" in labels:
            labels = template % tuple([value.translate(VALUE_ESCAPES) for value in values])
        yield Sample(values, labels, metric, series)


def write_sample(name: str, sample: Sample, options: PrometheusOptions) -> str:
    """Return the line of a series; for a histogram its lines."""
    labels, series = sample.labels, sample.series
    end = f" {series.time // 1_000_000}\n" if options.emit_metric_timestamp else "\n"
    braces = f"{{{labels}}}" if labels else ""
    if not isinstance(series.value, HistogramValue):
        return f"{name}{braces} {format_sample(series.value)}{end}"
    lines = []
    cumulative = 0
    comma = "," if labels else ""
    bounds = [*map(format_sample, sample.metric.bounds), "+Inf"]
    for bound, count in zip(bounds, series.value.counts, strict=True):
        cumulative += count
        lines.append(f'{name}_bucket{{{labels}{comma}le="{bound}"}} {format_sample(cumulative)}{end}')
    lines.append(f"{name}_sum{braces} {format_sample(series.value.total)}{end}")
    lines.append(f"{name}_count{braces} {format_sample(series.value.count)}{end}")
    return "".join(lines)
