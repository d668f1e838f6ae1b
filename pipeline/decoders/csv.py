"""Values with a delimiter between them, as RFC 4180 has them; a record is one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count, islice
from typing import Final

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record

DEFAULT_DELIMITER: Final = ","

numbers: Final[list[str]] = list(map(str, range(1, 101)))
"""The names of columns by number."""


def make_csv(options: DecoderOptions) -> Decode:
    """Return the function that decodes.

    Fields are named by the number of the column from 1, and by what `columns` says. There may be more or fewer values
    than named columns.
    """
    delimiter = (options.delimiter or DEFAULT_DELIMITER).encode()
    split = make_splitter(delimiter)
    columns = options.columns

    def decode_csv(text: bytes) -> tuple[Record] | None:
        # A line that ended with CR LF has kept its CR.
        if text.endswith(b"\r"):
            text = text[:-1]
        values = text.split(delimiter) if b'"' not in text else split(text)
        if values is None:
            return None
        return (
            {**dict(zip(get_numbers(len(values)), values, strict=False)), **dict(zip(columns, values, strict=False))},
        )

    return decode_csv


def get_numbers(length: int) -> list[str]:
    """Return the names of at least so many columns."""
    if length <= len(numbers):
        return numbers
    return [*numbers, *map(str, islice(count(len(numbers) + 1), length - len(numbers)))]


def make_splitter(delimiter: bytes) -> Callable[[bytes], list[bytes] | None]:
    """Return what splits a text with quotes in it; it returns None where quotes are not as RFC 4180 has them."""
    other = rb'[^"' + re.escape(delimiter) + rb"]*+"
    field = rb'(?:"(?:[^"]++|"")*+"|' + other + rb")" + re.escape(delimiter)
    fullmatch = re.compile(rb"(?:" + field + rb")++", re.DOTALL).fullmatch
    findall = re.compile(rb'(?:"((?:[^"]++|"")*+)"|(' + other + rb"))" + re.escape(delimiter)).findall

    def split(text: bytes) -> list[bytes] | None:
        text += delimiter
        if fullmatch(text) is None:
            return None
        return [plain or quoted.replace(b'""', b'"') for quoted, plain in findall(text)]

    return split


CSV: Final = Decoder(
    name="csv", make=make_csv, help="values with a delimiter between them, as spreadsheets write them", has_columns=True
)
