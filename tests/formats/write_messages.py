"""Classes of the messages of remote write, made from tables, and what reads them: one result for both versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.formats.metric_messages import has_unknown, make_class

Labels: TypeAlias = tuple[tuple[str, str], ...]

HISTOGRAM = (
    "1 uint64 count_int, 2 double count_float, 3 double sum, 4 sint32 schema, 5 double zero_threshold, "
    "6 uint64 zero_count_int, 7 double zero_count_float, 8 *BucketSpan negative_spans, 9 *sint64 negative_deltas, "
    "10 *double negative_counts, 11 *BucketSpan positive_spans, 12 *sint64 positive_deltas, "
    "13 *double positive_counts, 14 int32 reset_hint, 15 int64 timestamp"
)
SPAN = "1 sint32 offset, 2 uint32 length"

FIELDS_1 = {
    "WriteRequest": "1 *TimeSeries timeseries, 3 *MetricMetadata metadata",
    "MetricMetadata": "1 int32 type, 2 string metric_family_name, 4 string help, 5 string unit",
    "TimeSeries": "1 *Label labels, 2 *Sample samples, 3 *Exemplar exemplars, 4 *Histogram histograms",
    "Label": "1 string name, 2 string value",
    "Sample": "1 double value, 2 int64 timestamp",
    "Exemplar": "1 *Label labels, 2 double value, 3 int64 timestamp",
    "Histogram": HISTOGRAM,
    "BucketSpan": SPAN,
}

FIELDS_2 = {
    "Request": "4 *string symbols, 5 *TimeSeries timeseries",
    "TimeSeries": (
        "1 *uint32 labels_refs, 2 *Sample samples, 3 *Histogram histograms, 4 *Exemplar exemplars, 5 Metadata metadata"
    ),
    "Sample": "1 double value, 2 int64 timestamp, 3 int64 start_timestamp",
    "Exemplar": "1 *uint32 labels_refs, 2 double value, 3 int64 timestamp",
    "Metadata": "1 int32 type, 3 uint32 help_ref, 4 uint32 unit_ref",
    "Histogram": f"{HISTOGRAM}, 17 int64 start_timestamp",
    "BucketSpan": SPAN,
}

WriteRequest: Any = make_class("prometheus", FIELDS_1, "WriteRequest")
Request: Any = make_class("io.prometheus.write.v2", FIELDS_2, "Request")


@dataclass(slots=True)
class Read:
    """What was written of one series. A sample is a value, a time and a start; metadata is type, help and unit."""

    samples: list[tuple[float, int, int]] = field(default_factory=list)
    histograms: list[Any] = field(default_factory=list)
    exemplars: list[tuple[Labels, float, int]] = field(default_factory=list)
    metadata: tuple[int, str, str] = (0, "", "")


Series: TypeAlias = dict[Labels, Read]


def read_requests(version: str, bodies: Iterable[bytes]) -> Series:
    """Return all series of some requests. Each has its rules, and no series is there twice."""
    series: Series = {}
    for body in bodies:
        read = read_version_1(body) if version == "1.0" else read_version_2(body)
        for labels, one in read:
            check_labels(labels)
            assert len(one.samples) + len(one.histograms) == 1
            assert labels not in series, labels
            series[labels] = one
    return series


def check_labels(labels: Labels) -> None:
    """Assert what both specifications ask of labels."""
    names = [name for name, _ in labels]
    assert "__name__" in names
    assert names == sorted(set(names))
    assert all(name and value for name, value in labels)


def read_version_1(body: bytes) -> list[tuple[Labels, Read]]:
    """Return the series of a message of version 1.0, with what is told of their families."""
    request = WriteRequest.FromString(body)
    assert not has_unknown(request)
    metadata = {one.metric_family_name: (one.type, one.help, one.unit) for one in request.metadata}
    assert len(metadata) == len(request.metadata)
    return [
        (
            read_pairs(one.labels),
            Read(
                [(sample.value, sample.timestamp, 0) for sample in one.samples],
                list(one.histograms),
                [(read_pairs(mark.labels), mark.value, mark.timestamp) for mark in one.exemplars],
                find_metadata(metadata, dict(read_pairs(one.labels))["__name__"]),
            ),
        )
        for one in request.timeseries
    ]


def read_pairs(labels: Any) -> Labels:  # noqa: ANN401 - messages
    """Return labels in their order."""
    return tuple((label.name, label.value) for label in labels)


def find_metadata(metadata: dict[str, tuple[int, str, str]], name: str) -> tuple[int, str, str]:
    """Return what is told of the family that a sample belongs to."""
    stems = [name, *(name.removesuffix(suffix) for suffix in ("_bucket", "_sum", "_count") if name.endswith(suffix))]
    return next(metadata[stem] for stem in stems if stem in metadata)


def read_version_2(body: bytes) -> list[tuple[Labels, Read]]:
    """Return the series of a message of version 2.0."""
    request = Request.FromString(body)
    assert not has_unknown(request)
    texts = list(request.symbols)
    assert texts[0] == ""
    assert len(set(texts)) == len(texts)
    return [
        (
            read_references(texts, one.labels_refs),
            Read(
                [(sample.value, sample.timestamp, sample.start_timestamp) for sample in one.samples],
                list(one.histograms),
                [(read_references(texts, mark.labels_refs), mark.value, mark.timestamp) for mark in one.exemplars],
                (one.metadata.type, texts[one.metadata.help_ref], texts[one.metadata.unit_ref]),
            ),
        )
        for one in request.timeseries
    ]


def read_references(texts: list[str], numbers: Any) -> Labels:  # noqa: ANN401 - repeated numbers
    """Return labels from the numbers of their texts."""
    read = [texts[number] for number in numbers]
    return tuple(zip(read[::2], read[1::2], strict=True))
