"""What is kept of the series of a block from push to push: above all their labels, as a message has them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from typing import Generic, TypeAlias, cast

from pipeline.formats.numbers import format_sample
from pipeline.formats.prometheus.blocks import Block
from pipeline.formats.prometheus.remote_write.message import (
    L,
    Message,
    Rows,
    find_milliseconds,
    pack_values,
    spell_start,
)
from pipeline.formats.prometheus.samples import SampleForm, list_samples, read_columns, read_numbers
from pipeline.formats.prometheus.shown import BlockExemplars, ShownFamily
from pipeline.metrics import Exemplar, HistogramValue, Kind, SeriesView

NAME = "__name__"

Value: TypeAlias = int | float | bytes | HistogramValue


class Kept(Generic[L]):
    """The samples of a block, in the order of its series; of a histogram those of buckets, then sum and count."""

    __slots__ = ("block", "labels", "natives", "offsets", "stamps", "starts")

    def __init__(self, message: type[Message[L]], shown: ShownFamily, block: Block) -> None:
        self.block = block
        self.labels: Sequence[L] = list(chain.from_iterable(list_labels(message, shown, block)))
        widths = [shown.forms[index].samples for index in block.shown_indexes]
        self.offsets = list(accumulate(widths, initial=0))
        """Where the samples of each series begin, and where those of the last one end."""
        self.natives: Sequence[L] = ()
        """The labels of the histograms with native buckets, where there are such."""
        self.starts: Sequence[bytes] = ()
        """Of each sample, where a message tells it."""
        self.stamps: Sequence[int] = ()
        """The time of each series that was written last, where series have times of their own."""
        if message.tells_starts and shown.first.kind in (Kind.COUNTER, Kind.HISTOGRAM):
            starts = [spell_start(find_milliseconds(one.start)) for one in block.shown]
            self.starts = [start for start, width in zip(starts, widths, strict=True) for _ in range(width)]

    def list_places(self, spot: int) -> range:
        """Return the places of the samples of a series."""
        return range(self.offsets[spot], self.offsets[spot + 1])

    def find_last(self, spot: int) -> L:
        """Return the labels of the last sample of a series, which are those of no other series."""
        return self.labels[self.offsets[spot + 1] - 1]

    def read_all(self, values: Sequence[Value], time: int, exemplars: BlockExemplars) -> Rows[L]:
        """Return all samples, with the `values` of the series; their time is `time`."""
        return Rows(self.labels, pack_values(list_numbers(values)), time, self.starts, self.place_exemplars(exemplars))

    def read_some(
        self, values: Sequence[Value], spots: Sequence[int], times: Sequence[int], exemplars: BlockExemplars
    ) -> Rows[L]:
        """Return the samples of some series, with a time for each series."""
        pairs = zip(spots, times, strict=True)
        places = [(place, time) for spot, time in pairs for place in self.list_places(spot)]
        placed = self.place_exemplars(exemplars)
        return Rows(
            [self.labels[place] for place, _ in places],
            pack_values(list_numbers([values[spot] for spot in spots])),
            [time for _, time in places],
            [self.starts[place] for place, _ in places] if self.starts else (),
            {new: placed[place] for new, (place, _) in enumerate(places) if place in placed},
        )

    def place_exemplars(self, exemplars: BlockExemplars) -> dict[int, Exemplar]:
        """Return exemplars by the place of their sample."""
        return {
            self.offsets[spot] + bucket: exemplar for spot, own in exemplars.items() for bucket, exemplar in own.items()
        }


def list_numbers(values: Sequence[Value]) -> Sequence[float]:
    """Return the values of all samples, from what the series of a metric hold."""
    if values and isinstance(values[0], HistogramValue):
        rows = map(list_samples, cast("Sequence[HistogramValue]", values))
        return cast("list[float]", list(chain.from_iterable(rows)))
    return read_numbers(cast("Sequence[float | bytes]", values))


def list_labels(message: type[Message[L]], shown: ShownFamily, block: Block) -> list[Sequence[L]]:
    """Return for each series of a block the labels of its samples."""
    labels: list[Sequence[L]] = [()] * len(block.shown)
    for index, form in enumerate(shown.forms):
        spots = [spot for spot, its in enumerate(block.shown_indexes) if its == index]
        if spots:
            series = [block.shown[spot] for spot in spots]
            for spot, own in zip(spots, list_form_labels(message, shown, form, series), strict=True):
                labels[spot] = own
    return labels


def list_form_labels(
    message: type[Message[L]], shown: ShownFamily, form: SampleForm, series: Sequence[SeriesView]
) -> list[tuple[L, ...]]:
    """Return for each series of one form the labels of its samples."""
    columns = read_columns(form, series)
    if shown.first.kind is not Kind.HISTOGRAM:
        extras = [{NAME: shown.name}]
    else:
        bounds = (*map(format_sample, form.bounds), "+Inf")
        extras = [
            *({NAME: f"{shown.name}_bucket", "le": bound} for bound in bounds),
            {NAME: f"{shown.name}_sum"},
            {NAME: f"{shown.name}_count"},
        ]
    return list(zip(*(join_labels(message, form, columns, extra, len(series)) for extra in extras), strict=True))


def list_native_labels(message: type[Message[L]], shown: ShownFamily, block: Block) -> list[L]:
    """Return for each series of a block the labels of its histogram with native buckets."""
    labels: list[L] = []
    for index, one in zip(block.shown_indexes, block.shown, strict=True):
        form = shown.forms[index]
        labels += join_labels(message, form, read_columns(form, [one]), {NAME: shown.name}, 1)
    return labels


def join_labels(
    message: type[Message[L]],
    form: SampleForm,
    columns: Sequence[Sequence[str]],
    extra: Mapping[str, str],
    count: int,
) -> list[L]:
    """Return the labels of `count` series, with some that all of them have. Names are sorted."""
    names, all_columns = [*form.label_names], [*columns]
    for name, value in extra.items():
        place = bisect_left(names, name)
        names.insert(place, name)
        all_columns.insert(place, [value] * count)
    return message.make_labels(names, all_columns)
