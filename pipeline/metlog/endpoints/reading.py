"""What has waited is read again, for endpoints that send something else than the line itself."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.decoders import DECODERS, DecoderOptions
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.message import Message

DECODE = DECODERS["metlog"].make(DecoderOptions())


def read_entry(entry: Entry) -> Message:
    """Return the message that waited, as the router saw it."""
    decoded = DECODE(entry.line)
    assert decoded is not None, "the router takes envelopes alone"
    assert isinstance(decoded[0], Mapping), "an envelope is an object"
    return Message(entry.line, decoded[0], entry.time)
