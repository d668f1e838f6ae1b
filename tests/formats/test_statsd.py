"""What is pushed to statsd: growths, and lines that stand for themselves whatever a label value holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import statsd
from pipeline.metrics import Kind, Metric, ValueType
from tests.generators.some_metrics import BEGAN, NOW, make_metric, put, put_histogram, snap


class Receiver:
    """Writes metrics, and remembers what has been sent as the pusher does."""

    def __init__(self, *, totals: bool = False, stream: bool = False) -> None:
        self.told = None if totals else statsd.Told(BEGAN)
        self.stream = stream
        self.problems: list[str] = []
        self.series = 0

    def list_pieces(self, *metrics: Metric, prefix: str = "") -> list[statsd.Piece]:
        """Return the pieces in which there is something."""
        writer = statsd.Writer(prefix, self.told, self.stream)
        pieces = [piece for piece in writer.write(snap(*metrics)) if piece.data]
        self.problems = writer.problems
        return pieces

    def push(self, *metrics: Metric, prefix: str = "") -> list[str]:
        """Return the lines of a push that goes well."""
        lines: list[str] = []
        self.series = 0
        for piece in self.list_pieces(*metrics, prefix=prefix):
            piece.note()
            self.series += piece.series
            lines += piece.data.decode().removesuffix("\n").split("\n")
        return lines


def test_counter_is_told_by_its_growth() -> None:
    """All of it at first, then what came since; not at all when nothing did."""
    metric, receiver = make_metric("hits", ("z", "a")), Receiver()
    series = put(metric, b"1", b"2", value=2**63 - 1)
    assert receiver.push(metric, prefix="site.x.") == ["site.x.a.mtail.hits.a.2.z.1:9223372036854775807|c"]
    assert receiver.series == 1
    assert receiver.push(metric) == []
    assert receiver.series == 0
    series.value = 5
    receiver.push(metric)
    series.value = 12
    assert receiver.push(metric) == ["a.mtail.hits.a.2.z.1:7|c"]


def test_counter_that_never_counted_is_not_told() -> None:
    """Statsd has no use for a growth of nothing."""
    metric = make_metric()
    put(metric, value=0)
    assert Receiver().push(metric) == []


@pytest.mark.parametrize(
    ("values", "growths"),
    [
        ([100, 30], ["100", "30"]),
        ([100, 0, 7], ["100", "7"]),
        ([3, -2, -5, 1], ["3", "-5", "-3", "6"]),
        ([2**63 - 1, -(2**63)], ["9223372036854775807", "1"]),
        ([2**63 - 1, 2**63 + 3], ["9223372036854775807", "4"]),
        ([-5, 2**63 - 1], ["-5", "9223372036854775812"]),
        ([0.5, 0.75, 0.25], ["0.5", "0.25", "0.25"]),
        ([1e300, 1e300], ["1e+300"]),
        ([2.0, math.nan, math.inf, 5.0], ["2", "3"]),
        ([-0.0, 1.5], ["1.5"]),
    ],
    ids=str,
)
def test_growth(values: Sequence[float], growths: list[str]) -> None:
    """A counter that goes down to zero or more began anew; one below zero lost something, or outgrew 64 bits."""
    metric, receiver = make_metric(), Receiver()
    series, told = put(metric), []
    for value in values:
        series.value = value
        told += receiver.push(metric)
    assert told == [f"a.mtail.m:{growth}|c" for growth in growths]


def test_what_was_not_sent_is_told_later() -> None:
    """Each line is noted when its datagram has gone."""
    metric, receiver = make_metric(labels=("id",)), Receiver()
    for number in range(100):
        put(metric, b"%d" % number, value=3)
    first, *rest = receiver.list_pieces(metric)
    first.note()
    assert rest
    again = receiver.push(metric)
    assert sorted(again) == sorted(line for piece in rest for line in piece.data.decode().split("\n"))
    assert receiver.push(metric) == []


def test_series_of_an_earlier_run_are_told_by_their_growth() -> None:
    """What was restored was told before the restart, whatever the clock was then. What comes later is told whole."""
    metric, receiver = make_metric(labels=("k",)), Receiver()
    assert receiver.told is not None
    old = put(metric, b"old", value=1000, start=BEGAN - 1)
    unknown = put(metric, b"unknown", value=2000, start=0)
    ahead = put(metric, b"ahead", value=3000, start=NOW * 2)
    receiver.told.begin(snap(metric))
    old.value, unknown.value, ahead.value = 1001, 2002, 3003
    put(metric, b"new", value=4)
    lines = ("old:1", "unknown:2", "ahead:3", "new:4")
    assert receiver.push(metric) == [f"a.mtail.m.k.{line}|c" for line in lines]


def test_gauges_of_an_earlier_run_are_told() -> None:
    """Nothing is remembered of them."""
    metric, receiver = make_metric("g", kind=Kind.GAUGE), Receiver()
    assert receiver.told is not None
    put(metric, value=7, start=1)
    receiver.told.begin(snap(metric))
    assert receiver.told.metrics == {}
    assert receiver.push(metric) == ["a.mtail.g:7|g"]


def test_restored_value_that_is_no_number_hides_nothing() -> None:
    """Nothing can have been told of it."""
    metric, receiver = make_metric(value_type=ValueType.FLOAT), Receiver()
    assert receiver.told is not None
    series = put(metric, value=math.nan, start=1)
    receiver.told.begin(snap(metric))
    series.value = 4.0
    assert receiver.push(metric) == ["a.mtail.m:4|c"]


def test_series_that_begin_after_the_clock_was_set_back_are_told_whole() -> None:
    """All metrics were known before; only those of a program that could not be loaded until now may be restored."""
    metric, late, receiver = make_metric("m", ("k",)), make_metric("late", ("k",)), Receiver()
    assert receiver.told is not None
    receiver.told.begin(snap(metric))
    put(metric, b"new", value=3, start=BEGAN - 1)
    put(late, b"restored", value=1000, start=BEGAN - 1)
    assert receiver.push(metric, late) == ["a.mtail.m.k.new:3|c"]
    put(metric, b"newer", value=4, start=BEGAN - 2)
    put(late, b"newer", value=5, start=BEGAN - 2)
    assert receiver.push(metric, late) == ["a.mtail.late.k.newer:5|c", "a.mtail.m.k.newer:4|c"]


def test_restored_series_that_a_failed_push_did_not_come_to_are_not_told() -> None:
    """Its metric is known when a push has seen all of it."""
    metric, receiver = make_metric("m", ("k",)), Receiver()
    assert receiver.told is not None
    put(metric, b"new", value=1)
    for number in range(1000):
        put(metric, b"%d" % number, value=7, start=BEGAN - 1)
    next(iter(statsd.Writer("", receiver.told).write(snap(metric))))
    assert receiver.push(metric) == ["a.mtail.m.k.new:1|c"]


def test_series_that_began_anew_is_told_whole() -> None:
    """Its name was that of a series that is gone, with a smaller value."""
    metric, receiver = make_metric(labels=("k",)), Receiver()
    put(metric, b"v", value=5)
    receiver.push(metric)
    put(metric, b"v", value=9, start=NOW + 1)
    assert receiver.push(metric) == ["a.mtail.m.k.v:9|c"]


def test_series_that_are_gone_are_forgotten() -> None:
    """So that no more is remembered than there is."""
    one, two, receiver = make_metric("one", ("k",)), make_metric("two"), Receiver()
    assert receiver.told is not None
    for value in (b"a", b"b"):
        put(one, value)
    put(two)
    receiver.push(one, two)
    del one.data[b"a",]
    receiver.push(one)
    assert [list(known) for known in receiver.told.metrics.values()] == [[(b"b",)]]


def test_series_that_are_gone_are_forgotten_by_pushes_that_fail() -> None:
    """They stop after the first piece, while others come and go."""
    metric, receiver = make_metric("m", ("k",)), Receiver()
    assert receiver.told is not None
    for number in range(10):
        metric.data.clear()
        for value in range(1000):
            put(metric, b"%d.%d" % (number, value))
        assert any(piece.data for piece in statsd.Writer("", receiver.told).write(snap(metric)))
    assert sum(map(len, receiver.told.metrics.values())) <= 2000


def test_series_that_are_gone_are_forgotten_in_steps() -> None:
    """To look at 100,000 at once would hold the lines up."""
    metric = make_metric("m", ("k",))
    for number in range(10_000):
        put(metric, b"%d" % number)
    receiver = Receiver()
    assert receiver.told is not None
    receiver.push(metric)
    del metric.data[b"0",]
    assert len(list(receiver.told.forget(snap(metric)))) == 10
    assert sum(map(len, receiver.told.metrics.values())) == 9999


def test_metric_that_moved_in_its_program_goes_on() -> None:
    """After a reload it is another object, declared elsewhere."""
    receiver = Receiver()
    before, after = make_metric(source="a.mtail:1:9-11"), make_metric(source="a.mtail:7:9-11")
    put(before, value=5)
    put(after, value=6)
    receiver.push(before)
    assert receiver.push(after) == ["a.mtail.m:1|c"]


def test_metric_that_was_hidden_for_a_while_goes_on() -> None:
    """A reload has hidden it, and another one shows it again."""
    receiver = Receiver()
    shown, hidden = make_metric(), make_metric(hidden=True)
    put(shown, value=5)
    put(hidden, value=6)
    receiver.push(shown)
    assert receiver.push(hidden) == []
    put(shown, value=7)
    assert receiver.push(shown) == ["a.mtail.m:2|c"]


def test_gauges_are_told_each_time() -> None:
    """One below zero after a zero, because a sign at its beginning means that it is added."""
    metric, receiver = make_metric("g", ("k",), Kind.GAUGE), Receiver()
    for number, value in enumerate([0.5, -0.0, -3.0, 1e300, -1e-9]):
        put(metric, b"%d" % number, value=value)
    expected = ["0:0.5", "1:0", "2:0", "2:-3", "3:1e+300", "4:0", "4:-1e-09"]
    for _ in range(2):
        assert receiver.push(metric) == [f"a.mtail.g.k.{line}|g" for line in expected]
        assert receiver.series == 5


def test_timer_is_told_when_it_was_set() -> None:
    """Also to what it was already."""
    metric, receiver = make_metric("t", kind=Kind.TIMER), Receiver()
    series = put(metric, value=0, time=0)
    assert receiver.push(metric) == []
    series.value, series.time = 20, NOW
    assert receiver.push(metric) == ["a.mtail.t:20|ms"]
    assert receiver.push(metric) == []
    series.time = NOW + 1
    assert receiver.push(metric) == ["a.mtail.t:20|ms"]


def test_histogram_is_told_by_the_growth_of_its_numbers() -> None:
    """Buckets, count and sum; those that did not change are not told."""
    metric, receiver = make_metric("h", ("k",), Kind.HISTOGRAM, buckets=(0.0, 1.0, 2.5)), Receiver()
    series = put_histogram(metric, b"a", counts=[1, 0, 2], total=-7.5)
    lines = ["bin_1:1", "bin_inf:2", "count:3"]
    assert receiver.push(metric) == [*(f"a.mtail.h.k.a.{line}|c" for line in lines), "a.mtail.h.k.a:-7.5|c"]
    series.counts[1], series.count, series.total = 1, 4, -5.0
    lines = ["bin_2_5:1", "count:1"]
    assert receiver.push(metric) == [*(f"a.mtail.h.k.a.{line}|c" for line in lines), "a.mtail.h.k.a:2.5|c"]
    series.counts[:], series.count, series.total = [2, 0, 0], 2, 0.5
    lines = ["bin_1:2", "count:2"]
    assert receiver.push(metric) == [*(f"a.mtail.h.k.a.{line}|c" for line in lines), "a.mtail.h.k.a:0.5|c"]


def test_totals_are_told_each_time() -> None:
    """As mtail does, but histograms, which it sends without a type, are gauges."""
    receiver = Receiver(totals=True)
    counter, timer = make_metric("c"), make_metric("t", kind=Kind.TIMER)
    histogram = make_metric("h", kind=Kind.HISTOGRAM, buckets=(0.0, 1.0))
    put(counter, value=7)
    put(timer, value=20)
    put_histogram(histogram, counts=[1, 2], total=-3.5)
    for _ in range(2):
        assert receiver.push(counter, timer, histogram) == [
            "a.mtail.c:7|c",
            "a.mtail.h.bin_1:1|g",
            "a.mtail.h.bin_inf:2|g",
            "a.mtail.h.count:3|g",
            "a.mtail.h:0|g",
            "a.mtail.h:-3.5|g",
            "a.mtail.t:20|ms",
        ]
        assert receiver.series == 3


@pytest.mark.parametrize("totals", [False, True])
def test_numbers_that_statsd_does_not_know_are_left_out(*, totals: bool) -> None:
    """It would call the line bad, or add up an infinity. The rest of the metric is told."""
    receiver = Receiver(totals=totals)
    counter = make_metric("c", ("k",), value_type=ValueType.FLOAT, source="a.mtail:1:1")
    gauge = make_metric("g", ("k",), Kind.GAUGE, source="a.mtail:2:1")
    timer = make_metric("t", ("k",), Kind.TIMER, source="a.mtail:3:1")
    for metric in (counter, gauge, timer):
        for number, value in enumerate([math.nan, math.inf, -math.inf, 2]):
            put(metric, b"%d" % number, value=value)
    put(timer, b"below", value=-1)
    lines = receiver.push(counter, gauge, timer)
    assert lines == ["a.mtail.c.k.3:2|c", "a.mtail.g.k.3:2|g", "a.mtail.t.k.3:2|ms"]
    assert receiver.problems == [
        f"Metric `{metric.name}` at {metric.source} has series that are not pushed to statsd, "
        "because it would misread their values."
        for metric in (counter, gauge, timer)
    ]


def test_texts_and_hidden_metrics_are_left_out() -> None:
    """Statsd keeps numbers only."""
    text, hidden = make_metric("t", kind=Kind.TEXT), make_metric("h", hidden=True)
    gauge = make_metric("g", kind=Kind.GAUGE, value_type=ValueType.STRING)
    put(text, value=b"words")
    put(gauge, value=b"words")
    put(hidden)
    receiver = Receiver()
    assert receiver.push(text, hidden, gauge) == []
    assert receiver.problems == []


def test_datagram_is_filled_and_never_overfull() -> None:
    """With line feeds between the lines, and none at the end."""
    metric = make_metric("m", ("k",))
    for number in range(1000):
        put(metric, b"%d" % number + b"x" * (number % 90))
    pieces = Receiver().list_pieces(metric)
    sizes = [len(piece.data) for piece in pieces]
    assert max(sizes) <= statsd.MAX_DATAGRAM_BYTES
    assert min(sizes[:-1]) > statsd.MAX_DATAGRAM_BYTES - 120
    assert not any(piece.data.endswith(b"\n") for piece in pieces)
    assert sum(piece.series for piece in pieces) == 1000


def test_line_that_just_fits_a_datagram_is_sent_alone() -> None:
    """One with a byte more is left out and reported; a gauge below zero needs the room of two lines."""
    receiver = Receiver()
    metric = make_metric("m", ("k",), source="a.mtail:1:1")
    rest = statsd.MAX_DATAGRAM_BYTES - len("a.mtail.m.k.:1|c")
    put(metric, b"x" * rest)
    put(metric, b"y" * (rest + 1))
    put(metric, "é".encode() * (rest // 2 + 1))
    (line,) = receiver.push(metric)
    assert len(line) == statsd.MAX_DATAGRAM_BYTES
    assert receiver.problems == [
        "Metric `m` at a.mtail:1:1 has series that are not pushed to statsd, because their names are too long for it."
    ]


def test_names_that_become_equal_are_reported() -> None:
    """Both are sent; statsd adds them up."""
    metric, receiver = make_metric("m", ("k",), source="a.mtail:1:1"), Receiver()
    for value in (b"a:b", b"a|b"):
        put(metric, value, value=2)
    assert receiver.push(metric) == ["a.mtail.m.k.a_b:2|c"] * 2
    assert receiver.push(metric) == []
    assert receiver.problems == [
        "Metric `m` at a.mtail:1:1 has series whose names in the statsd format are those of other series."
    ]


def test_metrics_of_one_name_are_told_apart() -> None:
    """Two programs have it: one's growth is not the other's."""
    metrics = [make_metric("m", program=f"{name}.mtail") for name in "ab"]
    receiver = Receiver()
    for number, metric in enumerate(metrics):
        put(metric, value=10 + number)
    assert receiver.push(*metrics) == ["a.mtail.m:10|c", "b.mtail.m:11|c"]
    assert receiver.push(*metrics) == []


@pytest.mark.parametrize(("label", "value_type"), [("j", ValueType.INT), ("k", ValueType.FLOAT)])
def test_metrics_of_one_name_in_one_program_are_told_apart(label: str, value_type: ValueType) -> None:
    """A program may export two that differ in their labels or values. They may begin at one moment."""
    metric, other, receiver = make_metric("m", ("k",)), make_metric("m", (label,), value_type=value_type), Receiver()
    for number, one in enumerate((metric, other)):
        put(one, b"v", value=5 + number)
    assert len(receiver.push(metric, other)) == 2
    assert receiver.push(metric, other) == []


def test_names_from_a_program_are_cleaned() -> None:
    """A metric may be exported under any name; a percent sign in it means nothing."""
    metric = make_metric("odd %s:name|c\n", ("a label",), program="x y.mtail")
    put(metric, b"100%")
    assert Receiver().push(metric) == ["x_y.mtail.odd_%s_name_c_.a_label.100%:1|c"]


def test_stream_has_ascii_only_and_ends_its_lines() -> None:
    """The end of U+028A would be a line feed to statsd, that of U+00FC a bar, that of U+00BA a colon."""
    metric, receiver = make_metric("ünit", ("k",)), Receiver(stream=True)
    put(metric, "\u028amade.up:9|c\u00fc\u00ba".encode())
    (piece,) = receiver.list_pieces(metric)
    assert piece.data == b"a.mtail._nit.k._made_up_9_c__:1|c\n"


@given(st.lists(st.binary(max_size=20) | st.text(max_size=20).map(str.encode), min_size=1, max_size=20), st.booleans())
def test_label_value_of_any_bytes_makes_one_line(values: list[bytes], stream: bool) -> None:
    """With one name, one number and one type, as statsd splits it."""
    metric, receiver = make_metric("m", ("k",)), Receiver(stream=stream)
    for value in values:
        put(metric, value)
    lines = [
        line
        for piece in receiver.list_pieces(metric)
        for line in piece.data.decode("ascii" if stream else "utf-8").split("\n")
        if line
    ]
    assert len(lines) == len(set(values))
    for line in lines:
        assert len(line.splitlines()) == 1
        name, number = line.split(":")
        assert number.split("|") == ["1", "c"]
        assert name.split(".")[:4] == ["a", "mtail", "m", "k"]
        assert len(name.split(".")) == 5
        assert not set(name) & set(" \t|@#;")
