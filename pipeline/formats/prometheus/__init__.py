"""The Prometheus text format 0.0.4, as mtail writes it (behaviour.md 5.3).

Metrics of one exported name form a family; names with other characters than the format knows are
changed, so metrics of different names can meet in one family. What cannot stand beside the rest of
the page (another type, equal labels, names the format reserves) is left out and reported as a
problem, because a scraper rejects the whole page for one such line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import TypeAlias

from pipeline.formats.numbers import format_sample
from pipeline.formats.text import decode_text, encode_text
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


Row: TypeAlias = tuple[int, str, str, MetricSnapshot, SeriesSnapshot]
"""A series ready to be sorted and written: the number of labels, their values sorted by name and
joined by NUL, the labels as they stand between the braces, the metric, the series. It is a plain
tuple, and its second element a string, because a page may have 100,000 of them: to make and sort
named tuples that hold tuples takes 0.2 s more."""


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
        rows = collect_rows(family, options, problems)
        if not rows:
            continue
        first = family[0]
        if first.kind is Kind.HISTOGRAM:
            # A suffix only makes a name sort later, so this comes before the family it concerns.
            reserved.update((name + suffix, name) for suffix in HISTOGRAM_SUFFIXES)
        help_text = first.help_text or f"defined at {first.source}"
        lines = [f"# HELP {name} {help_text.translate(HELP_ESCAPES)}\n# TYPE {name} {TYPES[first.kind]}\n"]
        lines.extend([write_row(name, row, options) for row in rows])
        yield encode_text("".join(lines))


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


def collect_rows(family: Sequence[MetricSnapshot], options: PrometheusOptions, problems: list[str]) -> list[Row]:
    """Return the series of a family, sorted: fewer labels first, then by values in order of label name."""
    rows: dict[str, Row] = {}
    for metric in family:
        # Escaped and in order of label name, equal labels have equal texts.
        lost = [row for row in label_series(metric, options) if rows.setdefault(row[2], row) is not row]
        if lost:
            problems.append(
                f"Metric `{metric.name}` at {metric.source} is in the Prometheus format without {len(lost)} of its"
                f" series: their name and labels equal those of series of {rows[lost[0][2]][3].source}."
            )
    ordered = sorted(rows.values(), key=itemgetter(1))
    ordered.sort(key=itemgetter(0))
    return ordered


def label_series(metric: MetricSnapshot, options: PrometheusOptions) -> Iterator[Row]:
    """Return the series of `metric` with their labels.

    It works by columns: 100,000 series with two labels take 0.2 s less than one by one.
    """
    # Of labels with one name the last one counts.
    columns = {clean_label_name(name): index for index, name in enumerate(metric.label_names)}
    texts = decode_labels([value for series in metric.series for value in series.labels])
    width = len(metric.label_names)
    values = {name: texts[index::width] for name, index in columns.items()}
    if has_prog_label(metric, options):
        values["prog"] = [metric.program] * len(metric.series)
    names = sorted(values)
    if not names:
        return zip((0,), ("",), ("",), (metric,), metric.series, strict=True)
    template = ",".join(f'{name}="%s"' for name in names)
    keys = map("\0".join, zip(*[values[name] for name in names], strict=True))
    escaped = zip(*[escape_values(values[name]) for name in names], strict=True)
    labels = map(template.__mod__, escaped)
    return zip(repeat(len(names)), keys, labels, repeat(metric), metric.series, strict=False)


def decode_labels(values: list[bytes]) -> list[str]:
    """Return `values` as texts; all at once if no byte of them is special."""
    joined = b"\n".join(values)
    if joined.count(b"\n") == len(values) - 1:
        with suppress(UnicodeDecodeError):
            return joined.decode().split("\n")
    return list(map(decode_text, values))


def escape_values(values: list[str]) -> list[str]:
    """Return `values` as they stand between quotes; most logs have none that needs it."""
    if ESCAPED.search("".join(values)):
        return [value.translate(VALUE_ESCAPES) for value in values]
    return values


def write_row(name: str, row: Row, options: PrometheusOptions) -> str:
    """Return the line of a series; for a histogram its lines."""
    _, _, labels, metric, series = row
    end = f" {series.time // 1_000_000}\n" if options.emit_metric_timestamp else "\n"
    braces = f"{{{labels}}}" if labels else ""
    if not isinstance(series.value, HistogramValue):
        return f"{name}{braces} {format_sample(series.value)}{end}"
    lines = []
    cumulative = 0
    comma = "," if labels else ""
    bounds = [*map(format_sample, metric.bounds), "+Inf"]
    for bound, count in zip(bounds, series.value.counts, strict=True):
        cumulative += count
        lines.append(f'{name}_bucket{{{labels}{comma}le="{bound}"}} {format_sample(cumulative)}{end}')
    lines.append(f"{name}_sum{braces} {format_sample(series.value.total)}{end}")
    lines.append(f"{name}_count{braces} {format_sample(series.value.count)}{end}")
    return "".join(lines)
