"""What loading and reloading of programs does to metrics."""

from __future__ import annotations

import pytest

from pipeline.errors import StoreConflictError
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Store, ValueType

NOW = 1_700_000_000_000_000_000


def make_metric(
    name: str,
    *label_names: str,
    kind: Kind = Kind.COUNTER,
    value_type: ValueType = ValueType.INT,
    program: str = "a.mtail",
    line: int = 1,
    limit: int = 0,
    buckets: tuple[float, ...] = (),
) -> Metric:
    return Metric(
        name,
        kind=kind,
        value_type=value_type,
        program=program,
        label_names=label_names,
        source=f"{program}:{line}:9",
        limit=limit,
        buckets=buckets,
    )


def make_histogram(*buckets: float, limit: int = 0) -> Metric:
    return make_metric("h", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, buckets=buckets, limit=limit)


def write(metric: Metric, value: int | float | bytes, *labels: bytes) -> None:
    series = metric.data.get(labels) or metric.new(labels, NOW)
    assert isinstance(series, Datum)
    series.value = value
    series.time = NOW


def read(metric: Metric) -> list[tuple[tuple[bytes, ...], object, int, int]]:
    """Return all series of numbers: labels, value, stamp, expiry."""
    return [
        (key, series.value, series.time, series.expiry)
        for key, series in metric.data.items()
        if isinstance(series, Datum)
    ]


def test_registration_makes_initial_series() -> None:
    """A scalar counter is exported before the first line."""
    store = Store()
    (metric,) = store.register([make_metric("c")])
    assert read(metric) == [((), 0, 0, 0)]
    assert list(store) == [metric]


def test_metrics_come_by_name_then_in_order_of_registration() -> None:
    """Whatever the order of names in a program."""
    store = Store()
    (later, first) = store.register([make_metric("b"), make_metric("a")])
    (second,) = store.register([make_metric("a", program="b.mtail")])
    assert list(store) == [first, second, later]


@pytest.mark.parametrize("limit", [0, 10])
def test_reload_keeps_values_of_equal_declarations(limit: int) -> None:
    """With stamp and expiry, in their order, also when the place and the limit changed."""
    store = Store()
    (old,) = store.register([make_metric("c", "k")])
    write(old, 5, b"y")
    write(old, 7, b"x")
    old.expire_after((b"x",), 60)
    (new,) = store.register([make_metric("c", "k", line=9, limit=limit)])
    assert new is not old
    assert read(new) == [((b"y",), 5, NOW, 0), ((b"x",), 7, NOW, 60)]
    assert list(store) == [new]
    assert store.next_expiry() == NOW + 61


def test_reload_replaces_what_the_new_version_has_set() -> None:
    """The initial zero, and what `begin` wrote; other series of `begin` stay."""
    store = Store()
    (old,) = store.register([make_metric("c", "k")])
    write(old, 5, b"x")
    new = make_metric("c", "k")
    write(new, 1, b"begun")
    write(new, 1, b"x")
    store.register([new])
    assert read(new) == [((b"begun",), 1, NOW, 0), ((b"x",), 5, NOW, 0)]


def test_old_series_do_not_change_with_the_new_version() -> None:
    """Lines the old version still holds count for nothing."""
    store = Store()
    (old,) = store.register([make_metric("c")])
    (new,) = store.register([make_metric("c")])
    write(old, 9)
    assert read(new) == [((), 0, 0, 0)]


@pytest.mark.parametrize("limit", [0, 10])
def test_reload_keeps_buckets(limit: int) -> None:
    """Counts, sum, and stamp of a histogram."""
    store = Store()
    (old,) = store.register([make_histogram(1, 2)])
    series = old.data[()]
    assert isinstance(series, HistogramDatum)
    series.counts[:] = [1, 2, 3]
    series.count, series.total, series.time = 6, 9.5, NOW
    (new,) = store.register([make_histogram(1, 2, limit=limit)])
    moved = new.data[()]
    assert isinstance(moved, HistogramDatum)
    assert (moved.counts, moved.count, moved.total, moved.time) == ([1, 2, 3], 6, 9.5, NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (make_metric("c"), make_metric("c", value_type=ValueType.FLOAT)),
        (make_metric("c", "k"), make_metric("c", "j")),
        (make_metric("c", "j", "k"), make_metric("c", "k", "j")),
        (make_histogram(1, 2), make_histogram(1, 2, 3)),
        (make_histogram(-1, 1, 2), make_histogram(1, 2)),
    ],
    ids=["value type", "label", "order of labels", "bounds", "lower edge"],
)
def test_reload_starts_a_changed_metric_anew(old: Metric, new: Metric) -> None:
    """The old one is not left beside it."""
    store = Store()
    store.register([old])
    old.new(tuple(b"x" for _ in old.label_names), NOW)
    old.data[tuple(b"x" for _ in old.label_names)].time = NOW
    store.register([new])
    assert list(store) == [new]
    assert all(series.time == 0 for series in new.data.values())


def test_metrics_that_are_taken_out_leave_nothing() -> None:
    """All of one program, and of no other."""
    store = Store()
    (first, second) = store.register([make_metric("c"), make_metric("d")])
    (other,) = store.register([make_metric("c", program="b.mtail")])
    assert store.take_out("a.mtail") == [first, second]
    assert list(store) == [other]
    assert store.take_out("a.mtail") == []


def test_predecessors_need_not_be_in_the_store() -> None:
    """What was taken out before, or comes from an earlier run; what is none is passed over."""
    before = make_metric("c", "k")
    write(before, 5, b"x")
    other = make_metric("c", "j")
    write(other, 6, b"x")
    (live,) = Store().register([make_metric("c", "k")], [before, other])
    assert read(live) == [((b"x",), 5, NOW, 0)]


def test_kinds_are_known_by_their_first_metric() -> None:
    """Those of programs that leave are not looked at."""
    store = Store()
    (first,) = store.register([make_metric("c")])
    (second,) = store.register([make_metric("c", program="b.mtail")])
    assert store.find_kinds() == {"c": first}
    assert store.find_kinds({"a.mtail"}) == {"c": second}
    assert store.find_kinds({"a.mtail", "b.mtail"}) == {}


def test_what_is_taken_over_keeps_the_bounds() -> None:
    """Of a metric with a limit the oldest stamps go, of one without the last series; both are counted."""
    capped, limited = make_metric("a", "k"), make_metric("b", "k")
    for metric in (capped, limited):
        for time, name in enumerate((b"x", b"y", b"z")):
            write(metric, 1, name)
            metric.data[name,].time = NOW - time
    new_capped, new_limited = Store(max_series=2).register(
        [make_metric("a", "k"), make_metric("b", "k", limit=2)], [capped, limited]
    )
    assert [key for (key,) in new_capped.data] == [b"x", b"y"]
    new_limited.sweep(NOW)
    assert [key for (key,) in new_limited.data] == [b"x", b"y"]
    assert (new_capped.overflows, new_limited.evictions) == (1, 1)


def test_reload_carries_the_counts_of_lost_series() -> None:
    """The counters of the daemon must not fall."""
    store = Store(max_series=1)
    (capped, limited) = store.register([make_metric("a", "k"), make_metric("b", "k", limit=1)])
    for name in (b"x", b"y"):
        capped.new((name,), NOW)
        limited.new((name,), NOW)
    (capped, limited) = store.register([make_metric("a", "k"), make_metric("b", "k", limit=1)])
    assert (capped.overflows, limited.evictions) == (1, 1)


def test_programs_share_a_name_but_no_series() -> None:
    """Of one kind, they may differ in type and labels."""
    store = Store()
    (first,) = store.register([make_metric("c")])
    (second,) = store.register([make_metric("c", "k", program="b.mtail", value_type=ValueType.FLOAT)])
    assert list(store) == [first, second]


def test_equal_declarations_of_a_program_share_the_last_metric() -> None:
    """Both variables update the same values (spec 12.8, case 110)."""
    store = Store()
    live = store.register([make_metric("c", line=2), make_metric("d"), make_metric("c", line=6)])
    assert live[0] is live[2]
    assert live[0].source == "a.mtail:6:9"
    assert len(list(store)) == 2


def test_unequal_declarations_of_a_program_live_side_by_side() -> None:
    """Other labels, or another type; neither variable goes into the void."""
    store = Store()
    live = store.register(
        [make_metric("c", "k"), make_metric("c", "j"), make_metric("c", "k", value_type=ValueType.FLOAT)]
    )
    assert list(store) == list(live)


def test_metrics_can_be_registered_again() -> None:
    """A metric does not become its own predecessor; shared ones stay shared."""
    metrics = Store().register([make_metric("c"), make_metric("c")])
    write(metrics[0], 3)
    store = Store()
    for _ in range(2):
        live = store.register(metrics)
    assert live == metrics
    assert list(store) == [metrics[0]]
    assert read(metrics[0]) == [((), 3, NOW, 0)]


def test_metrics_of_another_kind_are_refused() -> None:
    """The message names both places."""
    store = Store()
    store.register([make_metric("c", program="b.mtail")])
    with pytest.raises(StoreConflictError) as caught:
        store.register([make_metric("c", kind=Kind.GAUGE, line=3)])
    assert str(caught.value) == (
        "Metric `c` is a gauge at a.mtail:3:9 and a counter at b.mtail:1:9; metrics of one name must be of one kind."
    )


def test_kinds_of_one_program_must_agree() -> None:
    """Two declarations that nobody has seen before."""
    with pytest.raises(StoreConflictError) as caught:
        Store().register([make_metric("c"), make_metric("c", kind=Kind.TIMER, line=2)])
    assert str(caught.value) == (
        "Metric `c` is a timer at a.mtail:2:9 and a counter at a.mtail:1:9; metrics of one name must be of one kind."
    )


def test_refused_registration_changes_nothing() -> None:
    """Neither metrics before the conflict nor series of a predecessor move."""
    store = Store()
    (old, _) = store.register([make_metric("a"), make_metric("c")])
    write(old, 5)
    before = store.snapshot()
    with pytest.raises(StoreConflictError):
        store.register([make_metric("a", line=7), make_metric("new"), make_metric("c", kind=Kind.GAUGE)])
    assert store.snapshot() == before


def test_unregistered_metrics_are_gone() -> None:
    """Exactly these; others of the name stay."""
    store = Store()
    (first, other) = store.register([make_metric("c"), make_metric("d")])
    (second,) = store.register([make_metric("c", program="b.mtail")])
    store.unregister([first, other])
    assert list(store) == [second]
    store.unregister([first])
    assert list(store) == [second]


def test_store_caps_every_metric_without_limit() -> None:
    """0 lifts the cap."""
    (capped,) = Store(max_series=1).register([make_metric("c", "k")])
    (free,) = Store(max_series=0).register([make_metric("c", "k")])
    for name in (b"x", b"y"):
        capped.new((name,), NOW)
        free.new((name,), NOW)
    assert (len(capped.data), capped.overflows) == (1, 1)
    assert (len(free.data), free.overflows) == (2, 0)


def test_store_bounds_the_label_values_of_programs() -> None:
    """0 lifts the bound, and the daemon's own metrics have none: no stranger names their series."""
    (bounded,) = Store(max_label_value_bytes=1).register([make_metric("c", "k")])
    (free,) = Store(max_label_value_bytes=0).register([make_metric("c", "k")])
    (own,) = Store(max_series=1, max_label_value_bytes=1).register([make_metric("c", "k", program="")])
    for name in (b"xx", b"y", b"z"):
        bounded.new((name,), NOW)
        free.new((name,), NOW)
        own.new((name,), NOW)
    assert (list(bounded.data), bounded.values_too_long) == ([(b"y",), (b"z",)], 1)
    assert (len(free.data), free.values_too_long) == (3, 0)
    assert len(own.data) == 3


def test_reload_with_a_lower_bound_drops_series() -> None:
    """What is dropped is counted, and the count goes on."""
    (old,) = Store(max_label_value_bytes=2).register([make_metric("c", "k")])
    for name in (b"x", b"yy", b"zzz"):
        old.new((name,), NOW)
    (new,) = Store(max_label_value_bytes=1).register([make_metric("c", "k")], [old])
    assert (list(new.data), new.values_too_long) == ([(b"x",)], 2)


def test_sweep_goes_through_all_metrics() -> None:
    """The earliest expiry of all is the next one."""
    store = Store()
    assert store.next_expiry() is None
    metrics = store.register([make_metric("a", "k"), make_metric("b", "k"), make_metric("c", "k")])
    for metric, duration in zip(metrics[:2], (30, 20), strict=True):
        write(metric, 1, b"x")
        metric.expire_after((b"x",), duration)
    assert store.next_expiry() == NOW + 21
    store.sweep(NOW + 21)
    assert store.next_expiry() == NOW + 31
    store.sweep(NOW + 31)
    assert store.next_expiry() is None
    assert [len(metric.data) for metric in metrics] == [0, 0, 0]
