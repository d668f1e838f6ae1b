"""Series that go because nothing is written to them, as an operator says for their metric."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics import Datum, Kind, Lifetimes, Metric, Store, ValueType
from pipeline.metrics.metric import SWEEP_STEP

NOW = 1_700_000_000_000_000_000


def make_metric(
    name: str = "g", *, program: str = "a.mtail", limit: int = 0, expires: bool = False, follows_clock: bool = False
) -> Metric:
    return Metric(
        name,
        kind=Kind.GAUGE,
        value_type=ValueType.INT,
        program=program,
        label_names=("k",),
        limit=limit,
        expires=expires,
        follows_clock=follows_clock,
    )


def make_living(lifetime: int = 10, *, limit: int = 0, follows_clock: bool = False) -> Metric:
    """Return a metric whose series have a lifetime."""
    metric = make_metric(limit=limit, follows_clock=follows_clock)
    return Store(lifetimes=Lifetimes((("g", lifetime),))).register([metric])[0]


def write(metric: Metric, time: int, *labels: bytes) -> None:
    """Do what a line does that sets the time, if it is another one than NOW."""
    (metric.data.get(labels) or metric.new(labels, NOW)).time = time


def names_of(metric: Metric) -> list[bytes]:
    return [key[0] for key in metric.data]


@pytest.mark.parametrize(
    ("items", "lifetime"),
    [
        ((), 0),
        ((("session_seconds", 5),), 5),
        ((("session", 5),), 0),
        ((("session_*", 5),), 5),
        ((("*", 7), ("session_seconds", 5)), 7),
        ((("logins_*", 7), ("session_seconds", 5), ("*", 3)), 5),
        ((("SESSION_*", 5),), 0),
        ((("session_[rst]econds", 5),), 5),
    ],
)
def test_first_item_that_fits_the_name_counts(items: tuple[tuple[str, int], ...], lifetime: int) -> None:
    """It may be a pattern; capital letters are others."""
    (metric,) = Store(lifetimes=Lifetimes(items)).register([make_metric("session_seconds")])
    assert metric.lifetime == lifetime


def test_metric_without_labels_has_no_lifetime() -> None:
    """Nor has one of the daemon's own."""
    scalar = Metric("g", kind=Kind.GAUGE, value_type=ValueType.INT, program="a.mtail")
    store = Store(lifetimes=Lifetimes((("*", 5),)))
    assert [metric.lifetime for metric in store.register([scalar, make_metric("own", program="")])] == [0, 0]


def test_lifetimes_are_given_in_seconds() -> None:
    assert Lifetimes.of_seconds([("a", 0.1), ("b", 86400.0)]) == Lifetimes((("a", 100_000_000), ("b", 86400 * 10**9)))


@pytest.mark.parametrize("limit", [0, 5])
def test_series_that_is_not_written_goes(limit: int) -> None:
    """Exactly as old as the lifetime is not older; a write puts it off."""
    metric = make_living(limit=limit)
    for name in (b"x", b"y"):
        write(metric, NOW, name)
    write(metric, NOW + 1, b"y")
    metric.sweep(NOW + 10)
    assert (names_of(metric), metric.expirations) == ([b"x", b"y"], 0)
    metric.sweep(NOW + 11)
    assert (names_of(metric), metric.expirations) == ([b"y"], 1)
    metric.sweep(NOW + 12)
    assert (names_of(metric), metric.expirations) == ([], 2)


def test_series_of_an_old_line_goes_at_once() -> None:
    """Also when a younger one was swept before: a stamp may go back."""
    metric = make_living()
    write(metric, NOW, b"x")
    metric.sweep(NOW)
    write(metric, NOW - 86400 * 10**9, b"x")
    metric.sweep(NOW)
    assert names_of(metric) == []


def test_stamp_of_the_future_stays() -> None:
    """Until the clock is past it; a younger one does not keep the others."""
    metric = make_living()
    write(metric, NOW + 1000, b"x")
    write(metric, NOW, b"y")
    metric.sweep(NOW + 11)
    assert names_of(metric) == [b"x"]


@pytest.mark.parametrize(("expiry", "gone"), [(5, 6), (30, 31)])
def test_expiry_of_a_program_comes_first(expiry: int, gone: int) -> None:
    """Be it shorter or longer; the rest of the metric has its lifetime."""
    metric = make_living()
    for name in (b"x", b"y"):
        write(metric, NOW, name)
    metric.expire_after((b"x",), expiry)
    left = []
    for time in range(40):
        metric.sweep(NOW + time)
        left.append(set(names_of(metric)))
    assert [time for time in range(40) if b"x" in left[time]] == [*range(gone)]
    assert [time for time in range(40) if b"y" in left[time]] == [*range(11)]
    assert metric.expirations == 2


def test_series_that_comes_again_lives_anew() -> None:
    metric = make_living()
    write(metric, NOW, b"x")
    metric.sweep(NOW + 11)
    write(metric, NOW + 11, b"x")
    metric.sweep(NOW + 12)
    assert (names_of(metric), metric.expirations) == ([b"x"], 1)


def test_what_a_program_expires_is_counted() -> None:
    """But not what it deletes."""
    metric = make_metric(expires=True)
    for name in (b"x", b"y", b"z"):
        write(metric, NOW, name)
    metric.expire_after((b"x",), 5)
    metric.delete((b"y",))
    metric.expire_after((b"z",), 0)
    metric.sweep(NOW + 6)
    assert (names_of(metric), metric.expirations) == ([], 1)


@pytest.mark.parametrize("limit", [0, 5])
def test_reload_keeps_the_count_and_not_the_lifetime(limit: int) -> None:
    """That is as it is set for the store."""
    store = Store(lifetimes=Lifetimes((("g", 10),)))
    (old,) = store.register([make_metric()])
    write(old, NOW, b"x")
    write(old, NOW + 5, b"y")
    old.sweep(NOW + 11)
    (new,) = store.register([make_metric(limit=limit)])
    assert (new.lifetime, new.expirations, names_of(new)) == (10, 1, [b"y"])


@pytest.mark.parametrize("limit", [0, 1])
def test_count_is_shown_where_something_can_expire(limit: int) -> None:
    """By the operator or the program, of this version or an earlier one."""
    assert "expirations" not in make_metric(limit=limit).list_limits()
    assert "expirations" in make_metric(limit=limit, expires=True).list_limits()
    assert "expirations" in make_living(limit=limit).list_limits()
    restored = make_metric(limit=limit)
    write(restored, NOW, b"x")
    restored.expire_after((b"x",), 5)
    for gone in (0, 1):
        assert "expirations" in restored.list_limits()
        assert restored.expirations == gone
        restored.sweep(NOW + 6)


@given(
    st.lists(st.tuples(st.sampled_from([b"0", b"1", b"x"]), st.integers(0, 8), st.booleans())),
    st.integers(1, 20),
    st.lists(st.integers(-100, 100), max_size=3),
)
def test_stamps_of_the_clock_are_not_looked_at_in_vain(
    writes: list[tuple[bytes, int, bool]], lifetime: int, older: list[int]
) -> None:
    """Sweep by sweep the same series go as if they were, whatever the stamps that a metric begins with."""
    looked, remembered = make_living(lifetime), make_living(lifetime, follows_clock=True)
    now = NOW
    for number, back in enumerate(older):
        for metric in (looked, remembered):
            write(metric, NOW + back, b"%d" % number)
    for name, later, is_swept in writes:
        now += later
        for metric in (looked, remembered):
            write(metric, now, name)
            if is_swept:
                metric.sweep(now)
        assert names_of(looked) == names_of(remembered)
        assert (remembered.next_expiry() or 0) <= (looked.next_expiry() or 0)


def test_clock_that_is_set_back_does_not_hold_up_the_sweep() -> None:
    """What was written by a clock that was years ahead says nothing about what comes then."""
    metric = make_living(follows_clock=True)
    write(metric, NOW + 10**18, b"x")
    metric.sweep(NOW + 10**18)
    for time in (0, 11):
        write(metric, NOW + time, b"%d" % time)
        metric.sweep(NOW + time)
    assert names_of(metric) == [b"x", b"11"]


def test_sweep_in_vain_looks_at_no_series() -> None:
    """Where their stamps follow the clock: one that was changed in spite of that is not seen before the time."""
    metric = make_living(follows_clock=True)
    write(metric, NOW, b"x")
    write(metric, NOW + 5, b"y")
    metric.sweep(NOW + 5)
    metric.data[b"y",].time = NOW - 100
    metric.sweep(NOW + 10)
    assert names_of(metric) == [b"x", b"y"]
    metric.sweep(NOW + 11)
    assert names_of(metric) == []


def make_expired(series: int) -> tuple[Store, Metric]:
    """Return a metric with so many series that have expired at NOW + 11, half by their program; and its store."""
    store = Store(lifetimes=Lifetimes((("g", 10),)))
    (metric,) = store.register([make_metric()])
    for number in range(series):
        write(metric, NOW, b"%d" % number)
        if number % 2:
            metric.expire_after((b"%d" % number,), 5)
    return store, metric


def test_sweep_in_steps_deletes_the_same() -> None:
    """Not too many at a time; the last step has nothing to do."""
    store, metric = make_expired(2 * SWEEP_STEP + 1)
    write(metric, NOW + 11, b"young")
    sizes = [len(metric.data) for _ in store.sweep_in_steps(NOW + 11)]
    assert sizes == [SWEEP_STEP + 2, 2, 1, 1]
    assert (names_of(metric), metric.expirations) == ([b"young"], 2 * SWEEP_STEP + 1)


def test_what_is_written_between_two_steps_stays() -> None:
    """It has never been away, and goes on with its value. What is gone by then is not counted again."""
    store, metric = make_expired(SWEEP_STEP + 4)
    steps = store.sweep_in_steps(NOW + 11)
    next(steps)
    written, deleted, again, last = names_of(metric)
    write(metric, NOW + 11, written)
    metric.delete((deleted,))
    metric.delete((again,))
    write(metric, NOW + 11, again)
    for _ in steps:
        assert names_of(metric) == [written, again]
    assert metric.expirations == SWEEP_STEP + 1
    assert last not in names_of(metric)


def test_scrape_between_two_steps_sees_nothing_that_has_expired() -> None:
    """It sweeps itself, in one step; each series is counted once."""
    store, metric = make_expired(SWEEP_STEP + 1)
    steps = store.sweep_in_steps(NOW + 11)
    next(steps)
    store.sweep(NOW + 11)
    assert names_of(metric) == []
    assert [metric.expirations for _ in steps] == [SWEEP_STEP + 1] * 2


def test_sweep_in_steps_keeps_the_limit() -> None:
    """Which is lower after a reload."""
    store = Store()
    (old,) = store.register([make_metric(limit=3)])
    for number in range(3):
        write(old, NOW + number, b"%d" % number)
    (new,) = store.register([make_metric(limit=1)])
    assert len(new.data) == 3
    assert [len(new.data) for _ in store.sweep_in_steps(NOW)] == [1]
    assert (names_of(new), new.evictions) == ([b"2"], 2)


WRITES = st.tuples(
    st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 3), st.integers(-30, 10), st.sampled_from([0, 0, 3, 40])
)
"""A series, how much later it is written than the one before, what time the line says, an expiry."""


@settings(max_examples=60)
@given(st.lists(WRITES), st.integers(1, 20), st.sampled_from([0, 3]))
def test_sweep_leaves_what_the_rule_leaves(
    writes: list[tuple[bytes, int, int, int]], lifetime: int, limit: int
) -> None:
    """Series by series: now - stamp > expiry, where that of a program comes before the lifetime."""
    metric = make_living(lifetime, limit=limit)
    now = NOW
    for name, later, back, expiry in writes:
        now += later
        write(metric, now + back, name)
        if expiry:
            metric.expire_after((name,), expiry)
        stays = {key[0]: now - one.time <= (one.expiry or lifetime) for key, one in metric.data.items()}
        soonest = metric.next_expiry()
        assert soonest is not None
        assert all(stays.values()) == (soonest > now)
        metric.sweep(now)
        assert names_of(metric) == [key for key in stays if stays[key]]


def test_next_expiry_is_that_of_the_oldest_series() -> None:
    """Whether a program or the operator lets it go."""
    metric = make_living()
    assert metric.next_expiry() is None
    write(metric, NOW + 3, b"x")
    assert metric.next_expiry() == NOW + 14
    write(metric, NOW, b"y")
    metric.expire_after((b"y",), 60)
    assert metric.next_expiry() == NOW + 14
    metric.expire_after((b"x",), 90)
    assert metric.next_expiry() == NOW + 61


def test_item_for_no_metric_is_told() -> None:
    """One that fits only what has no labels as well."""
    metrics = [
        make_metric("session_seconds"),
        Metric("logins_total", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail"),
    ]
    lifetimes = Lifetimes((("session_*", 5), ("session_second", 5), ("logins_total", 5), ("x*", 5)))
    end = "no program has a metric of that name that has labels."
    again = "Programs are looked at again at a reload."
    assert lifetimes.describe_unmatched(metrics) == [
        f"--expire does nothing for session_second: {end} Did you mean session_seconds? {again}",
        f"--expire does nothing for logins_total: {end} {again}",
        f"--expire does nothing for x*: {end} {again}",
    ]


def test_values_stay_with_their_series() -> None:
    """What is left holds what it held."""
    metric = make_living()
    for number, name in enumerate((b"x", b"y")):
        write(metric, NOW + number, name)
        series = metric.data[name,]
        assert isinstance(series, Datum)
        series.value = number
    metric.sweep(NOW + 11)
    assert {key: series.value for key, series in metric.data.items()} == {(b"y",): 1}
