"""The texts in which a page can be written: Prometheus 0.0.4 and 1.0.0, OpenMetrics 1.0.

They have the same samples, byte for byte but for time stamps: a series keeps its name and labels whichever text a
scraper asks for, and its text is kept once for all. So OpenMetrics, in which the samples of a counter end in
`_total`, is told of a counter without that ending as of a metric of unknown type, and `le` has no `.0` put behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.formats.prometheus.samples import Stamp, find_millisecond
from pipeline.formats.prometheus.selection import HELP_ESCAPES, HISTOGRAM_SUFFIXES, TYPES, find_help
from pipeline.metrics import Kind, MetricSnapshot, SeriesView

OPENMETRICS = "application/openmetrics-text"
END = "# EOF\n"
"""How OpenMetrics tells a whole page from a part of it."""

TOTAL, CREATED = "_total", "_created"

UNITS = ("seconds", "bytes", "ratio")
"""The base units that Prometheus' naming rules put at the end of a name, as far as logs have them."""

OPENMETRICS_HELP_ESCAPES = {**HELP_ESCAPES, ord('"'): '\\"'}

ESCAPINGS = ("underscores", "allow-utf-8", "values")
"""The schemes that leave a name alone which consists of letters, digits, `_` and `:`, as all of ours do; the first
stands for any other. `dots` would double each underscore."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One text, as a scraper asks for it."""

    media_type: str
    version: str

    @property
    def is_openmetrics(self) -> bool:
        """Whether it is one of OpenMetrics."""
        return self.media_type == OPENMETRICS

    def spell_content_type(self, escaping: str = "") -> str:
        """Return what tells the scraper that it got this; a scheme of escaping that we do not have is never echoed."""
        content_type = f"{self.media_type}; version={self.version}; charset=utf-8"
        if self.version != "1.0.0":
            return content_type
        return f"{content_type}; escaping={escaping if escaping in ESCAPINGS else ESCAPINGS[0]}"

    def list_names(self, names: Sequence[str]) -> list[str]:
        """Return the families that a scraper means: to OpenMetrics, the counter `a_total` is of the family `a`."""
        return [*names, *(name + TOTAL for name in names)] if self.is_openmetrics else list(names)


TEXT = Variant("text/plain", "0.0.4")
VARIANTS = (TEXT, Variant(OPENMETRICS, "1.0.0"), Variant("text/plain", "1.0.0"), Variant(OPENMETRICS, "0.0.1"))
"""All of them. Who has no preference gets the first that he takes."""


def write_head(name: str, first: MetricSnapshot) -> str:
    """Return the comments of the Prometheus text before the samples of a family; `first` is its first metric."""
    return f"# HELP {name} {find_help(first).translate(HELP_ESCAPES)}\n# TYPE {name} {TYPES[first.kind]}\n"


def write_openmetrics_head(name: str, type_: str, first: MetricSnapshot) -> str:
    """Return the comments of OpenMetrics: the unit too, but only if the name of the family ends in it."""
    unit = first.unit or find_unit(name)
    return f"# HELP {name} {find_help(first).translate(OPENMETRICS_HELP_ESCAPES)}\n# TYPE {name} {type_}\n" + (
        f"# UNIT {name} {unit}\n" if unit and name.endswith(f"_{unit}") else ""
    )


def find_unit(name: str) -> str:
    """Return the base unit that a name ends in."""
    ending = name.rpartition("_")[2]
    return ending if ending in UNITS else ""


def list_openmetrics_families(families: Sequence[tuple[str, MetricSnapshot]]) -> Iterator[tuple[str, str]]:
    """Yield for each family what it is called in OpenMetrics, and its type; its samples keep their names.

    No two families may have a name in common, nor a name with the endings of their types. A counter `a_total` is of the
    family `a`, unless `a` or `a_created` is there already; then, as one without `_total`, it is of unknown type.
    """
    taken = {name for name, _ in families}
    for name, first in families:
        if first.kind is Kind.HISTOGRAM:
            taken.update(name + suffix for suffix in (*HISTOGRAM_SUFFIXES, CREATED))
    for name, first in families:
        short = name.removesuffix(TOTAL)
        if first.kind is not Kind.COUNTER:
            yield name, TYPES[first.kind]
        elif short in ("", name) or not taken.isdisjoint({short, short + CREATED}):
            yield name, "unknown"
        else:
            taken.update((short, short + CREATED))
            yield short, "counter"


def find_reserved(families: Sequence[tuple[str, MetricSnapshot]]) -> dict[str, str]:
    """Return the histogram of each name that OpenMetrics keeps for the beginning of a histogram."""
    return {name + CREATED: name for name, first in families if first.kind is Kind.HISTOGRAM}


def find_stamp(variant: Variant) -> Stamp:
    """Return what gives the time of a series as the text wants it: milliseconds, or OpenMetrics' seconds."""
    return spell_seconds if variant.is_openmetrics else find_millisecond


def spell_seconds(series: SeriesView) -> str:
    """Return the time of `series` in seconds since 1970, to the millisecond."""
    return f"{find_millisecond(series) / 1000:.3f}"
