"""What leads from a series to traces: which is kept, for how long, and what a format sees of it."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import (
    Datum,
    Exemplar,
    HistogramDatum,
    Kind,
    Metric,
    SavedMetrics,
    SeriesExemplars,
    Store,
    ValueType,
    capture_metric,
    write_records,
)
from pipeline.metrics.exemplars import MAX_CHARACTERS, Note

NOW = 1_700_000_000_000_000_000
KEY = (b"x",)


def make_counter(*, limit: int = 0, has_exemplars: bool = True, program: str = "a.mtail") -> Metric:
    return Metric(
        "c",
        kind=Kind.COUNTER,
        value_type=ValueType.INT,
        label_names=("k",),
        limit=limit,
        program=program,
        has_exemplars=has_exemplars,
    )


def make_note(trace: bytes, value: float = 1, time: int = NOW) -> Note:
    return (("trace_id",), (trace,), value, time)


def count(metric: Metric, key: tuple[bytes, ...], trace: bytes) -> None:
    """Do what a program does on a line."""
    series = metric.data.get(key) or metric.new(key, NOW)
    assert isinstance(series, Datum)
    assert isinstance(series.value, int)
    series.value += 1
    metric.keep_exemplar(series, 0, make_note(trace))


def read(metric: Metric) -> dict[tuple[bytes, ...], SeriesExemplars]:
    """Return what a format sees of a metric, which must be the same in a view."""
    store = Store()
    store.by_name["c"] = [metric]
    (copy,), (view,) = store.snapshot().metrics, store.view().metrics
    assert dict(view.exemplars) == copy.exemplars
    assert len(view.exemplars) == len(copy.exemplars)
    return dict(copy.exemplars)


def read_traces(metric: Metric) -> dict[bytes, str]:
    """Return the trace of each series of a counter that has one."""
    return {key[0]: exemplars[0].labels[0][1] for key, exemplars in read(metric).items()}


def test_counter_keeps_its_newest_exemplar() -> None:
    """One for each series; what was counted may be more than 1."""
    metric = make_counter()
    series = metric.new(KEY, NOW)
    metric.keep_exemplar(series, 0, make_note(b"a", 5, NOW))
    metric.keep_exemplar(series, 0, make_note(b"b", 7, NOW - 1))
    assert read(metric) == {KEY: {0: Exemplar((("trace_id", "b"),), 7.0, NOW - 1)}}
    assert isinstance(read(metric)[KEY][0].value, float)


def test_histogram_keeps_one_for_each_bucket() -> None:
    """The newest of each; a bucket without one has no place."""
    metric = Metric("c", kind=Kind.HISTOGRAM, value_type=ValueType.BUCKETS, buckets=(1, 2), has_exemplars=True)
    series = metric.new((), NOW)
    assert isinstance(series, HistogramDatum)
    for place, trace, value in ((0, b"a", 0.5), (2, b"b", inf), (0, b"c", -0.0)):
        metric.keep_exemplar(series, place, make_note(trace, value))
    assert read(metric) == {
        (): {0: Exemplar((("trace_id", "c"),), -0.0, NOW), 2: Exemplar((("trace_id", "b"),), inf, NOW)}
    }


def test_what_outgrew_64_bits_is_wrapped() -> None:
    """As in a series, when it is read."""
    metric = make_counter()
    metric.keep_exemplar(metric.new(KEY, NOW), 0, make_note(b"a", 1 << 63, -(1 << 63) - 1))
    assert read(metric) == {KEY: {0: Exemplar((("trace_id", "a"),), float(-(1 << 63)), (1 << 63) - 1)}}


@pytest.mark.parametrize(
    "note",
    [
        (("trace_id",), (b"",), 1, NOW),
        (("trace_id", "span_id"), (b"", b""), 1, NOW),
        (("trace_id",), (b"t",), nan, NOW),
    ],
)
def test_exemplar_that_leads_nowhere_leaves_the_one_before(note: Note) -> None:
    """Most lines of an application may have no trace: nothing is wrong with them, and nothing is counted."""
    metric = make_counter()
    count(metric, KEY, b"before")
    metric.keep_exemplar(metric.data[KEY], 0, note)
    assert (read_traces(metric), metric.exemplars_too_long) == ({b"x": "before"}, 0)


def test_label_without_value_is_left_out() -> None:
    """The others say where it came from."""
    metric = make_counter()
    metric.keep_exemplar(metric.new(KEY, NOW), 0, (("trace_id", "span_id"), (b"", b"s"), 1, NOW))
    assert read(metric)[KEY][0].labels == (("span_id", "s"),)


@pytest.mark.parametrize(
    ("values", "is_kept"),
    [
        ((b"x" * 112, b"y"), True),  # `trace_id` and `span_id` leave 113
        ((b"x" * 113, b"y"), False),
        ((b"x" * 120, b""), True),
        ((b"x" * 121, b""), False),
        (("\u00e4".encode() * 112, b"y"), True),
        (("\U0001f600".encode() * 111, b"yy"), True),
        (("\U0001f600".encode() * 112, b"yy"), False),
        ((b"\xff" * 112, b"\xfe"), True),
        ((b"\xff" * 113, b"\xfe"), False),
        ((b"x" * 65_536, b""), False),
    ],
)
def test_labels_have_128_characters_at_most(values: tuple[bytes, ...], is_kept: bool) -> None:
    """Of names and values together, as they are read: an invalid byte is a character. What is not kept is counted."""
    metric = make_counter()
    metric.keep_exemplar(metric.new(KEY, NOW), 0, (("trace_id", "span_id"), values, 1, NOW))
    assert (len(read(metric)), metric.exemplars_too_long) == (is_kept, not is_kept)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_what_is_read_is_text_within_the_limit_whatever_the_line_holds(values: list[bytes]) -> None:
    """And what is not read is counted, unless there was nothing."""
    metric = make_counter()
    names = ("a", "b", "c", "d")[: len(values)]
    metric.keep_exemplar(metric.new(KEY, NOW), 0, (names, tuple(values), 1, NOW))
    text = {name: value.decode("utf-8", "replace") for name, value in zip(names, values, strict=True) if value}
    fits = sum(map(len, [*text, *text.values()])) <= MAX_CHARACTERS
    assert read(metric) == ({KEY: {0: Exemplar(tuple(text.items()), 1.0, NOW)}} if text and fits else {})
    assert metric.exemplars_too_long == (not fits)


def test_series_that_has_had_exemplars_for_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's lines fill no more than that, and the newest are kept. What is gone is counted."""
    monkeypatch.setattr("pipeline.metrics.metric.MAX_SERIES", 3)
    metric = make_counter()
    for number in range(5):
        count(metric, (b"%d" % number,), b"t%d" % number)
    count(metric, (b"2",), b"again")
    assert read_traces(metric) == {b"2": "again", b"3": "t3", b"4": "t4"}
    assert (metric.exemplars_evicted, len(metric.data)) == (2, 5)
    metric.delete((b"3",))
    count(metric, (b"0",), b"back")
    assert (set(read_traces(metric)), metric.exemplars_evicted) == ({b"0", b"2", b"4"}, 2)


def test_metric_that_was_not_told_keeps_none() -> None:
    """So that a version of a program without exemplars has none of the version before."""
    metric = make_counter(has_exemplars=False)
    count(metric, KEY, b"a")
    assert read(metric) == {}


def test_series_that_is_not_kept_has_none() -> None:
    """Neither over the cap nor with a long label value: its exemplar would never go."""
    metric = make_counter()
    metric.cap_series(1)
    metric.cap_label_values(3)
    for name in (b"long", b"a", b"b"):
        count(metric, (name,), b"t")
    assert read_traces(metric) == {b"a": "t"}


def test_exemplar_goes_with_its_series() -> None:
    """By deletion, and for good: a series of the same labels begins without."""
    metric = make_counter()
    count(metric, KEY, b"a")
    metric.delete(KEY)
    assert read(metric) == {}
    metric.new(KEY, NOW)
    assert read(metric) == {}


def test_exemplar_goes_with_a_series_that_expires() -> None:
    """That of another stays."""
    metric = make_counter()
    count(metric, (b"a",), b"1")
    count(metric, (b"b",), b"2")
    metric.expire_after((b"a",), 5)
    metric.sweep(NOW + 6)
    assert read_traces(metric) == {b"b": "2"}


def test_exemplar_goes_with_a_series_that_makes_room() -> None:
    """There are never more than series."""
    metric = make_counter(limit=1)
    count(metric, (b"a",), b"1")
    count(metric, (b"b",), b"2")
    assert read_traces(metric) == {b"b": "2"}


@pytest.mark.parametrize("limit", [0, 1])
def test_reload_keeps_exemplars(limit: int) -> None:
    """Those of series that it keeps, whether they are moved or copied; and the count goes on."""
    old, new = make_counter(), make_counter(limit=limit)
    for name in (b"a", b"b"):
        count(old, (name,), b"t" + name)
    count(old, (b"b",), b"t" * 200)
    (live,) = Store().register([new], [old])
    live.sweep(NOW)
    assert read_traces(live) == ({b"b": "tb"} if limit else {b"a": "ta", b"b": "tb"})
    assert live.exemplars_too_long == 1


def test_reload_without_exemplars_drops_them() -> None:
    """Nobody would ever write a newer one; a later version begins anew."""
    old = make_counter()
    count(old, KEY, b"t")
    (silent,) = Store().register([make_counter(has_exemplars=False)], [old])
    (again,) = Store().register([make_counter()], [silent])
    assert (read(silent), read(again), list(again.data)) == ({}, {}, [KEY])


def test_reload_that_drops_a_series_drops_its_exemplar() -> None:
    """Under a lower bound for label values."""
    (old,) = Store().register([make_counter()])
    for name in (b"long", b"s"):
        count(old, (name,), b"t")
    (new,) = Store(max_label_value_bytes=1).register([make_counter()], [old])
    assert read_traces(new) == {b"s": "t"}


def test_exemplars_do_not_outlive_a_run() -> None:
    """They are not saved: a trace is gone before a value is. The series goes on without."""
    metric = make_counter()
    count(metric, KEY, b"t")
    saved = SavedMetrics()
    for record in write_records(capture_metric(metric)):
        assert "exemplars" not in record
        saved.read_record(record)
    (live,) = Store().register([make_counter()], saved.metrics)
    assert (read(live), list(live.data)) == ({}, [KEY])
    count(live, KEY, b"u")
    assert read_traces(live) == {b"x": "u"}


def test_snapshot_stays_and_a_view_goes_on() -> None:
    """While somebody goes through a view, lines may come."""
    store = Store()
    (metric,) = store.register([make_counter()])
    count(metric, KEY, b"before")
    (copy,), (view,) = store.snapshot().metrics, store.view().metrics
    keys = iter(view.exemplars)
    count(metric, KEY, b"after")
    count(metric, (b"y",), b"new")
    assert list(keys) == [KEY]
    assert copy.exemplars[KEY][0].labels == (("trace_id", "before"),)
    assert view.exemplars[KEY][0].labels == (("trace_id", "after"),)
    assert view.exemplars.get((b"none",)) is None
