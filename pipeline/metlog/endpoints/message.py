"""A message on its way through the router: the envelope as it came, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from pipeline.decoders import DECODERS, DecoderOptions, Value
from pipeline.metrics import format_go_float

read_stamp = DECODERS["metlog"].read_time
OPTIONS = DecoderOptions()

TOO_DEEP = "…"
"""Stands for what cannot be written, as it is nested more deeply than anybody would."""


@dataclass(slots=True)
class Message:
    """One envelope. Nobody changes it; to make one that is frozen takes three times as long.

    `line` is its JSON text without a line feed, and what endpoints keep and send. `record` has all nine fields, those
    that were not given with their defaults.
    """

    line: bytes
    record: Mapping[str, Value]
    now: int
    """When it was read, in ns since 1970."""
    origin: bytes = b""
    """Where it came from, as `getfilename()` says it."""

    @property
    def time(self) -> int:
        """The time stamp in ns since 1970, or the time of reading where there is none."""
        assert read_stamp is not None
        time = read_stamp(self.record, self.now, OPTIONS)
        return self.now if time is None else time


def spell_value(value: Value) -> str:
    """Return the text of the value of a field, as a program reads it; that of null is empty."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return format_go_float(value)
        case _:
            try:
                return orjson.dumps(value).decode()
            except orjson.JSONEncodeError:
                return TOO_DEEP
