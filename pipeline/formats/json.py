"""Metrics as JSON, byte for byte as Go's encoder writes mtail's structures (behaviour.md 5.4 and 8.1).

Everything has its order and its indent of two spaces, so the text is put together here: a general
encoder neither knows Go's escapes nor is as fast on 100,000 series.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from pipeline.formats.numbers import format_json_number
from pipeline.metrics import HistogramValue, MetricSnapshot, SeriesSnapshot, Snapshot, format_go_float

CONTENT_TYPE = "application/json"

ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), *b"<>&", 0x2028, 0x2029)}
ESCAPES.update({ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"})
"""Go escapes what could end an HTML or JavaScript context, and has few short forms."""
ESCAPES.update(dict.fromkeys(range(0xDC80, 0xDD00), "\\ufffd"))
"""Go writes an invalid byte ("surrogateescape" makes one of these of it) as an escape, a real U+FFFD as it is."""


def render(snapshot: Snapshot) -> bytes:
    """Return the page `/json`: one array of all metrics, sorted by name, hidden and text included."""
    return nest("[", map(render_metric, snapshot.metrics), "]").encode()


def render_one_shot(snapshot: Snapshot) -> bytes:
    """Return one-shot output: an object with an array of metrics for each name."""
    families: dict[str, list[str]] = {}
    for metric in snapshot.metrics:
        families.setdefault(metric.name, []).append(render_metric(metric))
    members = (f"{quote_text(name)}: {nest('[', metrics, ']')}" for name, metrics in families.items())
    return nest("{", members, "}").encode()


def nest(opening: str, items: Iterable[str], closing: str) -> str:
    """Return an array or object, its items one step further in.

    An escaped string holds no line feed, so each line feed of an item is one of the layout.
    """
    body = ",\n".join(items)
    if not body:
        return opening + closing
    indented = body.replace("\n", "\n  ")
    return f"{opening}\n  {indented}\n{closing}"


def render_metric(metric: MetricSnapshot) -> str:
    """Return the object of one metric."""
    members = [
        f'"Name": {quote_text(metric.name)}',
        f'"Program": {quote_text(metric.program)}',
        f'"Kind": {metric.kind.value}',
        f'"Type": {metric.value_type.value}',
    ]
    if metric.hidden:
        members.append('"Hidden": true')
    if metric.label_names:
        members.append(f'"Keys": {nest("[", map(quote_text, metric.label_names), "]")}')
    if metric.series:
        bounds = [*map(format_go_float, metric.bounds), "+Inf"]
        members.append(f'"LabelValues": {nest("[", (render_series(one, bounds) for one in metric.series), "]")}')
    members.append(f'"Source": {quote_text(metric.source)}')
    if metric.bounds:
        members.append(f'"Buckets": {render_ranges(metric)}')
    if metric.limit:
        members.append(f'"Limit": {metric.limit}')
    return nest("{", members, "}")


def render_series(series: SeriesSnapshot, bounds: Sequence[str]) -> str:
    """Return the object of one series. `bounds` are the texts of the upper bounds, +Inf's too."""
    members = []
    if series.labels:
        members.append(f'"Labels": {nest("[", map(quote_bytes, series.labels), "]")}')
    if isinstance(series.value, HistogramValue):
        members.append(f'"Value": {render_histogram(series.value, series.time, bounds)}')
    else:
        value = quote_bytes(series.value) if isinstance(series.value, bytes) else format_json_number(series.value)
        members.append(f'"Value": {{\n  "Value": {value},\n  "Time": {series.time}\n}}')
    if series.expiry:
        members.append(f'"Expiry": {series.expiry}')
    return nest("{", members, "}")


def render_histogram(value: HistogramValue, time: int, bounds: Sequence[str]) -> str:
    """Return the value of a histogram series: its buckets sorted by the text of the bound."""
    buckets = (f'"{bound}": {count}' for bound, count in sorted(zip(bounds, value.counts, strict=True)))
    members = [
        f'"Buckets": {nest("{", buckets, "}")}',
        f'"Count": {value.count}',
        f'"Sum": {format_json_number(value.total)}',
        f'"Time": {time}',
    ]
    return nest("{", members, "}")


def render_ranges(metric: MetricSnapshot) -> str:
    """Return the array of a histogram's buckets, the last one open."""
    edges = [*map(format_go_float, (metric.lower, *metric.bounds)), "+Inf"]
    ranges = (f'{{\n  "Min": "{low}",\n  "Max": "{high}"\n}}' for low, high in pairwise(edges))
    return nest("[", ranges, "]")


def quote_text(text: str) -> str:
    """Return `text` as a JSON string."""
    return f'"{text.translate(ESCAPES)}"'


def quote_bytes(data: bytes) -> str:
    """Return `data` as a JSON string."""
    return quote_text(data.decode(errors="surrogateescape"))
