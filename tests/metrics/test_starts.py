"""When a series began: what it counts came since."""

from __future__ import annotations

import pytest

from pipeline.metrics import Kind, Metric, SavedMetrics, Store, ValueType, capture_metric, write_records
from pipeline.metrics.saved import MAX_RECORD_SERIES

NOW = 1_700_000_000_000_000_000
LATER = NOW + 60 * 10**9

KINDS = [(Kind.COUNTER, ValueType.INT, False), (Kind.HISTOGRAM, ValueType.BUCKETS, False)]
NATIVE = (Kind.HISTOGRAM, ValueType.BUCKETS, True)


def make_metric(
    kind: Kind, value_type: ValueType, native: bool, *, limit: int = 0, label_names: tuple[str, ...] = ("k",)
) -> Metric:
    return Metric(
        "m",
        kind=kind,
        value_type=value_type,
        program="a.mtail",
        label_names=label_names,
        limit=limit,
        buckets=(1, 2) if kind is Kind.HISTOGRAM else (),
        native=native,
    )


def read_starts(metric: Metric) -> dict[bytes, int]:
    """Return when each series began, which is the same for whoever reads a snapshot or a view."""
    store = Store()
    store.by_name["m"] = [metric]
    (copy,), (view,) = store.snapshot().metrics, store.view().metrics
    starts = {one.labels[0] if one.labels else b"": one.start for one in copy.series}
    assert [one.start for one in view.series] == list(starts.values())
    return starts


@pytest.mark.parametrize("limit", [0, 2])
@pytest.mark.parametrize("kind", [*KINDS, NATIVE])
def test_series_begins_when_it_is_made(kind: tuple[Kind, ValueType, bool], limit: int) -> None:
    """Anew if it comes again, however it went; what is written to it later does not change that."""
    metric = make_metric(*kind, limit=limit)
    for number, name in enumerate((b"a", b"b")):
        metric.new((name,), NOW + number).time = NOW - 86400 * 10**9 + number
    assert read_starts(metric) == {b"a": NOW, b"b": NOW + 1}
    metric.expire_after((b"a",), 5)
    metric.sweep(NOW)
    metric.new((b"a",), LATER)
    assert read_starts(metric) == {b"b": NOW + 1, b"a": LATER}
    metric.delete((b"b",))
    metric.new((b"b",), LATER + 1)
    assert read_starts(metric) == {b"a": LATER, b"b": LATER + 1}


def test_series_that_was_evicted_begins_anew() -> None:
    metric = make_metric(Kind.COUNTER, ValueType.INT, native=False, limit=1)
    for time, name in ((NOW, b"a"), (NOW + 1, b"b"), (LATER, b"a")):
        metric.new((name,), time)
    assert read_starts(metric) == {b"a": LATER}


@pytest.mark.parametrize("kind", KINDS)
def test_metric_without_labels_begins_when_it_is_loaded(kind: tuple[Kind, ValueType, bool]) -> None:
    """Its stamp says that nothing was counted yet."""
    (metric,) = Store().register([make_metric(*kind, label_names=())], (), NOW)
    assert read_starts(metric) == {b"": NOW}
    assert metric.data[()].time == 0


@pytest.mark.parametrize("limit", [0, 3])
@pytest.mark.parametrize("kind", [*KINDS, NATIVE])
def test_reload_keeps_starts(kind: tuple[Kind, ValueType, bool], limit: int) -> None:
    """Of series that are moved and of those that are copied; that of a `begin` block is not the first."""
    old, new = make_metric(*kind), make_metric(*kind, limit=limit)
    for number, name in enumerate((b"a", b"b")):
        old.new((name,), NOW + number)
    for name in (b"b", b"c"):
        new.new((name,), LATER)
    (live,) = Store().register([new], [old], LATER)
    assert read_starts(live) == {b"a": NOW, b"b": NOW + 1, b"c": LATER}


@pytest.mark.parametrize("kind", KINDS)
def test_reload_keeps_the_start_of_a_metric_without_labels(kind: tuple[Kind, ValueType, bool]) -> None:
    store = Store()
    store.register([make_metric(*kind, label_names=())], (), NOW)
    (live,) = store.register([make_metric(*kind, label_names=())], (), LATER)
    assert read_starts(live) == {b"": NOW}


@pytest.mark.parametrize("kind", [*KINDS, NATIVE])
def test_starts_outlive_a_run(kind: tuple[Kind, ValueType, bool]) -> None:
    """Each that of its own series, however many records they take."""
    metric = make_metric(*kind)
    for number in range(MAX_RECORD_SERIES + 2):
        metric.new((b"%d" % number,), NOW + number)
    saved = SavedMetrics()
    for record in write_records(capture_metric(metric)):
        saved.read_record(record)
    (live,) = Store().register([make_metric(*kind)], saved.metrics, LATER)
    assert read_starts(live) == {b"%d" % number: NOW + number for number in range(MAX_RECORD_SERIES + 2)}


@pytest.mark.parametrize("kind", KINDS)
def test_start_that_was_not_saved_is_not_known(kind: tuple[Kind, ValueType, bool]) -> None:
    """By a version that kept none."""
    metric = make_metric(*kind)
    metric.new((b"a",), NOW)
    (record,) = write_records(capture_metric(metric))
    del record["starts"]
    saved = SavedMetrics()
    saved.read_record(record)
    assert read_starts(saved.metrics[0]) == {b"a": 0}
