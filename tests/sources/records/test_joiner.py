"""Which lines become one record, however they were cut into blocks."""

from __future__ import annotations

import re
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.record_settings import RecordSettings
from pipeline.sources.framing import LineFramer
from pipeline.sources.records.joiner import RecordJoiner
from pipeline.sources.records.rules import MATCHES_AT_ONCE
from pipeline.sources.records.sorter import make_joiner
from pipeline.telemetry import RecordCounts

START = RecordSettings(record_start="^[A-Z]")
CONTINUE = RecordSettings(record_continue=r"^\s|^$")
BOTH = RecordSettings(record_start="^Trace", record_continue=r"^\s|\w+Error")
RULES = pytest.mark.parametrize("settings", [START, CONTINUE, BOTH], ids=["start", "continue", "both"])

# Lines of each sort, some of them too long for the limits, some that are not ASCII or not even UTF-8.
LINE = st.sampled_from(
    [b"Trace", b"  at", b"\tat x", b"KeyError: 1", b"plain", b"Upper", b"", b"\xff\xfe", " é".encode(), b"x" * 9]
)
LINES = st.lists(LINE, max_size=30)
CUTS = st.lists(st.integers(min_value=0, max_value=30))


def make(settings: RecordSettings) -> RecordJoiner:
    return make_joiner(settings, RecordCounts())


def make_block(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def split(block: bytes) -> list[bytes]:
    """Return the lines of a block, each of which must be ended."""
    *lines, end = block.split(b"\n")
    assert end == b""
    return lines


def join(settings: RecordSettings, *blocks: list[bytes]) -> list[bytes]:
    """Return the records of these blocks of lines, to the end."""
    joiner = make(settings)
    records = [record for lines in blocks if lines for record in split(joiner.feed(make_block(lines), 0.0))]
    return records + split(joiner.finish())


def expect(settings: RecordSettings, lines: list[bytes]) -> list[list[bytes]]:
    """The rules said once more, line by line."""
    start = settings.record_start.encode() and re.compile(settings.record_start.encode())
    goes_on = settings.record_continue.encode() and re.compile(settings.record_continue.encode())
    records: list[list[bytes]] = []
    may_go_on = False
    for line in lines:
        is_start = bool(start and start.search(line))
        is_more = not is_start and bool(goes_on.search(line) if goes_on else True)
        if may_go_on and is_more:
            records[-1].append(line)
        else:
            records.append([line])
            may_go_on = is_start or not (start and goes_on)
    return records


@RULES
@given(lines=LINES, cuts=CUTS)
def test_any_blocks_give_the_same_records(settings: RecordSettings, lines: list[bytes], cuts: list[int]) -> None:
    """How lines were cut into blocks never shows, in the records or in what is counted."""
    joiner = make(settings)
    edges = [0, *sorted(cuts), len(lines)]
    blocks = [lines[start:end] for start, end in pairwise(edges)]
    records = [record for block in blocks if block for record in split(joiner.feed(make_block(block), 0.0))]
    open_now = len(joiner.begun)
    assert joiner.counts.begun == open_now <= 1
    records += split(joiner.finish())
    expected = expect(settings, lines)
    assert records == [b" ".join(record) for record in expected]
    counts = joiner.counts
    assert counts.joined == sum(len(record) > 1 for record in expected)
    assert counts.lines_joined == len(lines) - len(expected)
    assert (counts.begun, counts.cut, counts.timed_out) == (0, 0, 0)


@RULES
@given(data=st.binary(max_size=200), cuts=CUTS)
def test_any_bytes_however_read_give_the_same_records(settings: RecordSettings, data: bytes, cuts: list[int]) -> None:
    """Through the framer, read by read, as through one read of all. Line feeds are the only thing that goes."""
    results = []
    for edges in ([0, len(data)], [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
        framer, joiner = LineFramer(1000), make(settings)
        blocks = [framer.feed(data[start:end], end - start) for start, end in pairwise(edges)]
        blocks.append(framer.finish())
        results.append([record for block in blocks if block for record in split(joiner.feed(block, 0.0))])
        results[-1] += split(joiner.finish())
    assert results[0] == results[1]


@RULES
@given(lines=LINES, place=st.integers(min_value=0, max_value=30))
def test_another_joiner_goes_on_with_what_was_begun(settings: RecordSettings, lines: list[bytes], place: int) -> None:
    """As the next run of the daemon does."""
    first, second = make(settings), make(settings)
    records: list[bytes] = []
    for joiner, part in ((first, lines[:place]), (second, lines[place:])):
        if joiner is second:
            assert second.resume(first.spell(), 1.0) == b""
            first.forget()
        records += split(joiner.feed(make_block(part), 0.0)) if part else []
    records += split(second.finish())
    assert records == join(settings, lines)
    assert first.counts.begun == second.counts.begun == 0


def cut_record(lines: list[bytes], max_lines: int, max_bytes: int) -> tuple[bytes, bool]:
    """Return what is kept of a record, and whether anything is missing. The first line is bound by no limit here."""
    whole = b" ".join(lines)
    kept = b" ".join(lines[:max_lines])[: max(max_bytes, len(lines[0]))]
    # A blank is kept only where something stands behind it, or nothing should.
    for count, line in enumerate(lines[1:max_lines], 2):
        end = len(b" ".join(lines[:count]))
        if end - len(line) > max_bytes or (line and end - len(line) >= max_bytes):
            kept = kept[: len(b" ".join(lines[: count - 1]))]
            break
    return kept, kept != whole


@given(
    lines=LINES,
    cuts=CUTS,
    max_lines=st.integers(min_value=2, max_value=5),
    max_bytes=st.integers(min_value=1, max_value=12),
)
def test_what_is_beyond_the_limits_is_cut_off(
    lines: list[bytes], cuts: list[int], max_lines: int, max_bytes: int
) -> None:
    """A record is the beginning of the whole one; a line that stands alone is bound by another limit."""
    settings = RecordSettings(record_start="^[A-Z]", max_record_lines=max_lines, max_record_bytes=max_bytes)
    joiner = make(settings)
    edges = [0, *sorted(cuts), len(lines)]
    blocks = [lines[start:end] for start, end in pairwise(edges)]
    records = [record for block in blocks if block for record in split(joiner.feed(make_block(block), 0.0))]
    records += split(joiner.finish())
    expected = [cut_record(whole, max_lines, max_bytes) for whole in expect(settings, lines)]
    assert records == [record for record, _ in expected]
    assert joiner.counts.cut == sum(is_cut for _, is_cut in expected)


@pytest.mark.parametrize("settings", [START, RecordSettings(record_start="[A-Z]")], ids=["scanned", "searched"])
@pytest.mark.parametrize("line", [b"Boom", "Böom".encode()], ids=["ascii", "utf8"])
def test_lines_that_each_begin_a_record_pass(settings: RecordSettings, line: bytes) -> None:
    """All but the last, whichever way they are looked at."""
    joiner = make(settings)
    assert joiner.feed((line + b"\n") * 3, 0.0) == (line + b"\n") * 2
    assert joiner.feed((line + b"\n") * 3, 0.0) == (line + b"\n") * 3
    assert joiner.finish() == line + b"\n"
    assert joiner.counts.joined == 0


def test_start_alone() -> None:
    """What matches begins a record, and what came before the first is one, too."""
    lines = [b"  left over", b"  more", b"Boom", b"  at a", b"", b"Next"]
    assert join(START, lines) == [b"  left over   more", b"Boom   at a ", b"Next"]


def test_continue_alone() -> None:
    """What matches goes on."""
    assert join(CONTINUE, [b"one", b"  two", b"three", b"four", b"\tfive"]) == [b"one   two", b"three", b"four \tfive"]


def test_both() -> None:
    """What matches neither is a record by itself, and so is what would go on with it."""
    lines = [b"plain", b"  indented", b"Trace", b"  at a", b"KeyError: 1", b"plain", b"  indented"]
    assert join(BOTH, lines) == [b"plain", b"  indented", b"Trace   at a KeyError: 1", b"plain", b"  indented"]


def test_with_both_patterns_no_other_line_waits() -> None:
    """Only what may go on is held back."""
    joiner = make(BOTH)
    assert joiner.feed(b"one\ntwo\n", 0.0) == b"one\ntwo\n"
    for block in (b"no Trace\n  two\n", b"no Trace, \xff\n  two\n"):
        assert joiner.feed(block, 0.0) == block
    assert joiner.feed(b"one\nTrace\n", 0.0) == b"one\n"
    assert joiner.feed(b"two\n", 0.0) == b"Trace\ntwo\n"
    assert joiner.begun == {}


def test_what_waits_for_too_long_has_ended() -> None:
    """From its last line on it waits, and what comes later begins another."""
    joiner = make(START)
    assert joiner.feed(b"Boom\n", 10.0) == b""
    assert joiner.feed(b" at a\n", 12.0) == b""
    assert joiner.expire(11.9) == b""
    assert joiner.expire(12.0) == b"Boom  at a\n"
    assert (joiner.counts.timed_out, joiner.counts.begun) == (1, 0)
    assert joiner.feed(b" at b\n", 13.0) == b""
    assert joiner.feed(b" at c\nNext\n", 13.0) == b" at b  at c\n"


def test_separator_is_as_it_is_set() -> None:
    """Also none at all."""
    separated = RecordSettings(record_start="^[A-Z]", record_separator="#012")
    assert join(separated, [b"Boom", b"\tat a"]) == [b"Boom#012\tat a"]
    assert join(RecordSettings(record_start="^[A-Z]", record_separator=""), [b"A", b"b"]) == [b"Ab"]


def test_limit_on_lines_ends_no_record() -> None:
    """Its lines go on to be thrown away, and it is counted once; at once, as its end may never come."""
    settings = RecordSettings(record_start="^[A-Z]", max_record_lines=2)
    joiner = make(settings)
    assert joiner.feed(b"A\nb\n", 0.0) == b""
    assert joiner.feed(b"c\nd\n", 0.0) == b""
    assert (joiner.counts.cut, joiner.counts.lines_joined) == (1, 3)
    assert joiner.feed(b"E\n", 0.0) == b"A b\n"
    assert (joiner.counts.cut, joiner.counts.lines_joined) == (1, 3)


def test_endless_record_takes_bounded_memory() -> None:
    """A stranger who never begins another cannot fill our memory."""
    joiner = make(RecordSettings(record_start="^[A-Z]"))
    block = b"x" * 999 + b"\n"
    tracemalloc.start()
    try:
        for _ in range(2000):
            assert joiner.feed(block * 10, 0.0) == b""
        assert tracemalloc.get_traced_memory()[0] < 4 * 64 * 1024
    finally:
        tracemalloc.stop()
    assert len(joiner.finish()) == 64 * 1024 + 1
    assert joiner.counts.cut == 1


def test_block_of_very_many_lines_is_searched_in_pieces() -> None:
    """It may have as many lines as bytes, each of which would have a match."""
    lines = [b"A", b"", b"B"] * (MATCHES_AT_ONCE + 1)
    assert join(START, lines) == [b"A ", b"B"] * (MATCHES_AT_ONCE + 1)
    assert join(CONTINUE, lines) == [b"A ", b"B"] * (MATCHES_AT_ONCE + 1)


def test_what_is_no_record_is_not_gone_on_with() -> None:
    """Whatever the last run has left, or somebody in its place."""
    joiner = make(START)
    good = make(START)
    good.feed(b"Boom\n", 0.0)
    (spelled,) = good.spell()
    for bad in (None, 7, [None], [{"text": "?"}], [{**spelled, "text": "?"}], [{**spelled, "key": [7]}]):
        assert joiner.resume(bad, 0.0) == b""
    two_lines = [{**spelled, "text": "QQpC"}]
    assert joiner.resume(two_lines, 0.0) == b""
    assert (joiner.begun, joiner.counts.begun) == ({}, 0)
    assert joiner.resume([spelled, spelled], 0.0) == b"Boom\n"
    assert joiner.finish() == b"Boom\n"
