"""Lines of several writers become records of each, however they mingle."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.record_settings import RecordSettings
from pipeline.sources.records.joiner import EXPIRE_BYTES, RecordJoiner
from pipeline.sources.records.sorter import make_joiner
from pipeline.telemetry import RecordCounts

HEADER = r"(\w+)\[(\d+)?\]: "
START = RecordSettings(record_start="^[A-Z]", record_header=HEADER)
BOTH = RecordSettings(record_start="^Trace", record_continue=r"^\s", record_header=HEADER)
LINES = st.lists(
    st.builds(
        bytes.__add__,
        st.sampled_from([b"a[1]: ", b"a[2]: ", b"b[]: ", b"", b"  c[1]: "]),
        st.sampled_from([b"Trace", b"  at", b"plain", b"Upper", b"", b"\xff", " é".encode()]),
    ),
    max_size=30,
)
CUTS = st.lists(st.integers(min_value=0, max_value=30))


def make(settings: RecordSettings) -> RecordJoiner:
    return make_joiner(settings, RecordCounts())


def feed(joiner: RecordJoiner, lines: list[bytes]) -> list[bytes]:
    return joiner.feed(b"".join(line + b"\n" for line in lines), 0.0).split(b"\n")[:-1]


def expect(settings: RecordSettings, lines: list[bytes]) -> list[bytes]:
    """The rules said once more: the lines of each writer alone."""
    start, goes_on = (re.compile(text.encode()) for text in (settings.record_start, settings.record_continue))
    records: list[list[bytes]] = []
    last: dict[object, list[bytes]] = {}
    for line in lines:
        header = re.match(HEADER.encode(), line)
        key, message = (header.groups(), line[header.end() :]) if header else ((), line)
        is_start = bool(start.search(message))
        if key in last and not is_start and (not settings.record_continue or goes_on.search(message)):
            last[key].append(message)
            continue
        records.append([line])
        if is_start or not settings.record_continue:
            last[key] = records[-1]
        else:
            last.pop(key, None)
    return [b" ".join(record) for record in records]


@given(lines=LINES, cuts=CUTS, settings=st.sampled_from([START, BOTH]))
def test_each_writer_has_its_own_records(lines: list[bytes], cuts: list[int], settings: RecordSettings) -> None:
    """However they mingle, and however they were cut into blocks; nothing is left over."""
    joiner = make(settings)
    edges = [0, *sorted(cuts), len(lines)]
    records = [
        record for start, end in pairwise(edges) if lines[start:end] for record in feed(joiner, lines[start:end])
    ]
    assert joiner.counts.begun == len(joiner.begun)
    records += joiner.finish().split(b"\n")[:-1]
    expected = expect(settings, lines)
    assert Counter(records) == Counter(expected)
    assert joiner.counts.lines_joined == len(lines) - len(expected)
    assert joiner.counts.begun == 0


@given(lines=LINES, place=st.integers(min_value=0, max_value=30))
def test_another_joiner_goes_on_with_all_that_was_begun(lines: list[bytes], place: int) -> None:
    """As the next run of the daemon does: whose a record is goes over too."""
    first, second = make(START), make(START)
    records = feed(first, lines[:place]) if lines[:place] else []
    assert second.resume(first.spell(), 0.0) == b""
    records += feed(second, lines[place:]) if lines[place:] else []
    records += second.finish().split(b"\n")[:-1]
    assert Counter(records) == Counter(expect(START, lines))


def test_header_stands_once() -> None:
    """What goes on loses it, and a record ends when its writer begins another."""
    joiner = make(START)
    lines = [b"a[1]: Boom", b"b[2]: Other", b"a[1]:   at x", b"no header", b"a[1]: Next"]
    assert feed(joiner, lines) == [b"a[1]: Boom   at x"]
    assert joiner.finish() == b"b[2]: Other\nno header\na[1]: Next\n"


def test_block_in_which_nothing_begins_passes() -> None:
    """As it is, also where something looks as if it might."""
    joiner = make(BOTH)
    block = b"a[1]: no Trace\nb[2]:   at x\n"
    assert joiner.feed(block, 0.0) == block
    assert joiner.begun == {}


def test_header_without_groups_tells_no_writers_apart() -> None:
    """It only says where the message begins."""
    joiner = make(RecordSettings(record_continue=r"^\s", record_header=r"<\d+>"))
    assert feed(joiner, [b"<1>one", b"<2> two", b" three", b"<4>four"]) == [b"<1>one  two  three"]


def test_header_is_looked_for_at_the_beginning() -> None:
    """Further on it is message."""
    joiner = make(START)
    assert feed(joiner, [b"a[1]: Boom", b"-a[1]: y", b"Z"]) == [b"-a[1]: y"]


def test_record_that_waits_longest_makes_room() -> None:
    """A stranger who invents hosts cannot fill our memory; it is counted."""
    joiner = make(RecordSettings(record_start="^[A-Z]", record_header=HEADER, max_open_records=2))
    assert feed(joiner, [b"a[1]: A", b"a[2]: B"]) == []
    assert feed(joiner, [b"a[1]: more"]) == []
    assert feed(joiner, [b"a[3]: C"]) == [b"a[2]: B"]
    assert feed(joiner, [b"b[%d]: D" % number for number in range(100)])[:2] == [b"a[1]: A more", b"a[3]: C"]
    assert (joiner.counts.evicted, joiner.counts.begun) == (101, 2)


def test_connections_of_a_source_share_the_limit() -> None:
    """A stranger who opens many and invents hosts in each cannot fill our memory either."""
    counts = RecordCounts()
    settings = RecordSettings(record_start="^[A-Z]", record_header=HEADER, max_open_records=3)
    first, second = (make_joiner(settings, counts) for _ in range(2))
    assert feed(first, [b"a[1]: A", b"a[2]: B"]) == []
    assert feed(second, [b"a[1]: C", b"a[2]: D"]) == [b"a[1]: C"]
    assert counts.begun == 3
    assert feed(first, [b"a[3]: E"]) == [b"a[1]: A"]
    assert feed(first, [b"a[2]: F"]) == [b"a[2]: B"]
    assert (counts.begun, counts.evicted) == (3, 2)


def test_those_that_waited_too_long_end_alone() -> None:
    """The others wait on."""
    joiner = make(START)
    joiner.feed(b"a[1]: A\nb[]: B\n", 1.0)
    joiner.feed(b"a[1]: more\n", 2.0)
    assert joiner.expire(1.5) == b"b[]: B\n"
    assert joiner.feed(b"a[1]: more\n", 3.0) == b""
    assert joiner.finish() == b"a[1]: A more more\n"


def test_those_that_waited_too_long_end_in_pieces() -> None:
    """All at once they are 64 MiB, and programs would run on that without a pause."""
    joiner = make(START)
    lines = [b"a[%d]: A" % number + b"x" * 60_000 for number in range(50)]
    assert feed(joiner, lines) == []
    pieces = []
    while piece := joiner.expire(1.0):
        pieces.append(piece)
    assert b"".join(pieces) == b"".join(line + b"\n" for line in lines)
    assert max(map(len, pieces)) < EXPIRE_BYTES + 61_000
    assert joiner.counts.timed_out == 50


def test_records_of_writers_become_one_where_headers_are_no_longer_asked_for() -> None:
    """What cannot be held any more is delivered when the rule has changed between two runs."""
    first, second = make(START), make(RecordSettings(record_start="^[A-Z]"))
    feed(first, [b"a[1]: A", b"a[2]: B"])
    assert second.resume(first.spell(), 0.0) == b"a[1]: A\n"
    assert second.finish() == b"a[2]: B\n"
    assert second.counts.begun == 0
