"""JSON texts, as RFC 8259 has them: orjson takes what is valid and nothing else."""

from __future__ import annotations

import orjson

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record


def decode_json(text: bytes) -> tuple[Record] | None:
    """Return the value of a JSON text; None if it is not valid."""
    try:
        return (orjson.loads(text),)
    except orjson.JSONDecodeError:
        return None


def make_json(_options: DecoderOptions) -> Decode:
    """Return the function that decodes."""
    return decode_json


JSON = Decoder(name="json", make=make_json, help="a JSON text")
