"""Remote write 2.0: a table has each text of the message once, and a series has the numbers of those of its labels.

    Request     symbols 4, timeseries 5
    TimeSeries  labels_refs 1, samples 2, histograms 3, exemplars 4, metadata 5
    Metadata    type 1, help_ref 3, unit_ref 4
    Exemplar    labels_refs 1, value 2, timestamp 3

This is release candidate 4 of the specification, which has the start of a series in its samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

from pipeline.formats.prometheus.remote_write.message import (
    EXEMPLAR_TIMESTAMP,
    EXEMPLAR_VALUE,
    About,
    Heads,
    Message,
    Request,
    find_milliseconds,
)
from pipeline.formats.prometheus.wire import BYTES, DOUBLE, VARINT, make_tag, spell_varint, wrap
from pipeline.formats.text import encode_text
from pipeline.metrics import Exemplar

SYMBOL, LABELS = make_tag(4, BYTES), make_tag(1, BYTES)
EXEMPLAR, METADATA = make_tag(4, BYTES), make_tag(5, BYTES)
TYPE, HELP, UNIT = make_tag(1, VARINT), make_tag(3, VARINT), make_tag(4, VARINT)

LABEL_HEADS = Heads(LABELS)


class Symbols(dict[str, bytes]):
    """The texts of a message, each with its number as it stands there. The first one must be empty."""

    def __init__(self) -> None:
        super().__init__({"": spell_varint(0)})
        self.bytes = 0

    def __missing__(self, text: str) -> bytes:
        number = self[text] = spell_varint(len(self))
        self.bytes += len(text)
        return number


class Message2(Message[tuple[str, ...]]):
    """An `io.prometheus.write.v2.Request`. Labels are kept as texts: name, value, name, value."""

    heads = Heads(make_tag(5, BYTES))
    histogram = make_tag(3, BYTES)
    tells_starts = True

    def __init__(self) -> None:
        super().__init__()
        self.symbols = Symbols()

    @staticmethod
    def make_labels(names: Sequence[str], columns: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
        """Return the labels of series as texts."""
        count = len(columns[0])
        shared = map(share, columns)
        pairs = chain.from_iterable((repeat(name, count), values) for name, values in zip(names, shared, strict=True))
        labels = list(zip(*pairs, strict=True))
        if any("" in values for values in columns):
            return [tuple(leave_empty(own)) for own in labels]
        return labels

    def spell_labels(self, labels: Iterable[tuple[str, ...]]) -> Iterator[bytes]:
        """Yield the numbers of the texts of each series."""
        find = self.symbols.__getitem__
        for own in labels:
            numbers = b"".join(map(find, own))
            yield LABEL_HEADS[len(numbers)] + numbers

    def describe(self, about: About) -> bytes:
        """Have each series tell it."""
        fields = TYPE + spell_varint(about.type) + HELP + self.symbols[about.help_text]
        return wrap(METADATA, fields + (UNIT + self.symbols[about.unit] if about.unit else b""))

    def spell_exemplar(self, exemplar: Exemplar, time: int) -> bytes:
        """Return an exemplar. One whose time is not known has that of the sample: it must have one."""
        texts = chain.from_iterable((name, value) for name, value in sorted(exemplar.labels) if value)
        numbers = b"".join(map(self.symbols.__getitem__, texts))
        when = find_milliseconds(exemplar.time) or time
        value = EXEMPLAR_VALUE + DOUBLE.pack(exemplar.value)
        return wrap(EXEMPLAR, wrap(LABELS, numbers) + value + EXEMPLAR_TIMESTAMP + spell_varint(when))

    def measure(self) -> int:
        """Return about how many bytes it has, with the table."""
        return self.size + self.symbols.bytes

    def finish(self) -> Request:
        """Return the table, then the series."""
        table = (wrap(SYMBOL, encode_text(text)) for text in self.symbols)
        return Request(b"".join((*table, *self.parts)), self.samples, self.histograms)


def share(values: Sequence[str]) -> list[str]:
    """Return the same values, of equal ones always the first: neighbours have many in common, and are kept."""
    known: dict[str, str] = {}
    return [known.setdefault(value, value) for value in values]


def leave_empty(labels: Sequence[str]) -> Iterator[str]:
    """Yield the texts of the labels that have a value."""
    for place in range(0, len(labels), 2):
        if labels[place + 1]:
            yield labels[place]
            yield labels[place + 1]
