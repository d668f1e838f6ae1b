"""Metrics as Graphite reads them, as mtail's `/graphite` (behaviour.md 5.6, 6.3) but for what `lines` changes.

    PREFIXPROGRAM.name.label.value VALUE SECONDS

In labels and their values a dot is `_`; all else stays, blanks too. A histogram has a line for each bucket, not
cumulative, and one for its count. mtail shows the buckets of its first series for all of them; here each has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.formats.lines import (
    Collisions,
    LineOptions,
    NamedMetric,
    find_places,
    select_metrics,
    spell_value,
    write_literal,
    write_metrics,
)
from pipeline.metrics import HistogramValue, Kind, MetricSnapshot, SeriesView, Snapshot, format_go_float, wrap_int64

CONTENT_TYPE = "text/plain"

SECOND = 1_000_000_000


def render(snapshot: Snapshot, options: LineOptions | None = None, problems: list[str] | None = None) -> bytes:
    """Return the page `/graphite`. A sentence for each metric that repeats names is added to `problems`."""
    return b"".join(write(snapshot, options or LineOptions(), [] if problems is None else problems))


def write(snapshot: Snapshot, options: LineOptions, problems: list[str]) -> Iterator[bytes]:
    """Yield that page in pieces, with the values of the moment each is made."""
    metrics = [name_metric(metric, options.graphite_prefix) for metric in select_metrics(snapshot)]
    return write_metrics(metrics, Collisions(metrics, "Graphite", problems), write_series)


def name_metric(metric: MetricSnapshot, prefix: str) -> NamedMetric:
    """Return how the series of `metric` are named: labels in order, each with its value."""
    places = find_places(metric)
    names = sorted(places)
    path = write_literal(f"{prefix}{metric.program}.{metric.name}")
    template = path + "".join(f".{replace_dots(write_literal(name))}.%s" for name in names)
    return NamedMetric(metric, f"{path}.", template, tuple(places[name] for name in names), replace_dots)


def replace_dots(text: str) -> str:
    """Return `text` as one part of a path."""
    return text.replace(".", "_")


def write_series(named: NamedMetric, series: Sequence[SeriesView]) -> tuple[list[str], Iterator[str]]:
    """Return the names and the lines of some series."""
    paths = named.name_series(series)
    samples: Iterator[tuple[float | bytes | HistogramValue, int]] = ((one.value, one.time) for one in series)
    if named.metric.kind is Kind.HISTOGRAM:
        suffixes = [*(f".bin_{format_go_float(bound)}" for bound in named.metric.bounds), ".bin_inf", ".count", ""]
        paths = [path + suffix for path in paths for suffix in suffixes]
        samples = ((number, one.time) for one in series for number in list_numbers(one.value))
    return paths, (
        f"{path} {spell_value(value)} {find_second(time)}\n" for path, (value, time) in zip(paths, samples, strict=True)
    )


def list_numbers(value: float | bytes | HistogramValue) -> tuple[float, ...]:
    """Return the numbers of a histogram series in order of its lines."""
    assert isinstance(value, HistogramValue)
    return (*value.counts, value.count, float(value.total))


def find_second(time: int) -> int:
    """Return a time in seconds, those before 1970 cut off towards it, as Go divides."""
    time = wrap_int64(time)
    return time // SECOND if time >= 0 else -(-time // SECOND)
