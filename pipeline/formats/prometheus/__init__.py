"""The Prometheus text format 0.0.4, as mtail writes it (behaviour.md 5.3), and its `variants`.

`render` makes a page of a snapshot. `Page` makes one scrape after the other, in steps, and keeps from one to the
next the text of the series that stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from pipeline.formats.prometheus.additions import EXTENDED, Additions
from pipeline.formats.prometheus.family import BLOCK_SAMPLES, Family
from pipeline.formats.prometheus.protobuf import MessageWriter
from pipeline.formats.prometheus.samples import Stamp, make_form, write_histograms, write_numbers
from pipeline.formats.prometheus.selection import (
    PrometheusOptions,
    clean_label_name,
    clean_name,
    group_families,
    leave_out,
    select_families,
)
from pipeline.formats.prometheus.shown import ShownFamily
from pipeline.formats.prometheus.variants import (
    END,
    PROTOBUF,
    TEXT,
    TEXTS,
    VARIANTS,
    Variant,
    find_reserved,
    find_stamp,
    list_openmetrics_families,
    write_head,
    write_openmetrics_head,
)
from pipeline.formats.text import encode_text
from pipeline.metrics import Kind, Snapshot

__all__ = [
    "CONTENT_TYPE",
    "PROTOBUF",
    "TEXT",
    "TEXTS",
    "VARIANTS",
    "Page",
    "PrometheusOptions",
    "Variant",
    "clean_label_name",
    "clean_name",
    "render",
]

CONTENT_TYPE = TEXT.spell_content_type()


class Part(NamedTuple):
    """A family of a text: its comments, and whether there may be more with its samples (`additions`)."""

    head: str
    shown: ShownFamily
    is_extended: bool = False


FAMILIES_PER_STEP = 50
"""A family whose series are the same takes some 10 µs, and a small one as long again to be written; a step of its own
would take as much."""


def render(
    snapshot: Snapshot,
    options: PrometheusOptions | None = None,
    problems: list[str] | None = None,
    variant: Variant = TEXT,
) -> bytes:
    """Return the page. A sentence for each thing that was left out is added to `problems`."""
    page = Page(options or PrometheusOptions())
    for _ in page.refresh(snapshot):
        pass
    pieces = page.write(variant)
    if problems is not None:
        problems.extend(page.problems)
    return b"".join(pieces)


class Page:
    """One page, time and again: `refresh`, then `write`."""

    def __init__(self, options: PrometheusOptions, block_samples: int = BLOCK_SAMPLES) -> None:
        """`block_samples` is how many samples are kept together; it does not show on the page."""
        self.options = options
        self.block_samples = block_samples
        self.families: dict[str, Family] = {}
        self.shown: list[ShownFamily] = []
        self.problems: list[str] = []
        """A sentence for each thing that the page is without, since the last `refresh`."""
        self.additions = Additions(options)
        self.messages = MessageWriter(options)

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
            shown.append(ShownFamily(name, metrics, forms, family.list_blocks()))
            problems.extend(describe_lost(shown[-1]))
        self.shown, self.problems = shown, problems

    def write(self, variant: Variant = TEXT) -> Iterator[bytes]:
        """Return the page in pieces of some ten KB, with the values of the moment each is made.

        The series are those of the last `refresh`, whatever becomes of them or of the page meanwhile. An empty piece
        says that it took time, but that nothing can be sent yet.
        """
        if variant.is_protobuf:
            return join_families(map(self.messages.write, self.shown))
        stamp = find_stamp(variant) if self.options.emit_metric_timestamp else None
        if variant.is_openmetrics:
            parts = self.list_openmetrics_parts()
            return chain(join_families(self.write_part(part, stamp) for part in parts), (END.encode(),))
        return join_families(
            self.write_part(Part(write_head(shown.name, shown.first), shown), stamp) for shown in self.shown
        )

    def list_openmetrics_parts(self) -> Iterator[Part]:
        """Return the parts of a page of OpenMetrics; it is told among the problems what is not among them."""
        reserved = find_reserved([(one.name, one.first) for one in self.shown])
        shown = [one for one in self.shown if one.name not in reserved]
        self.problems += [
            leave_out(one.first, f"OpenMetrics keeps that name for histogram `{reserved[one.name]}`", "OpenMetrics")
            for one in self.shown
            if one.name in reserved
        ]
        called = list_openmetrics_families([(one.name, one.first) for one in shown])
        return (
            Part(write_openmetrics_head(name, type_, one.first), one, type_ in EXTENDED)
            for (name, type_), one in zip(called, shown, strict=True)
        )

    def write_part(self, part: Part, stamp: Stamp | None) -> Iterator[bytes]:
        """Yield a family's comments, then its blocks."""
        head, shown, is_extended = part
        write = write_histograms if shown.first.kind is Kind.HISTOGRAM else write_numbers
        tells_start = is_extended and self.options.emit_created_timestamps
        yield encode_text(head)
        for block in shown.blocks:
            template = self.additions.extend(shown, block) if is_extended else block.template
            yield write(template, block.shown, stamp, tells_start=tells_start)
            if template is not block.template:
                yield b""  # it takes a millisecond or more where it is made


def join_families(families: Iterable[Iterator[bytes]]) -> Iterator[bytes]:
    """Yield the pieces of all families, an empty one behind so many: small ones take time and hold little."""
    for number, pieces in enumerate(families, 1):
        yield from pieces
        if number % FAMILIES_PER_STEP == 0:
            yield b""


def describe_lost(shown: ShownFamily) -> Iterator[str]:
    """Yield a problem for each metric that has series with the labels of others."""
    metrics = shown.metrics
    counts: Counter[int] = Counter()
    winners: dict[int, int] = {}
    for block in shown.blocks:
        for index, winner in block.lost:
            counts[index] += 1
            winners.setdefault(index, winner)
    for index, count in sorted(counts.items()):
        yield (
            f"Metric `{metrics[index].name}` at {metrics[index].source} is in the Prometheus format without {count} of"
            f" its series: their name and labels equal those of series of {metrics[winners[index]].source}."
        )
