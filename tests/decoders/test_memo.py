"""The records of the lines at hand are kept for all programs, within limits."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipeline.decoders import DECODERS, DecoderOptions, Reader, Value, make_reader
from pipeline.decoders import memo as limits
from pipeline.decoders.memo import RecordMemo, SharedRecords

KEY = "json", DecoderOptions()


class CountingReader:
    """Decodes JSON, and counts how often."""

    def __init__(self) -> None:
        self.read = make_reader(DECODERS["json"], DecoderOptions())
        self.calls: list[bytes] = []

    def __call__(self, line: bytes) -> Mapping[str, Value] | None:
        self.calls.append(line)
        return self.read(line)


def test_line_is_decoded_once() -> None:
    """Whether it can be decoded or not."""
    reader = CountingReader()
    memo = RecordMemo(reader)
    for line in (b'{"a":1}', b"none", b'{"a":1}', b"none"):
        assert memo[line] == ({"a": 1} if line != b"none" else None)
    assert reader.calls == [b'{"a":1}', b"none"]


def test_lines_beyond_a_limit_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are kept: the next program begins with them, too."""
    monkeypatch.setattr(limits, "MAX_ENTRIES", 2)
    monkeypatch.setattr(limits, "MAX_BYTES", 10)
    memo = RecordMemo(CountingReader())
    for line in (b"[1]", b"[2]", b"[3]"):
        memo[line]
    assert list(memo) == [b"[1]", b"[2]"]
    memo.forget()
    for line in (b'["long"]', b'["long2"]', b"7"):
        memo[line]
    assert list(memo) == [b'["long"]', b"7"]


def test_what_one_program_decodes_alone_is_not_kept() -> None:
    """It would cost without a gain."""
    records = SharedRecords(frozenset({KEY}))
    readers: list[Reader] = [
        records.reader(key, CountingReader) for key in (KEY, KEY, ("json", DecoderOptions(delimiter="x")))
    ]
    assert readers[0] == readers[1]
    assert isinstance(readers[2], CountingReader)
    readers[0](b"[1]")
    assert {key: len(memo) for key, memo in records.memos.items()} == {KEY: 1}
    records.forget()
    assert {key: len(memo) for key, memo in records.memos.items()} == {KEY: 0}
