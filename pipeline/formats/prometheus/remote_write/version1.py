"""Remote write 1.0: a series has its labels as text.

WriteRequest    timeseries 1, metadata 3
MetricMetadata  type 1, metric_family_name 2, help 4, unit 5
TimeSeries      labels 1, samples 2, exemplars 3, histograms 4
Label           name 1, value 2
Exemplar        labels 1, value 2, timestamp 3
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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

LABEL, LABEL_NAME, LABEL_VALUE = make_tag(1, BYTES), make_tag(1, BYTES), make_tag(2, BYTES)
METADATA, TYPE = make_tag(3, BYTES), make_tag(1, VARINT)
FAMILY, HELP, UNIT = make_tag(2, BYTES), make_tag(4, BYTES), make_tag(5, BYTES)
EXEMPLAR = make_tag(3, BYTES)


class Message1(Message[bytes]):
    """A `prometheus.WriteRequest`. Labels are kept as they stand in it."""

    heads = Heads(make_tag(1, BYTES))
    histogram = make_tag(4, BYTES)

    def __init__(self) -> None:
        super().__init__()
        self.families: dict[About, bytes] = {}

    @staticmethod
    def make_labels(names: Sequence[str], columns: Sequence[Sequence[str]]) -> list[bytes]:
        """Return the labels of series, a field for each."""
        return list(map(b"".join, zip(*map(spell_column, names, columns), strict=True)))

    def spell_labels(self, labels: Iterable[bytes]) -> Iterable[bytes]:
        """Return them as they are kept."""
        return labels

    def describe(self, about: About) -> bytes:
        """Tell it once in a message."""
        if about not in self.families:
            texts = [(FAMILY, about.name), (HELP, about.help_text), (UNIT, about.unit)]
            fields = b"".join(wrap(tag, encode_text(text)) for tag, text in texts if text)
            self.families[about] = wrap(METADATA, TYPE + spell_varint(about.type) + fields)
            self.size += len(self.families[about])
        return b""

    def spell_exemplar(self, exemplar: Exemplar, time: int) -> bytes:
        """Return an exemplar. One whose time is not known has that of the sample: it must have one."""
        labels = b"".join(spell_label(name, value) for name, value in sorted(exemplar.labels))
        when = find_milliseconds(exemplar.time) or time
        value = EXEMPLAR_VALUE + DOUBLE.pack(exemplar.value)
        return wrap(EXEMPLAR, labels + value + EXEMPLAR_TIMESTAMP + spell_varint(when))

    def finish(self) -> Request:
        """Return the series, then what is known of their families."""
        return Request(b"".join((*self.parts, *self.families.values())), self.samples, self.histograms)


def spell_column(name: str, values: Sequence[str]) -> list[bytes]:
    """Return a label for each of the values of its name; most values are there more than once."""
    labels = {value: spell_label(name, value) for value in {*values}}
    return [labels[value] for value in values]


def spell_label(name: str, value: str) -> bytes:
    """Return a label as a field; one without a value is none."""
    if not value:
        return b""
    return wrap(LABEL, wrap(LABEL_NAME, encode_text(name)) + wrap(LABEL_VALUE, encode_text(value)))
