"""Metrics as they are pushed to carbon, Graphite's receiver: the lines of `graphite`, so that each stands for itself.

::

    PREFIXPROGRAM.NAME.LABEL.VALUE.LABEL.VALUE 42 1700000000

What a log line put into a label value never breaks a line and never reaches another series: beside dots, as in mtail,
what carbon gives a meaning becomes `_`, too. Blanks of any kind end a path, `;` begins a tag, `/` is a folder.
Texts are left out, as in mtail: carbon keeps numbers only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pipeline.formats.graphite import name_metric, write_series
from pipeline.formats.lines import Collisions, Losses, NamedMetric, select_numbers, split_series
from pipeline.metrics import MetricSnapshot, SeriesView, Snapshot

BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
"""What ends a path. `\\s` is what carbon, too, takes for a blank."""

MEANT = re.compile(r"[\s\x00-\x1f\x7f.;/]")
"""What one part of a path must not have."""

# Carbon hangs up on a client that sends a longer line (LineOnlyReceiver.MAX_LENGTH of Twisted is 16,384). Behind
# the path there is a value, which a Float makes 24 characters long, a bucket and a time.
MAX_PATH_BYTES = 16_000


@dataclass(slots=True)
class Writer:
    """Writes one snapshot. `series` is how many have been written, `problems` has a sentence for what cannot be."""

    prefix: str = ""
    series: int = 0
    problems: list[str] = field(default_factory=list)

    def write(self, snapshot: Snapshot) -> Iterator[bytes]:
        """Yield whole lines in pieces, with the values of the moment each is made."""
        metrics = [name_safely(metric, self.prefix) for metric in select_numbers(snapshot)]
        collisions = Collisions(metrics, "Graphite", self.problems)
        for named in metrics:
            are_new = True
            losses = Losses(named.metric, "Graphite")
            for some in split_series(named.metric):
                series = [one for one in some if not is_too_long(named, one)]
                names, lines = write_series(named, series)
                are_new = collisions.add(named, names) and are_new
                losses.too_long |= len(series) < len(some)
                self.series += len(series)
                if series:
                    yield "".join(lines).encode()
            collisions.end(named, are_new=are_new)
            self.problems += losses.describe()


def name_safely(metric: MetricSnapshot, prefix: str) -> NamedMetric:
    """Return how the series of `metric` are named."""
    named = name_metric(metric, prefix)
    return replace(named, stem=BLANK.sub("_", named.stem), template=BLANK.sub("_", named.template), replace=clean_part)


def clean_part(text: str) -> str:
    """Return a text as it may stand in one part of a path."""
    return MEANT.sub("_", text)


def is_too_long(named: NamedMetric, series: SeriesView) -> bool:
    """Return whether the path of `series` is too long. A character that is replaced takes three bytes at most."""
    size = len(named.template) + sum(map(len, series.labels))
    return size * 3 > MAX_PATH_BYTES and len(named.name_series([series])[0].encode()) > MAX_PATH_BYTES
