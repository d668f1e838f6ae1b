"""What the formats of one line for each series have in common: `varz` and `graphite`.

mtail writes names and values into their lines as they are. What a reader could take for the end of a line is `_` here,
so that no log line can make up a series, and invalid UTF-8 is U+FFFD.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.formats.text import INVALID
from pipeline.metrics import (
    HistogramValue,
    MetricSnapshot,
    SeriesView,
    Snapshot,
    ValueType,
    format_go_float,
    wrap_int64,
)

STEP = 512
"""How many lines make a piece of the page, which takes half a millisecond (measured)."""

LINE_ENDS = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
"""All that ends a line for Unicode, and so for `splitlines` of Python, in which such readers are written."""


@dataclass(frozen=True, slots=True)
class LineOptions:
    """What the host and mtail's flags say about these formats."""

    instance: str = ""
    """The name of this host."""
    emit_prog_label: bool = True
    graphite_prefix: str = ""


@dataclass(frozen=True, slots=True)
class NamedMetric:
    """A metric, and how the format names its series."""

    metric: MetricSnapshot
    stem: str
    """What all names begin with."""
    template: str
    """A name with `%s` for each label value."""
    places: tuple[int, ...]
    """Where in the labels of a series these values are."""
    replace: Callable[[str], str] = str
    """What is done to a label value."""

    def name_series(self, series: Sequence[SeriesView]) -> list[str]:
        """Return the name of each series."""
        width = len(self.metric.label_names)
        if not width:
            return [self.template % ()] * len(series)
        texts = decode_values([value for one in series for value in one.labels])
        columns = [list(map(self.replace, texts[place::width])) for place in self.places]
        return list(map(self.template.__mod__, zip(*columns, strict=True)))


def select_metrics(snapshot: Snapshot) -> list[MetricSnapshot]:
    """Return what stands on the page, as in mtail: the metrics of programs that are not hidden."""
    return [metric for metric in snapshot.metrics if metric.program and not metric.hidden]


def select_numbers(snapshot: Snapshot) -> list[MetricSnapshot]:
    """Return what is pushed: of those, the ones that hold numbers."""
    return [metric for metric in select_metrics(snapshot) if metric.value_type is not ValueType.STRING]


def find_places(metric: MetricSnapshot) -> dict[str, int]:
    """Return where in a series the value of each label is. Of labels of one name the last one counts."""
    return {name: place for place, name in enumerate(metric.label_names)}


def clean_text(text: str) -> str:
    """Return `text` in one line and in valid characters."""
    return INVALID.sub("\ufffd", LINE_ENDS.sub("_", text))


def write_literal(text: str) -> str:
    """Return `text` cleaned, as it stands in a template."""
    return clean_text(text).replace("%", "%%")


def decode_values(values: list[bytes]) -> list[str]:
    """Return `values` as cleaned texts; most logs have none that needs it."""
    texts = [value.decode(errors="surrogateescape") for value in values]
    joined = "".join(texts)
    # No end of a line and no invalid byte is printable. A search for them takes five times as long (measured).
    return texts if joined.isprintable() else list(map(clean_text, texts))


def spell_value(value: float | bytes | HistogramValue) -> str:
    """Return an Int in decimal, a Float in FMT_G, a text in one line, of a histogram its sum."""
    if isinstance(value, int):
        return str(wrap_int64(value))
    if isinstance(value, bytes):
        return clean_text(value.decode(errors="surrogateescape"))
    return format_go_float(value.total if isinstance(value, HistogramValue) else value)


def split_series(metric: MetricSnapshot, lines: int = STEP) -> Iterator[Sequence[SeriesView]]:
    """Yield the series of a piece each, which has so many lines or some more."""
    step = max(lines // (len(metric.bounds) + 1), 1)
    for start in range(0, len(metric.series), step):
        yield metric.series[start : start + step]


class Collisions:
    """Finds names that several series have, and says so once for each metric.

    Names are kept by their hashes: 100,000 take 7 MB, as long as the page is made.
    """

    def __init__(self, metrics: Iterable[NamedMetric], format_name: str, problems: list[str]) -> None:
        """A sentence for each metric that repeats names goes to `problems`."""
        self.format_name = format_name
        self.problems = problems
        stems = [one.stem for one in metrics]
        self.roots = dict(find_roots(stems))
        self.left = Counter(self.roots[stem] for stem in stems)
        """How many metrics are still to come whose names may equal each other's."""
        self.seen: dict[str, set[int]] = {}

    def add(self, named: NamedMetric, names: Sequence[str]) -> bool:
        """Remember names of a metric; tell whether all are new."""
        seen = self.seen.setdefault(self.roots[named.stem], set())
        before = len(seen)
        seen.update(map(hash, names))
        return len(seen) == before + len(names)

    def end(self, named: NamedMetric, *, are_new: bool) -> None:
        """Report a metric, and forget the names that no other metric can have."""
        root = self.roots[named.stem]
        self.left[root] -= 1
        if not self.left[root]:
            self.seen.pop(root, None)
        if not are_new:
            metric = named.metric
            self.problems.append(
                f"Metric `{metric.name}` at {metric.source} has series whose names in the {self.format_name} format "
                "are those of other series."
            )


@dataclass(slots=True)
class Losses:
    """Why series of a metric were left out, and for whom."""

    metric: MetricSnapshot
    receiver: str
    unfit: bool = False
    too_long: bool = False

    def describe(self) -> Iterator[str]:
        """Yield a sentence for each reason."""
        beginning = f"Metric `{self.metric.name}` at {self.metric.source} has series that are not pushed to"
        if self.unfit:
            yield f"{beginning} {self.receiver}, because it would misread their values."
        if self.too_long:
            yield f"{beginning} {self.receiver}, because their names are too long for it."


def find_roots(stems: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each stem with the shortest one that it begins with: only names of one root can be equal."""
    root = None
    for stem in sorted(stems):
        if root is None or not stem.startswith(root):
            root = stem
        yield stem, root


def write_metrics(
    metrics: Sequence[NamedMetric],
    collisions: Collisions,
    write: Callable[[NamedMetric, Sequence[SeriesView]], tuple[list[str], Iterable[str]]],
) -> Iterator[bytes]:
    """Yield the lines of all metrics in pieces. Of some series of a metric `write` returns the names and the lines."""
    for named in metrics:
        are_new = True
        for series in split_series(named.metric):
            names, lines = write(named, series)
            are_new = collisions.add(named, names) and are_new
            yield "".join(lines).encode()
        collisions.end(named, are_new=are_new)
