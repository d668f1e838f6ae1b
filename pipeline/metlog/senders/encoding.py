"""Messages as text for people and for files, and cut to what fits."""

from __future__ import annotations

import json
from collections.abc import Callable

from pipeline.metlog.envelope import Message, encode_message

ENCODING_ERRORS = (TypeError, ValueError, KeyError, AssertionError, RecursionError)
"""What the encoder raises for what the client would have made harmless."""

CUT = "payload_cut"
"""The field that says how many characters of the payload are missing."""


def format_line(message: Message) -> str:
    """Return a message as JSON on one line."""
    return encode_message(message).decode()


def format_pretty(message: Message) -> str:
    """Return a message as JSON for people, a field on each line."""
    return json.dumps(message, indent=4, ensure_ascii=False)


def shorten(message: Message, encode: Callable[[Message], bytes], max_bytes: int) -> bytes | None:
    """Return a message with as much of its payload as fits; None if it would be too large with none."""
    payload = message.get("payload")
    if not isinstance(payload, str):
        return None
    best = encode_cut(message, payload, 0, encode)
    if len(best) > max_bytes:
        return None
    least, most = 0, min(len(payload), max_bytes)
    while least < most:
        middle = (least + most + 1) // 2
        data = encode_cut(message, payload, middle, encode)
        if len(data) <= max_bytes:
            least, best = middle, data
        else:
            most = middle - 1
    return best


def encode_cut(message: Message, payload: str, kept: int, encode: Callable[[Message], bytes]) -> bytes:
    """Return a message with the first characters of its payload, and a field that says so."""
    fields = message.get("fields")
    told = {**(fields if isinstance(fields, dict) else {}), CUT: len(payload) - kept}
    return encode({**message, "payload": payload[:kept], "fields": told})
