"""The forms in which a page can be written: Prometheus text 0.0.4 and 1.0.0, OpenMetrics 1.0, and messages (protobuf).

The texts have the same samples, byte for byte but for time stamps: a series keeps its name and labels whichever text a
scraper asks for, and its text is kept once for all. So OpenMetrics, in which the samples of a counter end in
`_total`, is told of a counter without that ending as of a metric of unknown type, and `le` has no `.0` put behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.formats.prometheus.samples import NANOSECONDS_PER_MILLISECOND, Stamp, find_millisecond
from pipeline.formats.prometheus.selection import HELP_ESCAPES, HISTOGRAM_SUFFIXES, TYPES, find_help
from pipeline.metrics import Kind, MetricSnapshot, SeriesView, wrap_int64

OPENMETRICS = "application/openmetrics-text"
MESSAGES = "application/vnd.google.protobuf"
MESSAGE_PARAMETERS = {"proto": "io.prometheus.client.MetricFamily", "encoding": "delimited"}
"""Which messages; who does not ask for these, means others."""

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
    """One text, as a scraper asks for it, or the form of messages, which has no version."""

    media_type: str
    version: str

    @property
    def is_openmetrics(self) -> bool:
        """Whether it is one of OpenMetrics."""
        return self.media_type == OPENMETRICS

    @property
    def is_protobuf(self) -> bool:
        """Whether it is that of messages."""
        return self.media_type == MESSAGES

    def suits(self, parameters: Mapping[str, str]) -> bool:
        """Tell whether `parameters`, which stand in a range, mean it."""
        if self.is_protobuf:
            return all(parameters.get(name) == value for name, value in MESSAGE_PARAMETERS.items())
        return parameters.get("version", self.version) in ("", self.version)

    def spell_content_type(self, escaping: str = "") -> str:
        """Return what tells the scraper that it got this; a scheme of escaping that we do not have is never echoed."""
        if self.is_protobuf:
            content_type = "; ".join(
                (self.media_type, *(f"{name}={text}" for name, text in MESSAGE_PARAMETERS.items()))
            )
        else:
            content_type = f"{self.media_type}; version={self.version}; charset=utf-8"
            if self.version != "1.0.0":
                return content_type
        return f"{content_type}; escaping={escaping if escaping in ESCAPINGS else ESCAPINGS[0]}"

    def list_names(self, names: Sequence[str]) -> list[str]:
        """Return the families that a scraper means: to OpenMetrics, the counter `a_total` is of the family `a`."""
        return [*names, *(name + TOTAL for name in names)] if self.is_openmetrics else list(names)


TEXT = Variant("text/plain", "0.0.4")
TEXTS = (TEXT, Variant(OPENMETRICS, "1.0.0"), Variant("text/plain", "1.0.0"), Variant(OPENMETRICS, "0.0.1"))
PROTOBUF = Variant(MESSAGES, "")
VARIANTS = (*TEXTS, PROTOBUF)
"""All of them. Who has no preference gets the first that he takes."""


def write_head(name: str, first: MetricSnapshot) -> str:
    """Return the comments of the Prometheus text before the samples of a family; `first` is its first metric."""
    return f"# HELP {name} {find_help(first).translate(HELP_ESCAPES)}\n# TYPE {name} {TYPES[first.kind]}\n"


def write_openmetrics_head(name: str, type_: str, first: MetricSnapshot) -> str:
    """Return the comments of OpenMetrics: the unit too, but only if the name of the family ends in it."""
    unit = find_unit(name, first)
    return f"# HELP {name} {find_help(first).translate(OPENMETRICS_HELP_ESCAPES)}\n# TYPE {name} {type_}\n" + (
        f"# UNIT {name} {unit}\n" if unit else ""
    )


def find_unit(name: str, first: MetricSnapshot) -> str:
    """Return the unit of a family: what its program says, or a base unit, if the name ends in it."""
    ending = name.rpartition("_")[2]
    unit = first.unit or (ending if ending in UNITS else "")
    return unit if name.endswith(f"_{unit}") and unit else ""


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
    return spell_time(series.time)


def spell_time(time: int) -> str:
    """Return a time in nanoseconds as one in seconds, to the millisecond."""
    return f"{wrap_int64(time) // NANOSECONDS_PER_MILLISECOND / 1000:.3f}"
