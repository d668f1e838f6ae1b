"""Which metrics make which metric of OTLP, and what it says about itself.

As on the page for Prometheus, the metrics of several programs with one name are one family: a receiver tells streams
apart by name and attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, Metric

from pipeline.formats.prometheus.selection import PrometheusOptions, describe_family, find_help, leave_out
from pipeline.formats.text import INVALID
from pipeline.metrics import HistogramValue, Kind, MetricSnapshot, Snapshot

# instrument-name = ALPHA 0*254 ("_" / "." / "-" / "/" / ALPHA / DIGIT)
NAME_MISFITS = re.compile(r"[^A-Za-z0-9_./-]")
MAX_NAME_CHARACTERS = 255
NAME_START = "metric"

UNITS = {
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "us",
    "nanoseconds": "ns",
    "minutes": "min",
    "hours": "h",
    "days": "d",
    "bytes": "By",
    "kilobytes": "kBy",
    "megabytes": "MBy",
    "bits": "bit",
    "ratio": "1",
    "percent": "%",
    "celsius": "Cel",
    "hertz": "Hz",
    "meters": "m",
    "grams": "g",
    "joules": "J",
    "watts": "W",
    "volts": "V",
    "amperes": "A",
}
"""The units of Prometheus' names, and what UCUM calls them."""

BASE_UNITS = ("seconds", "bytes", "ratio")

# A unit has up to 63 characters of ASCII. What UCUM does not know stands in braces, an annotation.
ANNOTATION = re.compile(r"[!-z|~]{1,61}")


class DataType(Enum):
    """What a metric of OTLP is; the value is the name of its field."""

    SUM = "sum"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    EXPONENTIAL = "exponential_histogram"


SPELLINGS = {
    DataType.SUM: "sum",
    DataType.GAUGE: "gauge",
    DataType.HISTOGRAM: "histogram",
    DataType.EXPONENTIAL: "exponential histogram",
}


@dataclass(frozen=True, slots=True)
class Family:
    """The metrics that are one metric of OTLP. The first of them has help text and unit of all."""

    name: str
    data_type: DataType
    metrics: Sequence[MetricSnapshot]

    def describe(self) -> Metric:
        """Return the metric of OTLP, without data points."""
        first = self.metrics[0]
        unit = spell_unit(first.unit or find_base_unit(self.name))
        described = Metric(name=self.name, description=clean_text(find_help(first)), unit=unit)
        match self.data_type:
            case DataType.SUM:
                described.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
                described.sum.is_monotonic = True
            case DataType.GAUGE:
                described.gauge.SetInParent()
            case DataType.HISTOGRAM:
                described.histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
            case DataType.EXPONENTIAL:
                described.exponential_histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
            case _:
                assert_never(self.data_type)
        return described


def select_families(snapshot: Snapshot, options: PrometheusOptions, problems: list[str]) -> Iterator[Family]:
    """Yield what can be pushed; a sentence for each thing left out goes to `problems`."""
    families: dict[str, list[MetricSnapshot]] = {}
    for metric in snapshot.metrics:
        if metric.series and not metric.hidden and metric.kind is not Kind.TEXT:
            families.setdefault(clean_name(metric.name), []).append(metric)
    for name, metrics in families.items():
        family = select_family(name, metrics, options, problems)
        if family is not None:
            yield family


def select_family(
    name: str, metrics: Sequence[MetricSnapshot], options: PrometheusOptions, problems: list[str]
) -> Family | None:
    """Return the metrics that can be one metric of OTLP, with the first of them."""
    members: list[MetricSnapshot] = []
    for metric in metrics:
        reason = find_misfit(name, metric, options)
        if not reason and members and find_data_type(metric) is not find_data_type(members[0]):
            taken = SPELLINGS[find_data_type(members[0])]
            reason = f"the name is taken by the {taken} at {members[0].source}"
        if reason:
            problems.append(leave_out(metric, reason, "OTLP"))
            continue
        members.append(metric)
        if metric.name != members[0].name:
            problems.append(
                f"Metric `{metric.name}` at {metric.source} is called `{name}` in OTLP, as is"
                f" `{members[0].name}` at {members[0].source}."
            )
    if not members:
        return None
    return Family(name, find_data_type(members[0]), describe_family(members, problems))


def find_misfit(name: str, metric: MetricSnapshot, options: PrometheusOptions) -> str:
    """Return why OTLP cannot hold `metric`, or nothing."""
    if not metric.name:
        return "it has no name"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"its name has more than {MAX_NAME_CHARACTERS} characters"
    if "" in metric.label_names:
        return "a label has no name"
    if options.emit_prog_label and "prog" in metric.label_names:
        return "the label `prog` is the name of the program"
    return ""


def find_data_type(metric: MetricSnapshot) -> DataType:
    """Return what `metric` is in OTLP."""
    match metric.kind:
        case Kind.COUNTER:
            return DataType.SUM
        case Kind.HISTOGRAM:
            value = metric.series[0].value
            is_kept_by_powers = isinstance(value, HistogramValue) and value.native is not None
            return DataType.EXPONENTIAL if is_kept_by_powers else DataType.HISTOGRAM
        case _:
            return DataType.GAUGE


def clean_name(name: str) -> str:
    """Return the name of a metric as an instrument may be called."""
    cleaned = NAME_MISFITS.sub("_", name)
    if cleaned[:1].isalpha():
        return cleaned
    return NAME_START + (cleaned if cleaned.startswith("_") else f"_{cleaned}")


def find_base_unit(name: str) -> str:
    """Return the base unit that a name ends in, as Prometheus' naming rules ask for."""
    ending = name.removesuffix("_total").rpartition("_")[2]
    return ending if ending in BASE_UNITS else ""


def spell_unit(unit: str) -> str:
    """Return a unit as UCUM has it. One that cannot stand there is left out."""
    if unit in UNITS:
        return UNITS[unit]
    return f"{{{unit}}}" if ANNOTATION.fullmatch(unit) else ""


def clean_text(text: str) -> str:
    """Return `text` in characters that UTF-8 has."""
    return INVALID.sub("\ufffd", text)
