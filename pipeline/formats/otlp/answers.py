"""What a receiver of OTLP answers, in the words of its messages."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request that was taken. Who rejects nothing may have a message, too: a warning."""

    rejected: int
    message: str


def read_verdict(body: bytes, content_type: str) -> Verdict | None:
    """Return what the answer to a request says; None if it is not one of OTLP.

    The answer should be of the type of the request, protobuf; some receivers always answer in JSON.
    """
    response = ExportMetricsServiceResponse()
    try:
        if is_json(content_type):
            json_format.Parse(body or b"{}", response, ignore_unknown_fields=True)
        else:
            response.ParseFromString(body)
    except (DecodeError, json_format.ParseError, ValueError):
        return None
    partial = response.partial_success
    return Verdict(partial.rejected_data_points, partial.error_message)


def read_message(body: bytes) -> str:
    """Return what a google.rpc.Status says; nothing if it is none.

    A status is `int32 code = 1; string message = 2; …`. Its class is not among those that are published with OTLP, but
    one of these has the same beginning.
    """
    status = ExportMetricsPartialSuccess()
    try:
        status.ParseFromString(body)
    except DecodeError:
        return ""
    return status.error_message


def is_json(content_type: str) -> bool:
    """Whether the content is JSON."""
    return content_type.partition(";")[0].strip().lower() == "application/json"
