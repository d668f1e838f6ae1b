"""The queue of a limited metric, against a plain search for the oldest stamp."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import Kind, Metric, ValueType
from pipeline.metrics.eviction import HEAP_SLACK

LIMIT = 3
KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), KEYS, st.integers(0, 9)),
        st.tuples(st.just("write"), KEYS, st.integers(0, 9)),
        st.tuples(st.just("delete"), KEYS, st.just(0)),
    ),
    max_size=60,
)


@dataclass
class PlainMetric:
    """Stamps in order of creation; it looks at all of them."""

    stamps: dict[bytes, int] = field(default_factory=dict)

    def step(self, what: str, key: bytes, time: int) -> None:
        if what == "delete":
            self.stamps.pop(key, None)
            return
        if key not in self.stamps:
            if len(self.stamps) >= LIMIT:
                del self.stamps[min(self.stamps, key=lambda key: self.stamps[key])]
            self.stamps[key] = time
        if what == "write":
            self.stamps[key] = time


def make_limited(limit: int) -> Metric:
    return Metric("g", kind=Kind.GAUGE, value_type=ValueType.INT, label_names=("k",), limit=limit)


@given(STEPS)
def test_queue_finds_what_a_search_finds(steps: list[tuple[str, bytes, int]]) -> None:
    """Whatever is written, read and deleted, with stamps that go back and forth and tie."""
    plain = PlainMetric()
    metric = make_limited(LIMIT)
    for what, key, time in steps:
        plain.step(what, key, time)
        if what == "delete":
            metric.delete((key,))
            continue
        series = metric.data.get((key,)) or metric.new((key,), time)
        if what == "write":
            series.time = time
        assert {key[0]: series.time for key, series in metric.data.items()} == plain.stamps


def test_queue_stays_small_when_stamps_go_backward() -> None:
    """Ten thousand writes, each older than the last, to a few series that nobody creates."""
    metric = make_limited(10)
    series = [metric.new((b"%d" % number,), 0) for number in range(5)]
    for time in range(10_000):
        series[time % 5].time = -time
    assert metric.queue is not None
    assert len(metric.queue.heap) <= 2 * len(metric.data) + HEAP_SLACK


def test_queue_stays_small_when_series_come_and_go() -> None:
    """Each series is created, stamped in the past, and deleted by the program."""
    metric = make_limited(10)
    for number in range(10_000):
        metric.new((b"%d" % number,), number).time = 0
        metric.delete((b"%d" % number,))
    assert metric.queue is not None
    assert len(metric.queue.heap) <= HEAP_SLACK


def test_write_to_a_deleted_series_is_harmless() -> None:
    """Generated code may still hold it."""
    metric = make_limited(1)
    lost = metric.new((b"a",), 5)
    metric.delete((b"a",))
    metric.new((b"b",), 7)
    lost.time = 1
    metric.new((b"c",), 8)
    assert list(metric.data) == [(b"c",)]
