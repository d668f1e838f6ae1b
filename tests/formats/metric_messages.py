"""Classes of the messages of `io.prometheus.client`, made from a table, and what reads a page of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "io.prometheus.client"

FIELDS = {
    "LabelPair": "1 string name, 2 string value",
    "Gauge": "1 double value",
    "Counter": "1 double value, 2 Exemplar exemplar, 3 Timestamp created_timestamp",
    "Histogram": (
        "1 uint64 sample_count, 4 double sample_count_float, 2 double sample_sum, 3 *Bucket bucket, "
        "15 Timestamp created_timestamp, 5 sint32 schema, 6 double zero_threshold, 7 uint64 zero_count, "
        "8 double zero_count_float, 9 *BucketSpan negative_span, 10 *sint64 negative_delta, "
        "11 *double negative_count, 12 *BucketSpan positive_span, 13 *sint64 positive_delta, "
        "14 *double positive_count, 16 *Exemplar exemplars"
    ),
    "Bucket": "1 uint64 cumulative_count, 4 double cumulative_count_float, 2 double upper_bound, 3 Exemplar exemplar",
    "BucketSpan": "1 sint32 offset, 2 uint32 length",
    "Exemplar": "1 *LabelPair label, 2 double value, 3 Timestamp timestamp",
    "Timestamp": "1 int64 seconds, 2 int32 nanos",
    "Metric": "1 *LabelPair label, 2 Gauge gauge, 3 Counter counter, 7 Histogram histogram, 6 int64 timestamp_ms",
    "MetricFamily": "1 string name, 2 string help, 3 int32 type, 4 *Metric metric, 5 string unit",
}
"""Number, type and name of each field; those with a star are repeated. A type of MetricType is read as its number."""

Field = descriptor_pb2.FieldDescriptorProto


def make_class(package: str, table: Mapping[str, str], wanted: str) -> Any:  # noqa: ANN401 - classes have no other type
    """Return the class of a message, from a pool of our own: nothing else that knows these messages is disturbed."""
    file = descriptor_pb2.FileDescriptorProto(name="messages.proto", package=package, syntax="proto2")
    for name, fields in table.items():
        message = file.message_type.add(name=name)
        for text in fields.split(", "):
            number, type_, called = text.split(" ")
            field = message.field.add(name=called, number=int(number))
            field.label = Field.LABEL_REPEATED if type_.startswith("*") else Field.LABEL_OPTIONAL
            spelled = type_.removeprefix("*")
            if spelled in table:
                field.type, field.type_name = Field.TYPE_MESSAGE, f".{package}.{spelled}"
            else:
                field.type = Field.Type.Value(f"TYPE_{spelled.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{wanted}"))


MetricFamily: Any = make_class(PACKAGE, FIELDS, "MetricFamily")


def read_messages(page: bytes) -> Iterator[Any]:
    """Yield the families of a page: each behind its length, and nothing else."""
    start = 0
    while start < len(page):
        length = shift = 0
        while True:
            byte = page[start]
            start += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        assert start + length <= len(page), "the last message is cut"
        family = MetricFamily.FromString(page[start : start + length])
        assert not has_unknown(family), "there is a field that nobody knows"
        yield family
        start += length


def has_unknown(message: Any) -> bool:  # noqa: ANN401 - a message of any class
    """Tell whether a message, or one within it, has fields that its class has not."""
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return bool(known.ByteSize() != message.ByteSize())
