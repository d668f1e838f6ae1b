"""Families as messages, in the only form that has native histograms: `variants.PROTOBUF`.

They have the series of the texts. A message begins with its length, so a family is made whole before it is written;
an empty piece for each millisecond of that lets others have their turn. Of a series that holds a number all but
the eight bytes of the number are kept, like the template of a text, from the first page in this form on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast
from weakref import WeakKeyDictionary

from pipeline.formats.prometheus.blocks import Block
from pipeline.formats.prometheus.messages import (
    COUNTER,
    COUNTER_CREATED,
    COUNTER_EXEMPLAR,
    CREATED,
    GAUGE,
    METRIC,
    TIMESTAMP_MS,
    begin_number,
    list_bounds,
    spell_exemplar,
    spell_family_head,
    spell_histogram,
    spell_pairs,
    spell_time,
)
from pipeline.formats.prometheus.samples import find_millisecond, read_columns, read_numbers
from pipeline.formats.prometheus.selection import PrometheusOptions, find_help
from pipeline.formats.prometheus.shown import BlockExemplars, ShownFamily
from pipeline.formats.prometheus.variants import TOTAL, find_unit
from pipeline.formats.prometheus.wire import DOUBLE, spell_varint, wrap
from pipeline.metrics import HistogramValue, Kind, SeriesView

STEP_BYTES = 32 * 1024
"""After so much somebody else has a turn. To make it takes 0.1 ms where it is kept, and 1 ms where it is not."""

NUMBERS = {Kind.COUNTER: COUNTER, Kind.GAUGE: GAUGE, Kind.TIMER: GAUGE}


class MessageWriter:
    """Writes the families of one page, again and again."""

    def __init__(self, options: PrometheusOptions) -> None:
        self.options = options
        self.templates: WeakKeyDictionary[Block, bytes] = WeakKeyDictionary()
        """Series that hold numbers, with `%b` for each. A block that is replaced takes its template with it."""
        self.labels: WeakKeyDictionary[Block, list[bytes]] = WeakKeyDictionary()
        """The labels of each series, where the length of its message depends on what it holds."""

    def write(self, shown: ShownFamily) -> Iterator[bytes]:
        """Yield a family in pieces; empty ones while it is made."""
        first = shown.first
        # The unit of a counter stands before its `_total`.
        unit = find_unit(shown.name.removesuffix(TOTAL) if first.kind is Kind.COUNTER else shown.name, first)
        parts = [spell_family_head(shown.name, find_help(first), first.kind, unit)]
        fresh = 0
        for block in shown.blocks:
            parts.append(self.write_block(shown, block))
            fresh += len(parts[-1])
            if fresh >= STEP_BYTES:
                fresh = 0
                yield b""
        yield spell_varint(sum(map(len, parts)))
        yield from parts

    def write_block(self, shown: ShownFamily, block: Block) -> bytes:
        """Return the series of a block as they are now."""
        exemplars = shown.find_exemplars(block)
        if shown.first.kind is Kind.HISTOGRAM:
            return b"".join(self.list_histograms(shown, block, exemplars))
        if exemplars or self.options.emit_metric_timestamp:
            return b"".join(self.list_numbers(shown, block, exemplars))
        template = self.templates.get(block)
        if template is None:
            template = self.templates[block] = self.make_template(shown, block)
        return template % tuple(map(DOUBLE.pack, read_block(block)))

    def make_template(self, shown: ShownFamily, block: Block) -> bytes:
        """Return series that hold numbers, with `%b` for each."""
        kind = shown.first.kind
        parts: list[bytes] = []
        for labels, one in zip(list_labels(shown, block), block.shown, strict=True):
            created = self.spell_created(COUNTER_CREATED, one) if kind is Kind.COUNTER else b""
            parts += (begin_number(labels, NUMBERS[kind], len(created)).replace(b"%", b"%%"), b"%b")
            parts += (created.replace(b"%", b"%%"),) if created else ()
        return b"".join(parts)

    def list_numbers(self, shown: ShownFamily, block: Block, exemplars: BlockExemplars) -> Iterator[bytes]:
        """Yield series that hold numbers, with what changes beside these."""
        kind = shown.first.kind
        numbers = read_block(block)
        for place, (labels, one) in enumerate(zip(self.keep_labels(shown, block), block.shown, strict=True)):
            rest = self.spell_created(COUNTER_CREATED, one) if kind is Kind.COUNTER else b""
            if (exemplar := exemplars.get(place, {}).get(0)) is not None:
                rest = wrap(COUNTER_EXEMPLAR, spell_exemplar(exemplar)) + rest
            stamp = self.spell_stamp(one)
            yield begin_number(labels, NUMBERS[kind], len(rest), len(stamp))
            yield DOUBLE.pack(numbers[place]) + rest + stamp

    def list_histograms(self, shown: ShownFamily, block: Block, exemplars: BlockExemplars) -> Iterator[bytes]:
        """Yield series that hold buckets."""
        bounds = [list_bounds(form.bounds) for form in shown.forms]
        rows = zip(self.keep_labels(shown, block), block.shown_indexes, block.shown, strict=True)
        for place, (labels, index, one) in enumerate(rows):
            value, created = cast("HistogramValue", one.value), self.spell_created(CREATED, one)
            histogram = spell_histogram(value, bounds[index], exemplars.get(place, {}), created)
            yield wrap(METRIC, labels + histogram + self.spell_stamp(one))

    def keep_labels(self, shown: ShownFamily, block: Block) -> list[bytes]:
        """Return the labels of each series, made at the first time."""
        labels = self.labels.get(block)
        if labels is None:
            labels = self.labels[block] = list_labels(shown, block)
        return labels

    def spell_created(self, tag: bytes, one: SeriesView) -> bytes:
        """Return when a series began, if that is known and to be told."""
        return wrap(tag, spell_time(one.start)) if one.start and self.options.emit_created_timestamps else b""

    def spell_stamp(self, one: SeriesView) -> bytes:
        """Return the time of a series, if it is to be told."""
        return TIMESTAMP_MS + spell_varint(find_millisecond(one)) if self.options.emit_metric_timestamp else b""


def read_block(block: Block) -> Sequence[float]:
    """Return what each series of a block holds, to be packed as a double."""
    return read_numbers([cast("float | bytes", one.value) for one in block.shown])


def list_labels(shown: ShownFamily, block: Block) -> list[bytes]:
    """Return the labels of each series of a block."""
    labels = [b""] * len(block.shown)
    for index, form in enumerate(shown.forms):
        spots = [spot for spot, its in enumerate(block.shown_indexes) if its == index]
        columns = read_columns(form, [block.shown[spot] for spot in spots])
        pairs = [spell_pairs(name, column) for name, column in zip(form.label_names, columns, strict=True)]
        for spot, own in zip(spots, zip(*pairs, strict=True), strict=False):
            labels[spot] = b"".join(own)
    return labels
