"""The Prometheus text format 0.0.4, as mtail writes it (behaviour.md 5.3).

`render` makes a page of a snapshot. `Page` makes one scrape after the other, in steps, and keeps from one to the
next the text of the series that stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from pipeline.formats.prometheus.blocks import Block
from pipeline.formats.prometheus.family import BLOCK_SAMPLES, Family
from pipeline.formats.prometheus.samples import make_form, write_histograms, write_numbers
from pipeline.formats.prometheus.selection import (
    PrometheusOptions,
    group_families,
    select_families,
    write_head,
)
from pipeline.formats.text import encode_text
from pipeline.metrics import Kind, MetricSnapshot, Snapshot

__all__ = ["CONTENT_TYPE", "Page", "PrometheusOptions", "render"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FAMILIES_PER_STEP = 50
"""A family whose series are the same takes some 10 µs, and a step of its own would take as much."""


def render(
    snapshot: Snapshot,
    options: PrometheusOptions | None = None,
    problems: list[str] | None = None,
) -> bytes:
    """Return the page. A sentence for each thing that was left out is added to `problems`."""
    page = Page(options or PrometheusOptions())
    for _ in page.refresh(snapshot):
        pass
    if problems is not None:
        problems.extend(page.problems)
    return b"".join(page.write())


class Page:
    """One page, time and again: `refresh`, then `write`."""

    def __init__(self, options: PrometheusOptions, block_samples: int = BLOCK_SAMPLES) -> None:
        """`block_samples` is how many samples are kept together; it does not show on the page."""
        self.options = options
        self.block_samples = block_samples
        self.families: dict[str, Family] = {}
        self.shown: list[tuple[str, MetricSnapshot, Family]] = []
        self.problems: list[str] = []
        """A sentence for each thing that the page is without, since the last `refresh`."""

    def refresh(self, snapshot: Snapshot, names: Collection[str] = ()) -> Iterator[None]:
        """Find out what stands on the page: the families of `names`, or all. Each step takes about 1 ms.

        One must end before the next begins. If it is abandoned, only the text of the family that it was at is lost.
        """
        problems: list[str] = []
        shown = []
        families = group_families(snapshot)
        self.families = {name: family for name, family in self.families.items() if name in families}
        wanted = {name: families[name] for name in names if name in families} if names else families
        for number, (name, metrics) in enumerate(select_families(wanted, self.options, problems).items()):
            if number % FAMILIES_PER_STEP == 0:
                yield
            forms = tuple(make_form(name, metric, self.options) for metric in metrics)
            family = self.families.pop(name, None)
            if family is None or family.forms != forms:
                family = Family(forms, self.block_samples)
            yield from family.update([metric.series for metric in metrics])
            self.families[name] = family
            problems.extend(describe_lost(metrics, family.list_blocks()))
            shown.append((name, metrics[0], family))
        self.shown, self.problems = shown, problems

    def write(self) -> Iterator[bytes]:
        """Return the page in pieces of some ten KB, with the values of the moment each is made.

        The series are those of the last `refresh`, whatever becomes of them or of the page meanwhile.
        """
        parts = [(write_head(name, first), first.kind, family.list_blocks()) for name, first, family in self.shown]
        return self.write_parts(parts)

    def write_parts(self, parts: Sequence[tuple[str, Kind, Sequence[Block]]]) -> Iterator[bytes]:
        """Yield each family's comments, then its blocks."""
        for head, kind, blocks in parts:
            write = write_histograms if kind is Kind.HISTOGRAM else write_numbers
            yield encode_text(head)
            for block in blocks:
                yield write(block.template, block.shown, with_times=self.options.emit_metric_timestamp)


def describe_lost(metrics: Sequence[MetricSnapshot], blocks: Sequence[Block]) -> Iterator[str]:
    """Yield a problem for each metric that has series with the labels of others."""
    counts: Counter[int] = Counter()
    winners: dict[int, int] = {}
    for block in blocks:
        for index, winner in block.lost:
            counts[index] += 1
            winners.setdefault(index, winner)
    for index, count in sorted(counts.items()):
        yield (
            f"Metric `{metrics[index].name}` at {metrics[index].source} is in the Prometheus format without {count} of"
            f" its series: their name and labels equal those of series of {metrics[winners[index]].source}."
        )
