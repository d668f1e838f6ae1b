"""The page that is kept from scrape to scrape: it is always the one that `render` makes of the same moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.formats.prometheus import FAMILIES_PER_STEP
from pipeline.formats.prometheus.blocks import STEP
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Snapshot, Store, ValueType

NOW = 1_700_000_000_000_000_000
OPTIONS = PrometheusOptions()

Key: TypeAlias = tuple[bytes, bytes]
Change: TypeAlias = tuple[str, int, Key, float]

KINDS = (Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM)
TYPES = (ValueType.INT, ValueType.FLOAT, ValueType.BUCKETS)
PROGRAMS = ("a.mtail", "%s.mtail")

# Some are equal once they are text; some mean something to a format or a template.
LABELS = (
    st.sampled_from([b"", b"a", b"ab", b"%d", b'"\n\\\0', b"\xff", b"\xfe"]),
    st.sampled_from([b"1", b"2", b"3 \xc3\xa9"]),
)
VALUES = st.integers(-3, 3) | st.sampled_from([999_999, 1_000_000, 1 << 63, 0.5, -0.0, 1e21, math.nan, math.inf])
DOINGS = st.sampled_from(["put"] * 6 + ["delete", "expire", "hide", "reload", "change"])
CHANGES = st.tuples(DOINGS, st.integers(0, len(KINDS) * len(PROGRAMS) - 1), st.tuples(*LABELS), VALUES)


def make_metric(place: int, label_names: tuple[str, ...]) -> Metric:
    """Return metric number `place`: each kind, by each program."""
    kind, program = place % len(KINDS), PROGRAMS[place // len(KINDS)]
    return Metric(
        f"m-{kind}",
        kind=KINDS[kind],
        value_type=TYPES[kind],
        program=program,
        label_names=label_names,
        source=f"{program}:{kind}",
        buckets=range(len(program)) if KINDS[kind] is Kind.HISTOGRAM else (),
    )


class World:
    """A store, and what may happen to it between two scrapes."""

    def __init__(self) -> None:
        self.store = Store()
        self.metrics: dict[int, Metric] = {}

    def apply(self, change: Change) -> None:
        doing, place, key, value = change
        metric = self.metrics.get(place) or self.load(place, ("l", "k"))
        match doing:
            case "put":
                put(metric, key, value)
            case "delete":
                metric.delete(key)
            case "expire" if key in metric.data:
                metric.expire_after(key, 1)
                self.store.sweep(NOW + 2)
            case "hide":
                metric.hidden = not metric.hidden
            case "reload":
                self.load(place, metric.label_names)
            case "change":
                self.load(place, ("k", "k") if metric.label_names == ("l", "k") else ("l", "k"))

    def load(self, place: int, label_names: tuple[str, ...]) -> Metric:
        (self.metrics[place],) = self.store.register([make_metric(place, label_names)])
        return self.metrics[place]


def put(metric: Metric, key: Key, value: float) -> None:
    """Write to a series as a program would."""
    series = metric.data.get(key) or metric.new(key, NOW)
    if isinstance(series, HistogramDatum):
        series.counts[1] += 1
        series.count += 1
        series.total += value
    else:
        series.value = value
    series.time = NOW + metric.kind.value * 1_000_000


def finish(steps: Iterator[None]) -> None:
    for _ in steps:
        pass


def scrape(page: prometheus.Page, snapshot: Snapshot, names: Sequence[str] = ()) -> bytes:
    finish(page.refresh(snapshot, names))
    return b"".join(page.write())


@pytest.mark.slow
@settings(max_examples=300)
@given(
    st.lists(st.lists(CHANGES, min_size=5, max_size=40), min_size=2, max_size=5),
    st.builds(
        PrometheusOptions,
        emit_prog_label=st.booleans(),
        emit_metric_timestamp=st.booleans(),
        constant_labels=st.sampled_from([(), (("l", "a"), ("m", "%d"))]),
    ),
    st.integers(1, 20),
    st.sampled_from([Store.view, Store.snapshot]),
)
def test_kept_page_is_the_page_of_the_moment(
    rounds: list[list[Change]],
    options: PrometheusOptions,
    block_samples: int,
    take: Callable[[Store], Snapshot],
) -> None:
    """Whatever came, went or changed since the last scrape; what was left out is the same too."""
    world = World()
    page = prometheus.Page(options, block_samples)
    for changes in rounds:
        for change in changes:
            world.apply(change)
        problems: list[str] = []
        expected = prometheus.render(world.store.snapshot(), options, problems)
        assert scrape(page, take(world.store)).decode() == expected.decode()
        assert page.problems == problems


@pytest.mark.slow
@given(st.lists(CHANGES, max_size=40), st.lists(CHANGES, max_size=20), st.integers(0, 30))
def test_abandoned_refresh_harms_nothing(before: list[Change], after: list[Change], steps: int) -> None:
    """A client that goes away ends it at any step."""
    world = World()
    page = prometheus.Page(OPTIONS, 4)
    for change in before:
        world.apply(change)
    scrape(page, world.store.view())
    for change in after:
        world.apply(change)
    finish(islice(page.refresh(world.store.view()), steps))
    problems: list[str] = []
    assert scrape(page, world.store.view()) == prometheus.render(world.store.snapshot(), OPTIONS, problems)
    assert page.problems == problems


@pytest.mark.slow
@given(st.lists(CHANGES, max_size=40), st.lists(CHANGES, max_size=20), st.sets(st.sampled_from(["m_0", "m_1", "x"])))
def test_names_select_families(before: list[Change], after: list[Change], names: set[str]) -> None:
    """Such a scrape between two whole ones changes neither."""
    world = World()
    page = prometheus.Page(OPTIONS, 4)
    for changes in (before, after):
        for change in changes:
            world.apply(change)
        selected = tuple(
            metric for metric in world.store.snapshot().metrics if not names or metric.name.replace("-", "_") in names
        )
        assert scrape(page, world.store.view(), sorted(names)) == prometheus.render(Snapshot(selected), OPTIONS)
        assert scrape(page, world.store.view()) == prometheus.render(world.store.snapshot(), OPTIONS)


def test_first_metrics_series_is_shown_even_if_it_came_last() -> None:
    """Of two programs' series with equal labels, as in a page made anew."""
    world = World()
    page = prometheus.Page(PrometheusOptions(emit_prog_label=False))
    first, second = (world.load(place, ("l", "k")) for place in (0, len(KINDS)))
    put(second, (b"a", b"1"), 2)
    assert scrape(page, world.store.view()).endswith(b" 2\n")
    put(first, (b"a", b"1"), 1)
    assert scrape(page, world.store.view()).endswith(b" 1\n")


def test_series_of_two_metrics_may_be_equal() -> None:
    """As snapshots are, which are copies: that one goes does not take the other away."""
    world = World()
    page = prometheus.Page(OPTIONS)
    for place in (0, len(KINDS)):
        put(world.load(place, ("l", "k")), (b"a", b"1"), 1)
    scrape(page, world.store.snapshot())
    world.metrics[0].delete((b"a", b"1"))
    put(world.metrics[0], (b"b", b"1"), 1)
    assert scrape(page, world.store.snapshot()) == prometheus.render(world.store.snapshot())


def make_counters(count: int) -> tuple[Store, Metric]:
    store = Store(0)
    counter = Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("k",))
    (counter,) = store.register([counter])
    for number in range(count):
        counter.new((b"%06d" % (number * 7919 % count),), NOW)
    return store, counter


def test_page_under_way_keeps_its_series_and_takes_their_values_when_they_are_written() -> None:
    """A series that goes is still there, one that comes is not yet, and another scrape changes nothing."""
    store, counter = make_counters(1000)
    page = prometheus.Page(OPTIONS)
    finish(page.refresh(store.view()))
    pieces = page.write()
    begin = [next(pieces), next(pieces)]
    for series in counter.data.values():
        assert isinstance(series, Datum)
        series.value = 5
    counter.delete((b"000999",))
    counter.new((b"0005",), NOW)
    after = scrape(page, store.view()).decode()
    assert 'c{k="0005"' in after
    assert 'c{k="000999"' not in after
    lines = b"".join([*begin, *pieces]).decode().splitlines()[2:]
    values = [line.rpartition(" ")[2] for line in lines]
    assert [line[5:11] for line in lines] == [f"{number:06}" for number in range(1000)]
    assert values == sorted(values)
    assert {*values} == {"0", "5"}


def test_histogram_is_written_at_one_moment() -> None:
    """However many its buckets: count and sum belong to them."""
    store = Store()
    histogram = Metric(
        "h",
        kind=Kind.HISTOGRAM,
        value_type=ValueType.BUCKETS,
        program="a.mtail",
        label_names=("k",),
        buckets=tuple(range(1000)),
    )
    store.register([histogram])
    histogram.new((b"x",), NOW)
    page = prometheus.Page(OPTIONS)
    finish(page.refresh(store.view()))
    series = histogram.data[(b"x",)]
    assert isinstance(series, HistogramDatum)
    counts = []
    for piece in page.write():
        counts += [line.rpartition(b" ")[2] for line in piece.splitlines() if line.startswith(b"h_")]
        series.counts[0] += 1
        series.count += 1
    assert len({*counts[:1000], counts[-1]}) == 1


@pytest.mark.parametrize("count", [10_000, 20_000])
def test_unchanged_series_cost_no_step(count: int) -> None:
    """Nor does their number: only what changed is made anew."""
    store, counter = make_counters(count)
    page = prometheus.Page(OPTIONS)
    steps = [len(list(page.refresh(store.view()))) for _ in range(2)]
    counter.delete((b"000100",))
    counter.new((b"0005",), NOW)
    steps.append(len(list(page.refresh(store.view()))))
    assert steps[0] > count // STEP
    assert steps[1] == 1
    assert steps[2] < 10


def test_kept_blocks_do_not_become_many_and_small() -> None:
    """Series may come at one end and go at the other for ever."""
    store, counter = make_counters(0)
    page = prometheus.Page(OPTIONS, 4)
    for number in range(1000):
        counter.new((b"%06d" % number,), NOW)
        counter.delete((b"%06d" % (number - 20),))
        finish(page.refresh(store.view()))
    assert len(list(page.write())) < 30
    assert b"".join(page.write()) == prometheus.render(store.snapshot())


def test_family_that_is_gone_is_forgotten() -> None:
    """With the text of its series."""
    store, counter = make_counters(10)
    page = prometheus.Page(OPTIONS)
    finish(page.refresh(store.view()))
    for key in list(counter.data):
        counter.delete(key)
    assert scrape(page, store.view(), ["other"]) == b""
    assert page.families == {}


@pytest.mark.parametrize("variant", prometheus.VARIANTS)
def test_many_small_families_are_written_in_steps(variant: prometheus.Variant) -> None:
    """However little there is to be sent, others have their turn."""
    store = Store()
    for number in range(3 * FAMILIES_PER_STEP + 1):
        metric = Metric(f"m_{number}", kind=Kind.GAUGE, value_type=ValueType.INT, program="")
        metric.new((), NOW)
        store.register([metric])
    page = prometheus.Page(OPTIONS)
    finish(page.refresh(store.view()))
    pieces = list(page.write(variant))
    assert pieces.count(b"") == 3
    first = b"".join(pieces[: pieces.index(b"")])
    assert first.count(b"m_") == b"".join(pieces).count(b"m_") * FAMILIES_PER_STEP // (3 * FAMILIES_PER_STEP + 1)


def test_series_that_are_one_to_the_format_are_taken_in_steps() -> None:
    """A stranger may name as many as a metric holds, all with bytes that are not UTF-8."""
    store = Store()
    counter = Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("k",))
    (counter,) = store.register([counter])
    count = 4 * STEP
    for number in range(count):
        counter.new((bytes([0x80 + number % 64, 0x80 + number // 64, 0xFF]),), NOW)
    page = prometheus.Page(OPTIONS)
    assert len(list(page.refresh(store.view()))) > 2 * count // STEP
    assert b"".join(page.write()).count(b"\n") == 3
    assert page.problems[0].split(" without ")[1].startswith(f"{count - 1} of its series")
