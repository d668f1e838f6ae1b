"""Framing: what a line is, however the bytes were cut into reads."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch
from pipeline.sources.framing import LineFramer, has_long_line, join_datagrams, make_batch

LIMIT = 8

# Few different bytes, so that line feeds, carriage returns and long lines meet often.
STREAMS = st.lists(st.sampled_from([b"\n", b"\r", b"a", b"\r\n", b"\xff", b"\0", b"abcdefg"])).map(b"".join)


def frame(*reads: bytes, limit: int = LIMIT) -> list[bytes]:
    framer = LineFramer(limit)
    lines = [line for data in reads for line in framer.feed(data)]
    return lines + framer.finish()


def expect(data: bytes, limit: int = LIMIT) -> tuple[list[bytes], int]:
    """The rules said once more, without regard to reads."""
    *ended, rest = data.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in ended] + ([rest] if rest else [])
    return [line[:limit] for line in lines], sum(len(line) > limit for line in lines)


@given(STREAMS, st.lists(st.integers(min_value=0, max_value=60)))
def test_any_chunking_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    """How a stream was cut into reads never shows, in the lines or in the count of cut ones."""
    framer = LineFramer(LIMIT)
    edges = [0, *sorted(cuts), len(data)]
    lines = [line for start, end in pairwise(edges) for line in framer.feed(data[start:end])]
    lines += framer.finish()
    assert (lines, framer.truncated) == expect(data)


@given(st.binary(), st.integers(min_value=1, max_value=5))
def test_any_bytes_pass_as_they_are(data: bytes, size: int) -> None:
    """Nothing but line feeds and the carriage returns before them is taken away."""
    reads = [data[start : start + size] for start in range(0, len(data), size)]
    assert frame(*reads, limit=1000) == expect(data, 1000)[0]


def test_line_split_over_two_reads_arrives_once() -> None:
    """A line is delivered when its line feed arrives."""
    framer = LineFramer(LIMIT)
    assert framer.feed(b"one\ntw") == [b"one"]
    assert framer.feed(b"o\nthree") == [b"two"]
    assert framer.finish() == [b"three"]
    assert framer.finish() == []


def test_empty_lines_are_lines() -> None:
    """Two line feeds in a row hold an empty line; nothing after the last one is none."""
    assert frame(b"\n\na\n") == [b"", b"", b"a"]


def test_one_carriage_return_before_the_line_feed_goes() -> None:
    """Others stay, and so does that of an unended last line."""
    assert frame(b"x\r\ny\r\r\n\r\na\rb\nlast\r") == [b"x", b"y\r", b"", b"a\rb", b"last\r"]


def test_carriage_return_and_line_feed_in_two_reads() -> None:
    """The carriage return goes although its line feed came later."""
    assert frame(b"x\r", b"\ny\r\r", b"\n") == [b"x", b"y\r"]


def test_nul_and_invalid_utf8_stay() -> None:
    """There is no decoding."""
    assert frame(b"a\0b\n\xff\xfe\n") == [b"a\0b", b"\xff\xfe"]


def test_line_at_the_limit_is_whole() -> None:
    """The limit counts the bytes of the line, without its line feed or carriage return."""
    framer = LineFramer(LIMIT)
    assert framer.feed(b"12345678\n12345678\r\n") == [b"12345678", b"12345678"]
    assert framer.feed(b"12345678") == []
    assert framer.feed(b"\r") == []
    assert framer.feed(b"\n") == [b"12345678"]
    assert framer.truncated == 0


def test_over_long_line_is_cut_and_counted() -> None:
    """Its first bytes are delivered, the rest goes up to its line feed."""
    framer = LineFramer(LIMIT)
    assert framer.feed(b"before\n123456789\nafter\n1234") == [b"before", b"12345678", b"after"]
    assert framer.truncated == 1
    assert framer.feed(b"5678") + framer.feed(b"9abc") == []
    assert framer.feed(b"def\nshort\n") == [b"12345678", b"short"]
    assert framer.truncated == 2


def test_over_long_unended_line_is_cut_and_counted() -> None:
    """The end of a stream changes nothing about the limit."""
    framer = LineFramer(LIMIT)
    framer.feed(b"123456789")
    assert framer.finish() == [b"12345678"]
    assert framer.truncated == 1


@pytest.mark.parametrize("size", [1, 4096, 1 << 20])
def test_endless_line_takes_bounded_memory(size: int) -> None:
    """A writer that never sends a line feed fills nothing, whatever the size of its writes."""
    limit = 4096
    framer = LineFramer(limit)
    total = 20_000 if size == 1 else 10_000_000
    tracemalloc.start()
    for _ in range(total // size):
        framer.feed(b"x" * size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size + 8 * limit
    assert framer.feed(b"\nnext\n") == [b"x" * limit, b"next"]
    assert framer.truncated == 1


@given(st.lists(st.integers(min_value=0, max_value=20)), st.sampled_from([b"", b"\n"]))
def test_has_long_line_misses_none(lengths: list[int], end: bytes) -> None:
    """The jumps of the search find a long line wherever it is; an unended one does not count."""
    lines = [b"x" * length for length in lengths]
    data = b"\n".join(lines) + end
    ended = data.split(b"\n")[:-1]
    assert has_long_line(data, LIMIT) == any(len(line) > LIMIT for line in ended)


def test_end_of_a_datagram_ends_a_line() -> None:
    """With or without a line feed; a datagram may hold several lines, and an empty one holds none."""
    assert join_datagrams([b"a", b"b\n", b"", b"c\nd", b"\n"]) == b"a\nb\nc\nd\n\n"


def test_batch_is_ascii_when_every_line_is() -> None:
    """The part of the first line that came with an earlier read counts too."""
    framer = LineFramer(LIMIT)
    assert make_batch(framer.feed(b"a\nb\xc3"), b"a\nb\xc3", b"-") == Batch([b"a"], b"-", is_ascii=False)
    assert make_batch(framer.feed(b"c\nd\n"), b"c\nd\n", b"-") == Batch([b"b\xc3c", b"d"], b"-", is_ascii=False)
    assert make_batch(framer.feed(b"e\nf\n"), b"e\nf\n", b"-") == Batch([b"e", b"f"], b"-", is_ascii=True)
