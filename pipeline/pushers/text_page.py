"""The page of the Prometheus text 0.0.4 as it is pushed: in turns with everything else, and without time stamps.

Neither a Pushgateway nor the node exporter takes a page that has any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.metrics import Snapshot

CONTENT_TYPE = prometheus.CONTENT_TYPE


class TextPage:
    """Keeps from one push to the next the text of the series that stay."""

    def __init__(self, options: PrometheusOptions) -> None:
        self.page = prometheus.Page(replace(options, emit_metric_timestamp=False))

    def write(self, snapshot: Snapshot) -> Iterator[bytes]:
        """Yield the page in pieces, some of them empty: each takes 1 ms at most to make."""
        for _ in self.page.refresh(snapshot):
            yield b""
        yield from self.page.write()

    @property
    def series(self) -> int:
        """How many series stand on the page, when it was written."""
        return sum(len(block.shown) for family in self.page.shown for block in family.blocks)

    @property
    def problems(self) -> list[str]:
        """A sentence for each thing that the page is without."""
        return self.page.problems
