"""What a decoder is, and what it makes of a text.

A record is what the fields of a text are read from. Texts in it are `bytes`, or `str`; in these, bytes that are no
UTF-8 are lone surrogates as Python's "surrogateescape" has them. Records are shared by all programs, so nobody changes
one.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "bytes | str | int | float | bool | Mapping[str, Value] | Sequence[Value] | None"
"""What a field holds. None is what JSON calls null, and as good as absent."""

Record: TypeAlias = "Mapping[str, Value] | Sequence[Value] | Value"
"""The fields of a text, by name or, in a list, by place from 0. JSON texts that are a single value have no fields."""

Decode: TypeAlias = Callable[[bytes], "tuple[Record] | None"]
"""Returns the record of a text, in a tuple because JSON's null is one; None if the text is not of the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderOptions:
    """What a program may say about a decoder, and what the operator says about times."""

    columns: tuple[str, ...] = ()
    """The names after `by`, in order."""
    delimiter: str = ""
    """The text behind the name of the decoder; empty if there is none."""
    zone: datetime.tzinfo = datetime.UTC
    use_current_year: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One kind of text.

    `make` returns the function that decodes, for `options` that the checker has found to be allowed.
    """

    name: str
    make: Callable[[DecoderOptions], Decode]
    help: str
    """What it decodes, for documents and hints: lower case, no full stop."""
    fields: tuple[str, ...] | None = None
    """The first names of all fields that it can give; None where any text may have any."""
    has_columns: bool = False
    """Whether fields have numbers, from 1, and may be named by `by`; a delimiter can then be given too."""
    texts: type[bytes] | type[str] | None = None
    """What all texts in its records are, where that is so. Such a `str` has no surrogates."""
    spells_names: bool = False
    """Whether the name of a field that is there stands in the text; for the sieve."""
    spells_values: bool = False
    """Whether texts of fields stand in the text, but for those that are `derived`; for the sieve."""
    sure: frozenset[str] = frozenset()
    """The first names of fields that every record has, as texts; for the sieve."""
    derived: frozenset[str] = frozenset()
    """The first names of fields that are made of something else in the text."""
    escapes: tuple[bytes, ...] = ()
    """Where a printable ASCII character of a text, no quote, slash, brace, bracket, colon or comma, does not stand for
    itself, one of these does."""
    read_time: Callable[[Record, int, DecoderOptions], int | None] | None = None
    """Returns the time of a record in ns since 1970, given the time of reading; None if it says none. Its texts are
    those of the record, so that consecutive lines of one second may be remembered."""
