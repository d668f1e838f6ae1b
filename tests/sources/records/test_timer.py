"""A record waits only so long; while none waits, nothing wakes up. The clock jumps over waits."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.record_settings import RecordSettings
from pipeline.sources.fifo import FifoSource
from pipeline.sources.records import RecordWatch
from pipeline.sources.records.timer import LATE_SHARE, expire_records
from pipeline.sources.records.way import open_way
from pipeline.sources.surroundings import Surroundings
from pipeline.telemetry import SourceCounts
from tests.sources.collector import SETTINGS, Collector, running

TIMEOUT = 4.0


def make_rule(seconds: float = TIMEOUT, **values: str) -> RecordSettings:
    return RecordSettings(record_start="^[A-Z]", record_timeout_seconds=seconds, **values)  # type: ignore[arg-type]


async def test_record_that_does_not_go_on_is_delivered(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Each line has it wait anew; it is counted."""
    path = tmp_path / "log.fifo"
    watch = RecordWatch(trio.current_time)
    source = FifoSource(path, replace(SETTINGS, records=(make_rule(),)), Surroundings(watch=watch))
    async with running(source) as collector, trio.open_nursery() as nursery:
        await nursery.start(expire_records, watch)
        with path.open("wb", buffering=0) as pipe:
            for text in (b"Boom\n", b"  at a\n", b"  at b\n"):
                pipe.write(text)
                await trio.sleep(TIMEOUT * 0.9)
                assert collector.lines == []
            await trio.sleep(TIMEOUT * (0.1 + 2 * LATE_SHARE))
            assert collector.lines == [b"Boom   at a   at b"]
            pipe.write(b"  at c\n")
            await trio.sleep(TIMEOUT * (1 + 2 * LATE_SHARE))
            assert collector.lines[1:] == [b"  at c"]
        assert source.counts.records is not None
        assert source.counts.records.timed_out == 2
        nursery.cancel_scope.cancel()


async def count_looks(watch: RecordWatch, seconds: float, texts: dict[float, bytes], *rules: RecordSettings) -> int:
    """Return how often the task reads the clock while ways, one for each rule, get these texts at these times."""
    looks = 0
    collector = Collector()
    clock = watch.read_clock

    def read_clock() -> float:
        nonlocal looks
        looks += 1
        return clock()

    ways = [
        open_way(replace(SETTINGS, records=(rule,)), SourceCounts(b"/%d" % number), collector, watch)
        for number, rule in enumerate(rules)
    ]
    async with trio.open_nursery() as nursery:
        await nursery.start(expire_records, watch)
        await wait_all_tasks_blocked()
        fed = 0
        watch.read_clock = read_clock
        for time, text in texts.items():
            await trio.sleep(time - trio.current_time())
            for way in ways:
                assert way is not None
                before = looks
                way.pass_on(way.take(text))
                fed += looks - before
        await trio.sleep(seconds - trio.current_time())
        nursery.cancel_scope.cancel()
    return looks - fed


async def test_nothing_wakes_up_while_nothing_waits(autojump_clock: MockClock) -> None:
    """Not before, and not after."""
    watch = RecordWatch(trio.current_time)
    assert await count_looks(watch, 10_000.0, {}, make_rule()) == 0
    assert watch.next_look == math.inf
    busy = await count_looks(watch, 30_000.0, {20_000.0: b"A\n"}, make_rule())
    assert 0 < busy <= 8
    assert (watch.ways, watch.next_look) == ({}, math.inf)


async def test_busy_streams_are_looked_at_now_and_then(autojump_clock: MockClock) -> None:
    """However many lines come, and from however many streams: some times in each wait."""
    watch = RecordWatch(trio.current_time)
    texts = {float(number) / 10: b"A\n" for number in range(1, 301)}
    rules = [make_rule()] * 20
    looks = await count_looks(watch, 31.0, texts, *rules)
    assert looks <= 2 * 30 / (TIMEOUT * LATE_SHARE) + 10


async def test_shorter_wait_wakes_up_for_itself(autojump_clock: MockClock) -> None:
    """Sources may have rules of their own."""
    watch = RecordWatch(trio.current_time)
    collector = Collector()
    slow, fast = (
        open_way(replace(SETTINGS, records=(make_rule(seconds),)), SourceCounts(b"/log"), collector, watch)
        for seconds in (100.0, 1.0)
    )
    assert slow is not None
    assert fast is not None
    async with trio.open_nursery() as nursery:
        await nursery.start(expire_records, watch)
        slow.take(b"Slow\n")
        await trio.sleep(10.0)
        fast.take(b"Fast\n")
        await trio.sleep(1.1)
        assert collector.lines == [b"Fast"]
        await trio.sleep(95.0)
        assert collector.lines == [b"Fast", b"Slow"]
        nursery.cancel_scope.cancel()


async def test_others_work_between_late_records(autojump_clock: MockClock) -> None:
    """Thousands of connections may have stopped in the middle of one at the same moment."""
    watch = RecordWatch(trio.current_time)
    collector = Collector()
    settings = replace(SETTINGS, records=(make_rule(),))
    for number in range(100):
        way = open_way(settings, SourceCounts(b"/%d" % number), collector, watch)
        assert way is not None
        way.take(b"Boom\n")
    delivered = {0}
    async with trio.open_nursery() as nursery:
        await nursery.start(expire_records, watch)
        await trio.sleep(TIMEOUT)
        while len(collector.lines) < 100:
            delivered.add(len(collector.lines))
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert len(delivered) > 50


async def test_record_may_wait_for_ever(autojump_clock: MockClock) -> None:
    """With a timeout of 0."""
    watch = RecordWatch(trio.current_time)
    assert await count_looks(watch, 10_000.0, {1.0: b"A\n"}, make_rule(0.0)) == 0
    assert watch.ways == {}


async def test_record_that_was_begun_before_the_start_waits_too(autojump_clock: MockClock) -> None:
    """What the last run has left."""
    watch = RecordWatch(trio.current_time)
    collector = Collector()
    settings = replace(SETTINGS, records=(make_rule(),))
    first, second = (open_way(settings, SourceCounts(b"/log"), collector, watch) for _ in range(2))
    assert first is not None
    assert second is not None
    first.take(b"Boom\n")
    second.resume(first.joiner.spell())
    first.joiner.forget()
    async with trio.open_nursery() as nursery:
        await nursery.start(expire_records, watch)
        await trio.sleep(TIMEOUT * 1.2)
        assert collector.lines == [b"Boom"]
        nursery.cancel_scope.cancel()


def test_record_waits_no_longer_than_what_was_read_tells() -> None:
    """While more has come than was read: of a stream that is never read to its end, each read is a clock."""
    now = 0.0
    watch = RecordWatch(lambda: now)
    collector = Collector()
    rule = make_rule(record_header=r"(\w): ")
    way = open_way(replace(SETTINGS, records=(rule,)), SourceCounts(b"/log"), collector, watch)
    assert way is not None
    way.has_more = lambda: True
    way.take(b"a: Boom\n")
    assert not way.expire(TIMEOUT * 10)
    now = TIMEOUT * 0.9
    way.take(b"b: Boom\n")
    assert not way.expire(TIMEOUT * 10)
    now = TIMEOUT
    way.take(b"b:  at b\n")
    assert way.expire(TIMEOUT * 10)
    assert collector.lines == [b"a: Boom"]
    assert not way.expire(TIMEOUT * 10)
    way.has_more = lambda: False
    assert way.expire(TIMEOUT * 10)
    assert collector.lines == [b"a: Boom", b"b: Boom  at b"]


@pytest.mark.parametrize(
    ("sources", "name", "joined"),
    [
        ((), "/var/log/app.log", True),
        (("/var/log/*.log",), "/var/log/app.log", True),
        (("/var/log/*.log",), "/var/log/app", False),
        (("unix:///run/a",), "unix:///run/../run/a", False),
        (("unix:///run/../run/a",), "unix:///run/a", True),
        (("-",), "/dev/stdin", True),
        (("journal://?unit=app",), "journal://?unit=app", True),
        (("file:///a.log", "/b.log"), "/a.log", True),
    ],
)
def test_rule_is_for_the_sources_that_it_names(sources: tuple[str, ...], name: str, *, joined: bool) -> None:
    """Names as in `--logs`, or patterns of them."""
    rule = RecordSettings(record_start="A", record_sources=sources)
    way = open_way(replace(SETTINGS, records=(rule,)), SourceCounts(name.encode()), Collector(), RecordWatch())
    assert (way is not None) is joined


def test_first_rule_that_names_a_source_is_for_it() -> None:
    """The others are for others; a pattern of paths is one name of all its files."""
    special = RecordSettings(record_start="B", record_sources=("/logs/[a]*.log",), record_separator="|")
    settings = replace(SETTINGS, records=(special, RecordSettings(record_start="A")))
    separators = []
    for origin, pattern in ((b"/logs/a1.log", ""), (b"/elsewhere", "/logs/[a]*.log"), (b"/logs/b.log", "/logs/*.log")):
        way = open_way(settings, SourceCounts(origin), Collector(), RecordWatch(), pattern)
        assert way is not None
        separators.append(way.joiner.rule.separator)
    assert separators == [b"|", b"|", b" "]
