"""Metrics as JSON, byte for byte as Go's encoder writes mtail's structures (behaviour.md 5.4 and 8.1).

A metric with a help text or a unit has these too, behind all that mtail knows.

Everything has its order and its indent of two spaces, so the text is put together here: a general
encoder neither knows Go's escapes nor is as fast on 100,000 series.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from pipeline.formats.numbers import format_json_number
from pipeline.metrics import HistogramValue, Kind, MetricSnapshot, SeriesView, Snapshot, format_go_float, wrap_int64

CONTENT_TYPE = "application/json"

ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), *b"<>&", 0x2028, 0x2029)}
ESCAPES.update({ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"})
"""Go escapes what could end an HTML or JavaScript context, and has few short forms."""
ESCAPES.update(dict.fromkeys(range(0xDC80, 0xDD00), "\\ufffd"))
"""Go writes an invalid byte ("surrogateescape" makes one of these of it) as an escape, a real U+FFFD as it is."""

ESCAPED = re.compile(f"[{re.escape(''.join(map(chr, ESCAPES)))}]")

SERIES = "\0"
"""Stands where the series of a metric go. No escaped string holds it."""

STEP = 256
"""How many series make a piece of the page, which takes half a millisecond (measured)."""


def render(snapshot: Snapshot) -> bytes:
    """Return the page `/json`: one array of all metrics, sorted by name, hidden and text included."""
    return b"".join(write(snapshot))


def write(snapshot: Snapshot) -> Iterator[bytes]:
    """Yield that page in pieces, with the values of the moment each is made."""
    opening = "["
    for metric in snapshot.metrics:
        yield f"{opening}\n  ".encode()
        for piece in write_metric(metric):
            yield deepen(piece, 1).encode()
        opening = ","
    yield b"\n]" if snapshot.metrics else b"[]"


def render_one_shot(snapshot: Snapshot) -> bytes:
    """Return one-shot output: an object with an array of metrics for each name."""
    families: dict[str, list[str]] = {}
    for metric in snapshot.metrics:
        families.setdefault(metric.name, []).append("".join(write_metric(metric)))
    members = (f"{quote_text(name)}: {nest('[', metrics, ']')}" for name, metrics in families.items())
    return nest("{", members, "}").encode()


def nest(opening: str, items: Iterable[str], closing: str) -> str:
    """Return an array or object, its items one step further in."""
    body = deepen(",\n".join(items), 1)
    return f"{opening}\n  {body}\n{closing}" if body else opening + closing


def deepen(text: str, steps: int) -> str:
    """Return `text` further in. Escaped strings hold no line feed, so each is one of the layout."""
    return text.replace("\n", "\n" + steps * "  ")


def write_metric(metric: MetricSnapshot) -> Iterator[str]:
    """Yield the object of one metric in pieces."""
    before, _, after = outline_metric(metric).partition(SERIES)
    yield before
    writer = SeriesWriter(metric)
    comma = ""
    for start in range(0, len(metric.series), STEP):
        texts = writer.write(metric.series[start : start + STEP])
        # They are items of an array that is a member of the metric.
        yield deepen(comma + ",\n".join(texts), 2)
        comma = ",\n"
    yield after


def outline_metric(metric: MetricSnapshot) -> str:
    """Return the object of one metric with a mark in place of its series."""
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
        members.append(f'"LabelValues": {nest("[", [SERIES], "]")}')
    members.append(f'"Source": {quote_text(metric.source)}')
    if metric.bounds:
        members.append(f'"Buckets": {render_ranges(metric)}')
    if metric.limit:
        members.append(f'"Limit": {metric.limit}')
    # mtail's have neither, and nothing stands there for a metric that was given neither.
    if metric.help_text:
        members.append(f'"Help": {quote_text(metric.help_text)}')
    if metric.unit:
        members.append(f'"Unit": {quote_text(metric.unit)}')
    return nest("{", members, "}")


class SeriesWriter:
    """Writes the series of one metric, whose objects differ in nothing but strings and numbers.

    Its templates have `%s` for each of them: labels, value or what a histogram holds, time, expiry.
    """

    def __init__(self, metric: MetricSnapshot) -> None:
        self.width = len(metric.label_names)
        bounds = [*map(format_go_float, metric.bounds), "+Inf"]
        self.order = sorted(range(len(bounds)), key=bounds.__getitem__)
        """Buckets are sorted by the text of their bound."""
        value = ['"Value": %s', '"Time": %s']
        if metric.kind is Kind.HISTOGRAM:
            buckets = nest("{", [f'"{bounds[place]}": %s' for place in self.order], "}")
            value = [f'"Buckets": {buckets}', '"Count": %s', '"Sum": %s', '"Time": %s']
        members = [f'"Value": {nest("{", value, "}")}']
        if self.width:
            labels = nest("[", ['"%s"'] * self.width, "]")
            members.insert(0, f'"Labels": {labels}')
        self.lasting = nest("{", members, "}")
        self.expiring = nest("{", [*members, '"Expiry": %s'], "}")

    def write(self, series: Sequence[SeriesView]) -> Iterator[str]:
        """Yield the object of each series."""
        labels = escape_values([value for one in series for value in one.labels])
        for place, one in enumerate(series):
            start = place * self.width
            texts = (*labels[start : start + self.width], *self.spell_value(one.value), wrap_int64(one.time))
            yield self.expiring % (*texts, one.expiry) if one.expiry else self.lasting % texts

    def spell_value(self, value: float | bytes | HistogramValue) -> Sequence[str | int]:
        """Return the texts of a value in order of the template."""
        if isinstance(value, HistogramValue):
            counts = [value.counts[place] for place in self.order]
            return (*counts, value.count, format_json_number(value.total))
        return (quote_bytes(value) if isinstance(value, bytes) else format_json_number(value),)


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
    return quote_text(decode_bytes(data))


def decode_bytes(data: bytes) -> str:
    """Return `data` as a text that may hold what `ESCAPES` has for invalid bytes."""
    return data.decode(errors="surrogateescape")


def escape_values(values: list[bytes]) -> list[str]:
    """Return `values` as they stand in JSON strings; most logs have none that needs an escape."""
    texts = list(map(decode_bytes, values))
    if ESCAPED.search("".join(texts)):
        return [text.translate(ESCAPES) for text in texts]
    return texts
