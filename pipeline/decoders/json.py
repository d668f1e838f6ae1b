"""JSON texts, as RFC 8259 has them: orjson takes what is valid and nothing else.

Where the RFC leaves it to the reader (sections 4, 6, 8 and 9), this is decided: an invalid byte and half a surrogate
pair are U+FFFD, because nginx writes the one and programs that cut texts write the other; a byte order mark is skipped;
the last of equal names counts; a number that no double can hold stays a text; a depth beyond 1,024 is not read.
"""

from __future__ import annotations

import re
from math import isinf
from typing import Final

import orjson

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
REPLACEMENT: Final = "\ufffd"
ESCAPED_BYTE: Final = re.compile("[\udc80-\udcff]")
ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape, or those of a surrogate pair; the group is half of one."""
BEGINNING: Final = re.compile(
    rb"""[ \t\n\r]*+(?: [{\["\xef]
    | (?: -?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)? | true | false | null )[ \t\n\r]*+\Z )""",
    re.VERBOSE,
)
"""The beginning of a JSON text that holds others, or the whole of another one."""
NUMBER_BEGINNINGS: Final = frozenset("-0123456789")
TOKEN: Final = re.compile(
    rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
    rb"|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)([ \t\n\r]*+:)?+",
    re.DOTALL,
)
"""A text, which may have no end; or a number, as a group, and what shows that it stands where a name should."""


def decode_json(text: bytes, *, keeps_huge: bool = True) -> tuple[Record] | None:
    """Return the value of a JSON text; None if it is not valid.

    A number that no double can hold is its text, so that it does not take the other fields along, and does not make
    a metric infinite for good. Where it is not kept so, a text with such a number is not valid.
    """
    # A line that is none mostly shows it at once: that takes 0.2 µs, where an exception takes 2.
    if text[:1] != b"{" and BEGINNING.match(text) is None:
        return None
    try:
        return (orjson.loads(text),)
    except orjson.JSONDecodeError as error:
        return decode_repaired(text, error, keeps_huge=keeps_huge)


def decode_repaired(text: bytes, error: orjson.JSONDecodeError, *, keeps_huge: bool) -> tuple[Record] | None:
    """Return the same for a text that orjson refuses with `error`, for something that the RFC leaves to the reader."""
    repaired = repair_json(text)
    if repaired != text:
        try:
            return (orjson.loads(repaired),)
        except orjson.JSONDecodeError as another:
            error = another
    # It says where the number begins that it cannot read. To look for one in all texts would take 5 µs.
    if not keeps_huge or error.doc[error.pos : error.pos + 1] not in NUMBER_BEGINNINGS:
        return None
    try:
        return (orjson.loads(TOKEN.sub(quote_huge, repaired)),)
    except orjson.JSONDecodeError:
        return None


def quote_huge(match: re.Match[bytes]) -> bytes:
    """Return a token as it is, and a number that no double can hold as a text."""
    number, colon = match.groups()
    return b'"%b"' % number if number and not colon and isinf(float(number)) else match[0]


def repair_json(text: bytes) -> bytes:
    """Return a JSON text that we read as one that every reader takes, with the same meaning."""
    repaired = text.removeprefix(BYTE_ORDER_MARK)
    if not repaired.isascii():
        # Each invalid byte is one character, as everywhere.
        repaired = ESCAPED_BYTE.sub(REPLACEMENT, repaired.decode("utf-8", "surrogateescape")).encode()
    if b"\\u" in repaired:
        repaired = ESCAPE.sub(lambda match: rb"\ufffd" if match[1] else match[0], repaired)
    return repaired


def make_json(_options: DecoderOptions) -> Decode:
    """Return the function that decodes."""
    return decode_json


JSON: Final = Decoder(
    name="json",
    make=make_json,
    help="a JSON text",
    texts=str,
    spells_names=True,
    spells_values=True,
    escapes=(b"\\u00",),
)
