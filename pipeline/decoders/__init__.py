"""Lines that are records: each decoder turns a text into fields, or says that it is not of its kind. Pure.

A new decoder is a module, and its name in `DECODERS`; the language takes its words from there.
"""

from __future__ import annotations

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record, Value
from pipeline.decoders.fields import find_field, make_clock, make_finder, make_reader
from pipeline.decoders.memo import DecodeKey, Reader, SharedRecords
from pipeline.decoders.table import DecoderTable

__all__ = [
    "DECODERS",
    "Decode",
    "DecodeKey",
    "Decoder",
    "DecoderOptions",
    "Reader",
    "Record",
    "SharedRecords",
    "Value",
    "find_field",
    "make_clock",
    "make_finder",
    "make_reader",
    "repair_json",
]

DECODERS = DecoderTable("json", "logfmt", "csv", "syslog", "metlog")
"""By the word behind `decode`."""


def repair_json(text: bytes) -> bytes:
    """Return a JSON text that we read as one that every reader takes, with the same meaning."""
    from pipeline.decoders.json import repair_json as repair

    return repair(text)
