"""What only OpenMetrics has with the samples: exemplars behind them, and when a series began.

    a_total{k="x"} 17 # {trace_id="4bf92f35"} 1 1700000000.123
    a_created{k="x"} 1699999000.000

Both are added to the template of a block. Exemplars come with any line and are added for one page. When a series began
never changes: the template with it is kept, from the first page on that tells it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from weakref import WeakKeyDictionary

from pipeline.formats.numbers import format_sample
from pipeline.formats.prometheus.blocks import Block
from pipeline.formats.prometheus.samples import VALUE_ESCAPES
from pipeline.formats.prometheus.selection import PrometheusOptions
from pipeline.formats.prometheus.shown import BlockExemplars, ShownFamily
from pipeline.formats.prometheus.variants import CREATED, TOTAL, spell_time
from pipeline.metrics import Exemplar, Kind

COUNT = "_count"

EXEMPLAR_ESCAPES = {**VALUE_ESCAPES, 0: "\ufffd"}
"""Prometheus refuses a whole page for a NUL in an exemplar, while it takes one in the labels of a series."""

EXTENDED = ("counter", "histogram")
"""The types that OpenMetrics allows these things with. A counter without `_total` is of another one."""


class Additions:
    """Adds to the templates of one page, again and again."""

    def __init__(self, options: PrometheusOptions) -> None:
        self.tells_start = options.emit_created_timestamps
        self.end = " %s %s" if options.emit_metric_timestamp else " %s"
        self.templates: WeakKeyDictionary[Block, str] = WeakKeyDictionary()
        """With the starts of the series. A block that is replaced takes its template with it."""

    def extend(self, shown: ShownFamily, block: Block) -> str:
        """Return the template of a block of a counter or a histogram, with what its series have besides."""
        exemplars = shown.find_exemplars(block)
        if exemplars:
            return self.make_template(shown, block, exemplars)
        if not self.tells_start:
            return block.template
        template = self.templates.get(block)
        if template is None:
            template = self.templates[block] = self.make_template(shown, block, {})
        return template

    def make_template(self, shown: ShownFamily, block: Block, exemplars: BlockExemplars) -> str:
        """Return the template anew."""
        lines: list[str] = []
        for place, own in enumerate(split_template(shown, block)):
            start = block.shown[place].start
            created = self.spell_created(shown, own[-1], start) if start and self.tells_start else ""
            for spot, exemplar in exemplars.get(place, {}).items():
                own[spot] += f" # {spell_exemplar(exemplar)}"
            lines += (*own, created) if created else own
        return "".join(f"{line}\n" for line in lines)

    def spell_created(self, shown: ShownFamily, last: str, start: int) -> str:
        """Return the line that tells when a series began: `last`, its last one, with another name and number."""
        if shown.first.kind is Kind.HISTOGRAM:
            name, suffix = shown.name, COUNT
        else:
            name, suffix = shown.name.removesuffix(TOTAL), TOTAL
        labels = last[len(name) + len(suffix) : -len(self.end)]
        return f"{name}{CREATED}{labels} {spell_time(start)}{self.end[len(' %s') :]}"


def split_template(shown: ShownFamily, block: Block) -> Iterator[list[str]]:
    """Yield the lines of each series."""
    lines = iter(block.template.split("\n"))
    return (list(islice(lines, shown.forms[index].samples)) for index in block.shown_indexes)


def spell_exemplar(exemplar: Exemplar) -> str:
    """Return an exemplar as a template has it: a program gives its labels names of the format. One whose time is not
    known has none.
    """
    pairs = ",".join([f'{name}="{value.translate(EXEMPLAR_ESCAPES)}"' for name, value in exemplar.labels])
    time = f" {spell_time(exemplar.time)}" if exemplar.time else ""
    return f"{{{pairs}}} {format_sample(exemplar.value)}{time}"
