"""Lines that are records: each decoder turns a text into fields, or says that it is not of its kind. Pure.

A new decoder is a module and a row in `DECODERS`; the language takes its words from there.
"""

from __future__ import annotations

from pipeline.decoders.csv import CSV
from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record, Value
from pipeline.decoders.fields import find_field, make_clock, make_finder, make_reader
from pipeline.decoders.json import JSON, repair_json
from pipeline.decoders.logfmt import LOGFMT
from pipeline.decoders.memo import DecodeKey, Reader, SharedRecords
from pipeline.decoders.metlog import METLOG, decode_metlog
from pipeline.decoders.syslog import SYSLOG

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
    "decode_metlog",
    "find_field",
    "make_clock",
    "make_finder",
    "make_reader",
    "repair_json",
]

DECODERS = {decoder.name: decoder for decoder in (JSON, LOGFMT, CSV, SYSLOG, METLOG)}
"""By the word behind `decode`."""
