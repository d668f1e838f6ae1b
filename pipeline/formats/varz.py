"""Metrics as Borgmon reads them, byte for byte as mtail's `/varz` (behaviour.md 5.5), but for what `lines` changes.

    name{label=value,prog=PROGRAM,instance=HOST} value

Nothing is quoted. Texts are values as well.
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
from pipeline.metrics import MetricSnapshot, SeriesView, Snapshot

CONTENT_TYPE = "text/plain"


def render(snapshot: Snapshot, options: LineOptions | None = None, problems: list[str] | None = None) -> bytes:
    """Return the page `/varz`. A sentence for each metric that repeats names is added to `problems`."""
    return b"".join(write(snapshot, options or LineOptions(), [] if problems is None else problems))


def write(snapshot: Snapshot, options: LineOptions, problems: list[str]) -> Iterator[bytes]:
    """Yield that page in pieces, with the values of the moment each is made."""
    metrics = [name_metric(metric, options) for metric in select_metrics(snapshot)]
    return write_metrics(metrics, Collisions(metrics, "Borgmon", problems), write_series)


def name_metric(metric: MetricSnapshot, options: LineOptions) -> NamedMetric:
    """Return how the series of `metric` are named: labels in order, then the program and the host."""
    places = find_places(metric)
    # mtail sorts the pairs: "a=" stands behind "a-b=".
    names = sorted(places, key="{}=".format)
    pairs = [f"{write_literal(name)}=%s" for name in names]
    if options.emit_prog_label:
        pairs.append(f"prog={write_literal(metric.program)}")
    pairs.append(f"instance={write_literal(options.instance)}")
    stem = write_literal(metric.name) + "{"
    return NamedMetric(metric, stem, f"{stem}{','.join(pairs)}}}", tuple(places[name] for name in names))


def write_series(named: NamedMetric, series: Sequence[SeriesView]) -> tuple[list[str], Iterator[str]]:
    """Return the names and the lines of some series."""
    names = named.name_series(series)
    return names, (f"{name} {spell_value(one.value)}\n" for name, one in zip(names, series, strict=True))
