"""Messages as the router hands them over, and a queue of them that can be looked into."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pipeline.decoders import DECODERS, DecoderOptions
from pipeline.message_counts import EndpointCounts
from pipeline.metlog.endpoints.message import Message

NOW = 1_700_000_000 * 10**9
STAMP = "2023-11-14T22:13:20.000000Z"
DECODE = DECODERS["metlog"].make(DecoderOptions())


def make_message(**fields: object) -> Message:
    """Return a message with these fields of the envelope."""
    return read_message(json.dumps({"type": "test", "timestamp": STAMP, **fields}).encode())


def read_message(line: bytes) -> Message:
    """Return the message that a line is."""
    decoded = DECODE(line)
    assert decoded is not None
    assert isinstance(decoded[0], Mapping)
    return Message(line, decoded[0], NOW)


def make_numbered(numbers: Sequence[int], padding: int = 0) -> list[Message]:
    """Return a message for each number, with some more bytes if wanted."""
    return [make_message(payload=str(number), fields={"x": "x" * padding} if padding else {}) for number in numbers]


def read_number(line: bytes) -> int:
    """Return the number of such a message."""
    return int(json.loads(line)["payload"])


def assert_accounted(counts: EndpointCounts) -> None:
    """Each message that was taken has come to one end, or waits."""
    parts = (counts.delivered, counts.refused, counts.dropped, counts.queued)
    assert counts.taken == sum(parts), counts
    assert min(parts) >= 0, counts
