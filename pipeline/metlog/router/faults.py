"""Why a line is no envelope: asked of those alone that are none. Pure."""

from __future__ import annotations

import json

from pipeline.decoders import DECODERS, DecoderOptions, repair_json

decode_json = DECODERS["json"].make(DecoderOptions())
decode_metlog = DECODERS["metlog"].make(DecoderOptions())

EXPLANATIONS = {
    "json": "it is not valid JSON",
    "object": "it is JSON, but no object",
    "type": "it has no type that is a text",
    "timestamp": "its timestamp is no time as in 2006-01-02T15:04:05.999999Z",
    "field": "one of its fields is of another type than the envelope has it",
}
"""By the word for it in our own metrics."""


def find_fault(line: bytes) -> str:
    """Return why a line is no envelope, in a word of `EXPLANATIONS`."""
    decoded = decode_json(line)
    # Numbers that no double can hold are known to the decoder of JSON, and no part of an envelope.
    if decoded is None or decode_metlog(b'{"type":"","fields":{"":%b}}' % repair_json(line)) is None:
        return "json"
    envelope = decoded[0]
    if not isinstance(envelope, dict):
        return "object"
    if not isinstance(envelope.get("type"), str):
        return "type"
    stamp = envelope.get("timestamp")
    # The decoder judges what a time is: of an envelope of nothing else.
    if isinstance(stamp, str) and decode_metlog(json.dumps({"type": "", "timestamp": stamp}).encode()) is None:
        return "timestamp"
    return "field"
