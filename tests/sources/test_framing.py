"""Framing: what a line is, however the bytes were cut into reads."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.framing import LineFramer, has_long_line

LIMIT = 8

# Few different bytes, so that line feeds, carriage returns and long lines meet often.
STREAMS = st.lists(st.sampled_from([b"\n", b"\r", b"a", b"\r\n", b"\xff", b"\0", b"abcdefg"])).map(b"".join)


def feed(framer: LineFramer, data: bytes) -> list[bytes]:
    """Feed all of `data`; return the lines that come."""
    return split(framer.feed(data, len(data)))


def split(block: bytes) -> list[bytes]:
    """Return the lines of a block, each of which must be ended."""
    *lines, end = block.split(b"\n")
    assert end == b""
    return lines


def frame(*reads: bytes, limit: int = LIMIT) -> list[bytes]:
    framer = LineFramer(limit)
    lines = [line for data in reads for line in feed(framer, data)]
    return lines + split(framer.finish())


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
    lines = [line for start, end in pairwise(edges) for line in feed(framer, data[start:end])]
    lines += split(framer.finish())
    assert (lines, framer.truncated) == expect(data)


@given(STREAMS, STREAMS)
def test_buffer_may_be_filled_again(first: bytes, second: bytes) -> None:
    """What was framed stays, and what stands in the buffer behind a read is not read."""
    framer = LineFramer(LIMIT)
    buffer = bytearray(max(len(first), len(second)))
    blocks = []
    for data in (first, second):
        buffer[: len(data)] = data
        blocks.append(framer.feed(buffer, len(data)))
    lines = [line for block in [*blocks, framer.finish()] for line in split(block)]
    assert (lines, framer.truncated) == expect(first + second)


@given(st.binary(), st.integers(min_value=1, max_value=5))
def test_any_bytes_pass_as_they_are(data: bytes, size: int) -> None:
    """Nothing but line feeds and the carriage returns before them is taken away."""
    reads = [data[start : start + size] for start in range(0, len(data), size)]
    assert frame(*reads, limit=1000) == expect(data, 1000)[0]


def test_line_split_over_two_reads_arrives_once() -> None:
    """A line is delivered when its line feed arrives."""
    framer = LineFramer(LIMIT)
    assert feed(framer, b"one\ntw") == [b"one"]
    assert feed(framer, b"o\nthree") == [b"two"]
    assert split(framer.finish()) == [b"three"]
    assert split(framer.finish()) == []


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
    assert feed(framer, b"12345678\n12345678\r\n") == [b"12345678", b"12345678"]
    assert feed(framer, b"12345678") == []
    assert feed(framer, b"\r") == []
    assert feed(framer, b"\n") == [b"12345678"]
    assert framer.truncated == 0


def test_over_long_line_is_cut_and_counted() -> None:
    """Its first bytes are delivered, the rest goes up to its line feed."""
    framer = LineFramer(LIMIT)
    assert feed(framer, b"before\n123456789\nafter\n1234") == [b"before", b"12345678", b"after"]
    assert framer.truncated == 1
    assert feed(framer, b"5678") + feed(framer, b"9abc") == []
    assert feed(framer, b"def\nshort\n") == [b"12345678", b"short"]
    assert framer.truncated == 2


def test_over_long_unended_line_is_cut_and_counted() -> None:
    """The end of a stream changes nothing about the limit."""
    framer = LineFramer(LIMIT)
    feed(framer, b"123456789")
    assert split(framer.finish()) == [b"12345678"]
    assert framer.truncated == 1


@pytest.mark.parametrize("size", [1, 4096, 1 << 20])
def test_endless_line_takes_bounded_memory(size: int) -> None:
    """A writer that never sends a line feed fills nothing, whatever the size of its writes."""
    limit = 4096
    framer = LineFramer(limit)
    total = 20_000 if size == 1 else 10_000_000
    tracemalloc.start()
    for _ in range(total // size):
        feed(framer, b"x" * size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size + 8 * limit
    assert feed(framer, b"\nnext\n") == [b"x" * limit, b"next"]
    assert framer.truncated == 1


@given(st.lists(st.integers(min_value=0, max_value=20)))
def test_has_long_line_misses_none(lengths: list[int]) -> None:
    """The jumps of the search find a long line wherever it is."""
    block = b"".join([b"x" * length + b"\n" for length in lengths])
    assert has_long_line(block, LIMIT) == any(length > LIMIT for length in lengths)
