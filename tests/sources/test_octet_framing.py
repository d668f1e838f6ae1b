"""Framing of connections: which of the ways to send syslog over a stream a writer uses, and what its lines are then."""

from __future__ import annotations

import re
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Rest
from pipeline.sources.octet_framing import Framing, StreamFramer
from tests.sources.test_framing import LIMIT, expect, split

HEAD = re.compile(rb"([1-9][0-9]{0,6}) <")

# What heads, ends and lengths are made of, so that they meet in every way; the right ones often enough.
PIECES = st.sampled_from(
    [
        b"1",
        b"4 ",
        b"9 <",
        b"12 <13>",
        b"0",
        b" ",
        b"<",
        b"<5>",
        b"a",
        b"abcdefgh",
        b"\n",
        b"\r\n",
        b"\0",
        b"\n\0",
        b"\xff",
    ]
)
FRAMES = st.lists(PIECES).map(b"".join).map(lambda text: b"%d <%b" % (len(text) + 1, text))
STREAMS = st.lists(st.one_of(PIECES, FRAMES)).map(b"".join)


def frame(*reads: bytes, limit: int = 100) -> list[bytes]:
    framer = StreamFramer(limit)
    lines = [line for data in reads for line in split(framer.feed(data, len(data)))]
    return lines + split(framer.finish())


def unframe(data: bytes) -> bytes:
    """The rules said once more, over a whole connection: the text that it stands for."""
    if HEAD.match(data):
        return unwrap(data)
    if re.match(rb"<[^\n\0]*\0", data):
        return data.replace(b"\0", b"\n")
    return data


def unwrap(data: bytes) -> bytes:
    """Return the text of a connection that is octet-counted."""
    text = b""
    while data := data.lstrip(b"\r\n\0"):
        if head := HEAD.match(data):
            start = head.end() - 1
            size = int(head[1])
            part, data = data[start : start + size], data[start + size :]
            if len(part) == size:
                part = part.removesuffix(b"\0")
                part += b"" if part.endswith(b"\n") else b"\n"
            text += part
        else:
            line, feed, data = data.partition(b"\n")
            text += line + feed
    return text


@given(STREAMS, st.lists(st.integers(min_value=0, max_value=60)), st.booleans())
def test_any_chunking_gives_the_same_lines(data: bytes, cuts: list[int], changes_hands: bool) -> None:
    """How a stream was cut into reads never shows, nor that another run of the daemon read on."""
    framer = StreamFramer(LIMIT)
    truncated = 0
    lines: list[bytes] = []
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        lines += split(framer.feed(bytearray(data[start:end]) + b"9 <\n\0", len(data[start:end])))
        if changes_hands:
            truncated += framer.truncated
            rest, framer = framer.begun, StreamFramer(LIMIT)
            framer.resume(rest)
    lines += split(framer.finish())
    assert (lines, truncated + framer.truncated) == expect(unframe(data))


@given(
    st.lists(st.binary(max_size=20).map(lambda text: b"<" + text), min_size=1), st.integers(min_value=1, max_value=9)
)
def test_frames_may_hold_any_bytes(messages: list[bytes], size: int) -> None:
    """Each message is there as it was sent, up to its last line feed, NUL or carriage return."""
    stream = b"".join(b"%d %b" % (len(message), message) for message in messages)
    reads = [stream[start : start + size] for start in range(0, len(stream), size)]
    texts = [message.removesuffix(b"\0") for message in messages]
    ended = b"".join(text if text.endswith(b"\n") else text + b"\n" for text in texts)
    assert frame(*reads) == expect(ended, 100)[0]


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        (b"7 <13>one7 <13>two", [b"<13>one", b"<13>two"]),
        (b"8 <13>one\n8 <13>two\n", [b"<13>one", b"<13>two"]),
        (b"8 <13>one\x008 <13>two\0", [b"<13>one", b"<13>two"]),
        (b"9 <13>one\n\x009 <13>two\n\0", [b"<13>one", b"<13>two"]),
        (b"7 <13>one\n7 <13>two\n", [b"<13>one", b"<13>two"]),
        (b"7 <13>one\r\n7 <13>two\0", [b"<13>one", b"<13>two"]),
        (b"8 <1>a\nb\nc", [b"<1>a", b"b", b"c"]),
        (b"6 <1>a\n\n6 <1>b\r\n", [b"<1>a", b"", b"<1>b"]),
        (b"5 <1>a\x006 <1>\0b\0", [b"<1>a", b"<1>\0b"]),
        (b"1 <1 <", [b"<", b"<"]),
    ],
)
def test_end_of_a_frame_ends_its_line(stream: bytes, lines: list[bytes]) -> None:
    """With or without a line feed or NUL, inside the count or outside; what stands before that stays."""
    assert frame(stream) == lines
    assert frame(*(bytes([byte]) for byte in stream)) == lines


@pytest.mark.parametrize(
    "stream",
    [b"12 monkeys\n", b"200\n", b"0 <13>a\n", b"12345678 <13>a\n", b"12<13>a\n", b" 7 <13>one\n", b"12"],
)
def test_line_that_begins_with_a_number_is_no_count(stream: bytes) -> None:
    """A count is followed by a blank and the `<` of a priority, has up to seven digits, and does not begin with 0."""
    assert frame(stream) == [stream.removesuffix(b"\n")]


def test_connection_that_began_with_a_line_goes_on_with_lines() -> None:
    """What looks like a frame later is a line of the log."""
    assert frame(b"text\n7 <13>one\n") == [b"text", b"7 <13>one"]


def test_what_is_no_frame_is_a_line() -> None:
    """A writer that counts wrongly: the frame after the next line feed is whole again."""
    assert frame(b"5 <13>too long\n7 <13>one") == [b"<13>t", b"oo long", b"<13>one"]
    assert frame(b"9 <13>one\n7 <13>two\n5 <1>a") == [b"<13>one", b"7", b" <13>two", b"<1>a"]


def test_frame_that_the_end_cuts_is_delivered() -> None:
    """What has come of it, and of the count of a next one, as any line that was begun."""
    assert frame(b"7 <13>one9 <13>t") == [b"<13>one", b"<13>t"]
    assert frame(b"7 <13>one12") == [b"<13>one", b"12"]


def test_line_of_a_frame_is_cut_at_the_limit() -> None:
    """And counted; the rest of it is skipped, and the next frame is whole."""
    framer = StreamFramer(8)
    assert split(framer.feed(b"20 <13>56789012345678907 <13>one", 32)) == [b"<13>5678", b"<13>one"]
    assert framer.truncated == 1


@pytest.mark.parametrize("size", [1, 4096, 1 << 20])
def test_announced_megabytes_take_bounded_memory(size: int) -> None:
    """A count is a promise of the writer's, and costs nothing."""
    limit = 4096
    framer = StreamFramer(limit)
    total = 20_000 if size == 1 else 9_000_000 // size * size
    head = b"%d <" % (total + 1)
    framer.feed(head, len(head))
    chunk = b"x" * size
    tracemalloc.start()
    for _ in range(total // size - 1):
        framer.feed(chunk, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size + 8 * limit
    tail = b"x" * size + b"7 <13>one"
    assert split(framer.feed(tail, len(tail))) == [b"<" + b"x" * (limit - 1), b"<13>one"]
    assert framer.truncated == 1


def test_nul_ends_lines_where_it_ends_the_first() -> None:
    """glibc's syslog(3) sends so on a stream; line feeds go on ending lines."""
    assert frame(b"<13>one\0<13>t", b"wo\0<13>three\n\0") == [b"<13>one", b"<13>two", b"<13>three", b""]
    assert frame(b"<13>one\n<13>t\0wo\n") == [b"<13>one", b"<13>t\0wo"]
    assert frame(b"one\0two\n") == [b"one\0two"]


def test_new_connection_leaves_nothing_to_know() -> None:
    """One that has been heard leaves how it is framed, even between two lines."""
    framer = StreamFramer(8)
    assert framer.begun == Rest()
    framer.feed(b"a\n", 2)
    assert framer.begun == Rest(framing="lines")


def test_rest_of_an_unknown_kind_is_taken_for_a_beginning() -> None:
    """It was written by another version of ours."""
    framer = StreamFramer(8)
    framer.resume(Rest(b"7", framing="unheard of"))
    assert framer.framing is Framing.OPENING
    assert split(framer.feed(b" <13>one", 8)) == [b"<13>one"]
