"""Logfmt: words, and pairs of a key and a value, as `level=info msg="all is well" dur=1.5ms`.

There is no standard. What Go's kr/logfmt and go-logfmt write is read as they mean it; what they refuse is read as far
as it goes, because a line is more often prose with pairs in it than an attempt to deceive.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record, Value

MAX_REMEMBERED: Final = 1024
MAX_REMEMBERED_BYTES: Final = 64
"""A longer key is decoded anew, so that a stranger's lines cannot fill our memory."""


class Names(dict[bytes, str]):
    """The names of keys. When it is full it starts anew."""

    def __missing__(self, key: bytes) -> str:
        name = key.decode("utf-8", "surrogateescape")
        if len(key) <= MAX_REMEMBERED_BYTES:
            if len(self) >= MAX_REMEMBERED:
                self.clear()
            self[key] = name
        return name


names: Final = Names()

# A key ends at white space, an equals sign or a quote. No repeat can go on where it ended, and a quote that is never
# closed is looked for once, so the time is linear.
SPACE: Final = rb"\t\n\v\f\r "
ITEM: Final = re.compile(
    rb'([^%b="]++)(?:=(?:"((?:[^"\\]++|\\.)*+)"|([^%b]*+))|([%b"]))' % (SPACE, SPACE, SPACE), re.DOTALL
)
"""A key; what stands in quotes, or without quotes; or else what ends a key without a value."""


def decode_logfmt(text: bytes) -> tuple[Record] | None:
    """Return the values by their keys; the last of a key counts, and a key alone is true. None if there is no pair."""
    if b"=" not in text:
        return None
    record = None if b"\\" in text else read_plain(text)
    if record is None:
        record = read_any(text)
    return (record,) if record else None


def read_plain(text: bytes) -> dict[str, Value] | None:
    """Return the values of a text as go-logfmt writes most: without escapes, quotes only around a whole value.

    None if it is another one. Eight pairs take 1.8 µs, where the next function takes 2.8.
    """
    record: dict[str, Value] = {}
    parts = text.split(b'"')
    if not len(parts) % 2:
        return None
    following = iter(parts)
    for outside in following:
        value = b""
        for item in outside.split():
            key, equals, value = item.partition(b"=")
            record[names[key]] = value if equals else True
        quoted = next(following, None)
        if quoted is not None:
            if value or not outside.endswith(b"="):
                return None
            record[names[key]] = quoted
    return None if "" in record else record


def read_any(text: bytes) -> dict[str, Value]:
    """Return the same for any text; nothing if there is no pair."""
    record: dict[str, Value] = {}
    has_pair = False
    for key, quoted, plain, end in ITEM.findall(text + b" "):
        if end:
            record[names[key]] = True
        else:
            record[names[key]] = plain or (unescape(quoted) if b"\\" in quoted else quoted)
            has_pair = True
    return record if has_pair else {}


# Escapes -----------------------------------------------------------------------------------------

ESCAPE: Final = re.compile(
    rb"""\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})
    |u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|(.))""",
    re.VERBOSE | re.DOTALL,
)
LETTERS: Final = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def unescape(text: bytes) -> bytes:
    """Return what stood in quotes: the escapes of Go and of JSON are read, others are the character itself."""
    return ESCAPE.sub(read_escape, text)


def read_escape(match: re.Match[bytes]) -> bytes:
    """Return the character of an escape. A surrogate alone is U+FFFD, and so is what is beyond Unicode."""
    high, low, short, long, byte, octal, letter = match.groups()
    if letter:
        return LETTERS.get(letter, letter)
    if byte or octal:
        return bytes([int(byte, 16) if byte else int(octal, 8)])
    number = 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00 if high else int(short or long, 16)
    return ("\ufffd" if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF else chr(number)).encode()


def make_logfmt(_options: DecoderOptions) -> Decode:
    """Return the function that decodes."""
    return decode_logfmt


LOGFMT: Final = Decoder(
    name="logfmt",
    make=make_logfmt,
    help="pairs of a key and a value, such as `status=200`",
    texts=bytes,
    spells_names=True,
)
