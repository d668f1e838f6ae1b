"""Values with a delimiter between them, as RFC 4180 has them. A record is one line, or several that were joined."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from typing import Final

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record, Value

DEFAULT_DELIMITER: Final = ","

# The limit of the library is for all of a process, and below what a line may hold. Lines have a limit of their own.
csv.field_size_limit(sys.maxsize)

numbers: Final = [str(number) for number in range(1, 1001)]
"""The names of the first columns."""


def make_csv(options: DecoderOptions) -> Decode:
    """Return the function that decodes.

    Fields are named by the number of the column from 1, and by what `columns` says; there may be more or fewer columns
    than names. Of two equal names, the last counts. None if quotes are not as the RFC has them, or a line breaks
    outside of them.
    """
    delimiter = options.delimiter or DEFAULT_DELIMITER
    split = make_splitter(delimiter)
    delimiter_bytes = delimiter.encode()
    columns = options.columns

    def decode_csv(text: bytes) -> tuple[Record] | None:
        # Lines end with CR LF in the RFC, and the line feed is gone already.
        if text.endswith(b"\r"):
            text = text[:-1]
        needs_reader = b'"' in text or b"\r" in text or b"\n" in text
        values = split(text) if needs_reader else text.split(delimiter_bytes)
        if values is None:
            return None
        record: dict[str, Value] = dict(zip(name_numbers(len(values)), values, strict=False))
        record.update(zip(columns, values, strict=False))
        return (record,)

    return decode_csv


def name_numbers(length: int) -> list[str]:
    """Return the names of so many columns, or more."""
    return numbers if length <= len(numbers) else [str(number) for number in range(1, length + 1)]


def make_splitter(delimiter: str) -> Callable[[bytes], list[bytes] | None]:
    """Return what splits a text that has quotes; it returns None where they are wrong."""
    # One reader for all texts, which takes each from this list: to make one takes as long as to read with it.
    waiting: list[str] = []
    reader = csv.reader(iter(waiting.pop, None), delimiter=delimiter, strict=True)

    def split(text: bytes) -> list[bytes] | None:
        waiting.append(text.decode("utf-8", "surrogateescape"))
        try:
            return [value.encode("utf-8", "surrogateescape") for value in next(reader)]
        except (csv.Error, IndexError):  # a quote that is not closed makes it ask for the next line
            return None

    return split


CSV: Final = Decoder(
    name="csv",
    make=make_csv,
    help="values with a delimiter between them, as spreadsheets write them",
    has_columns=True,
    texts=bytes,
    spells_values=True,
)
