"""Logfmt: words, and pairs of a key and a value, as `level=info msg="all is well" dur=1.5ms`.

There is no standard. What Go's kr/logfmt and go-logfmt write is read as they mean it; what they refuse is read as far
as it goes, because a line is more often prose with pairs in it than an attempt to deceive.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record, Value

# A key ends at white space, an equals sign or a quote; white space is any control character, as in go-logfmt. No
# repeat can go on where it ended, and a quote that is never closed is looked for once, so the time is linear.
ITEM: Final = re.compile(
    r'([^\x00-\x20="]++)(?:=(?:"((?:[^"\\]++|\\.)*+)"|([^\x00-\x20]*+))|([\x00-\x20"]))',
    re.DOTALL,
)
"""A key; what stands in quotes, or without quotes; or else what ends a key without a value."""


def decode_logfmt(text: bytes) -> tuple[Record] | None:
    """Return the values by their keys; the last of a key counts, and a key alone is true. None if there is no pair."""
    if b"=" not in text:
        return None
    items = ITEM.findall(text.decode("utf-8", "surrogateescape") + " ")
    if b"\\" in text:
        items = [(key, unescape(quoted), plain, end) for key, quoted, plain, end in items]
    record: dict[str, Value] = {}
    has_pair = False
    # 10 pairs take 2.8 µs, of which the search takes 1.9.
    for key, quoted, plain, end in items:
        if end:
            record[key] = True
        else:
            record[key] = plain or quoted
            has_pair = True
    return (record,) if has_pair else None


# Escapes -----------------------------------------------------------------------------------------

ESCAPE: Final = re.compile(
    r"""\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})
    |u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|(.))""",
    re.VERBOSE | re.DOTALL,
)
LETTERS: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unescape(text: str) -> str:
    """Return what stood in quotes: the escapes of Go and of JSON are read, others are the character itself."""
    if "\\" not in text:
        return text
    plain = ESCAPE.sub(read_escape, text)
    # Bytes that were escaped one by one may be characters now.
    return plain.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def read_escape(match: re.Match[str]) -> str:
    """Return the character of an escape. A surrogate alone is U+FFFD, and so is what is beyond Unicode."""
    high, low, short, long, byte, octal, letter = match.groups()
    if letter:
        return LETTERS.get(letter, letter)
    if byte or octal:
        return bytes([int(byte, 16) if byte else int(octal, 8)]).decode("utf-8", "surrogateescape")
    number = 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00 if high else int(short or long, 16)
    return "\ufffd" if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF else chr(number)


def make_logfmt(_options: DecoderOptions) -> Decode:
    """Return the function that decodes."""
    return decode_logfmt


LOGFMT: Final = Decoder(
    name="logfmt", make=make_logfmt, help="pairs of a key and a value, such as `status=200`", spells_names=True
)
