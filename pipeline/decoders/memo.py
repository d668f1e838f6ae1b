"""What programs share: the records of the lines at hand, so that each line is decoded once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from pipeline.decoders.decoder import DecoderOptions, Value

MAX_ENTRIES: Final = 4096
MAX_BYTES: Final = 256 * 1024
"""Of the lines whose records are kept: those of one read. A record takes up to fifty times as much."""

Table: TypeAlias = "Mapping[str, Value] | None"
Reader: TypeAlias = Callable[[bytes], Table]
DecodeKey: TypeAlias = tuple[str, DecoderOptions]
"""What tells one way of decoding from another: the name of the decoder, and its options."""


class RecordMemo(dict[bytes, Table]):
    """Remembers the records of some lines; `memo.__getitem__` is the function to call. When full it keeps what it has.

    To decode a line of 276 bytes takes 900 ns, to find its record 60, and to keep it 200.
    """

    __slots__ = ("bytes_left", "read")

    def __init__(self, read: Reader) -> None:
        super().__init__()
        self.read = read
        self.bytes_left = MAX_BYTES

    def __missing__(self, line: bytes) -> Table:
        record = self.read(line)
        if self.bytes_left >= len(line) and len(self) < MAX_ENTRIES:
            self.bytes_left -= len(line)
            self[line] = record
        return record

    def forget(self) -> None:
        """Begin anew, with other lines."""
        self.clear()
        self.bytes_left = MAX_BYTES


class SharedRecords:
    """The memos of all ways of decoding that several programs have. `keys` names these ways."""

    def __init__(self, keys: frozenset[DecodeKey]) -> None:
        self.keys = keys
        self.memos: dict[DecodeKey, RecordMemo] = {}

    def reader(self, key: DecodeKey, make: Callable[[], Reader]) -> Reader:
        """Return what decodes: the memo, or what `make` returns where one program alone decodes that way."""
        if key not in self.keys:
            return make()
        if key not in self.memos:
            self.memos[key] = RecordMemo(make())
        return self.memos[key].__getitem__

    def forget(self) -> None:
        """Forget the lines, which the programs have seen."""
        for memo in self.memos.values():
            if memo:
                memo.forget()
