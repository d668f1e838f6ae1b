"""What has waited is read again, for endpoints that send something else than the line itself."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from pipeline.decoders import DECODERS, DecoderOptions
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.message import Message

DECODE = DECODERS["metlog"].make(DecoderOptions())


def read_entry(entry: Entry) -> Message:
    """Return the message that waited, as the router saw it.

    What is no envelope, as another version of us may have left in a spool, is a message whose payload is all of it.
    """
    decoded = DECODE(entry.line) or DECODE(orjson.dumps({"type": "", "payload": entry.line.decode("utf-8", "replace")}))
    assert decoded is not None, "that is an envelope"
    assert isinstance(decoded[0], Mapping), "an envelope is an object"
    return Message(entry.line, decoded[0], entry.time)
