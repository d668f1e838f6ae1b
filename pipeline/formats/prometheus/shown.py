"""A family as it stands on a page: its forms, its blocks, and the exemplars of its series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.formats.prometheus.blocks import Block
from pipeline.formats.prometheus.samples import SampleForm
from pipeline.metrics import MetricSnapshot, SeriesExemplars

BlockExemplars: TypeAlias = Mapping[int, SeriesExemplars]
"""By the place of the series among those shown."""

NO_EXEMPLARS: BlockExemplars = {}


@dataclass(frozen=True, slots=True)
class ShownFamily:
    """What was found out about a family. Its blocks are never changed, whatever becomes of the page."""

    name: str
    metrics: Sequence[MetricSnapshot]
    """The first of them has help text and unit of all. Each has its form."""
    forms: Sequence[SampleForm]
    blocks: Sequence[Block]

    @property
    def first(self) -> MetricSnapshot:
        """Who speaks for all."""
        return self.metrics[0]

    def find_exemplars(self, block: Block) -> BlockExemplars:
        """Return the exemplars that there are now. Most programs have none, and that takes no time."""
        found = [metric.exemplars for metric in self.metrics]
        if not any(found):
            return NO_EXEMPLARS
        rows = enumerate(zip(block.shown_indexes, block.shown, strict=True))
        return {place: found[index][one.labels] for place, (index, one) in rows if one.labels in found[index]}
