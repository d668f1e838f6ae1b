"""Series that become records of JSON and come back."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StateError
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Record, SavedMetrics, Store, ValueType, wrap_int64
from pipeline.metrics.saved import MAX_RECORD_SERIES, capture_metric, write_records

NOW = 1_700_000_000_000_000_000


def make_metric(
    value_type: ValueType = ValueType.INT, *label_names: str, program: str = "a.mtail", name: str = "m"
) -> Metric:
    kind = Kind.HISTOGRAM if value_type is ValueType.BUCKETS else Kind.GAUGE
    buckets = (-1.0, 0.1, 2.5) if value_type is ValueType.BUCKETS else ()
    return Metric(name, kind=kind, value_type=value_type, program=program, label_names=label_names, buckets=buckets)


def write(metric: Metric, value: int | float | bytes, *labels: bytes) -> None:
    series = metric.new(labels, NOW)
    assert isinstance(series, Datum)
    series.value = value


def write_all(*metrics: Metric) -> list[Record]:
    """Return the records of some metrics, through JSON."""
    return [json.loads(json.dumps(record)) for metric in metrics for record in write_records(capture_metric(metric))]


def read_all(records: list[Record]) -> list[Metric]:
    saved = SavedMetrics()
    for record in records:
        saved.read_record(record)
    return saved.metrics


def read_back(metric: Metric) -> Metric:
    """Return what comes of a metric that is saved; it goes on with the same metric."""
    (back,) = read_all(write_all(metric))
    assert metric.continues(back)
    return back


def show(metric: Metric) -> list[tuple[object, ...]]:
    return [(series.labels, series.value, series.time, series.expiry) for series in metric.data.values()]


@given(
    st.dictionaries(
        st.tuples(st.binary(max_size=5), st.binary(max_size=5)),
        st.tuples(st.integers(-(1 << 64), 1 << 64), st.integers(-(1 << 64), 1 << 64), st.integers(0, 1 << 62)),
        max_size=5,
    )
)
def test_whole_numbers_come_back(series: dict[tuple[bytes, bytes], tuple[int, int, int]]) -> None:
    """With labels of any bytes, stamp and expiry, in their order, as 64 bits keep them."""
    metric = make_metric(ValueType.INT, "j", "k")
    for key, (value, time, expiry) in series.items():
        write(metric, value, *key)
        metric.data[key].time = time
        if expiry:
            metric.expire_after(key, expiry)
    if not series:
        assert write_all(metric) == []
        return
    back = read_back(metric)
    expected = [(key, wrap_int64(value), wrap_int64(time), expiry) for key, (value, time, expiry) in series.items()]
    assert show(back) == expected
    assert set(back.expiring) == set(metric.expiring)


@given(st.floats(allow_nan=False), st.binary())
def test_floats_and_texts_come_back(value: float, text: bytes) -> None:
    """Every digit and every byte."""
    levels, names = make_metric(ValueType.FLOAT), make_metric(ValueType.STRING)
    write(levels, value)
    write(names, text)
    assert show(read_back(levels)) == [((), value, NOW, 0)]
    assert show(read_back(names)) == [((), text, NOW, 0)]


def test_metric_that_comes_back_says_nothing_about_bounds() -> None:
    """Those of the run that takes it up hold."""
    metric = make_metric(ValueType.INT, "k")
    for name in (b"short", b"much too long"):
        write(metric, 1, name)
    (live,) = Store(max_label_value_bytes=5).register([make_metric(ValueType.INT, "k")], [read_back(metric)])
    assert (list(live.data), live.values_too_long) == ([(b"short",)], 1)


def test_what_is_no_number_comes_back() -> None:
    """A Float may be anything that a calculation gives."""
    metric = make_metric(ValueType.FLOAT)
    write(metric, math.nan)
    (series,) = read_back(metric).data.values()
    assert isinstance(series, Datum)
    assert math.isnan(float(series.value))


def test_buckets_come_back() -> None:
    """Their counts, their sum and their bounds."""
    metric = make_metric(ValueType.BUCKETS, "k")
    series = metric.new((b"x",), NOW)
    assert isinstance(series, HistogramDatum)
    series.counts[:], series.total, series.count, series.time = [1, 2, 3], 0.1, 6, NOW
    (back,) = read_back(metric).data.values()
    assert isinstance(back, HistogramDatum)
    assert (back.counts, back.total, back.count, back.time) == ([1, 2, 3], 0.1, 6, NOW)


def test_capture_is_of_one_moment() -> None:
    """What lines do afterwards is not in it."""
    counter, sizes = make_metric(ValueType.INT, "k"), make_metric(ValueType.BUCKETS, name="sizes")
    write(counter, 5, b"x")
    observed = sizes.new((), NOW)
    captures = [capture_metric(counter), capture_metric(sizes)]
    counter.data[b"x",].time += 1
    write(counter, 6, b"y")
    counter.delete((b"x",))
    assert isinstance(observed, HistogramDatum)
    observed.counts[0] += 1
    records = [record for capture in captures for record in write_records(capture)]
    assert [record.get("values", record.get("counts")) for record in records] == [[5], [0, 0, 0]]
    assert records[0]["keys"] == [["x"]]
    assert records[0]["times"] == [NOW]


def test_many_series_are_several_records_of_one_metric() -> None:
    """No step of the writing takes long; an expiry finds its series again."""
    metric = make_metric(ValueType.INT, "k")
    for number in range(MAX_RECORD_SERIES * 2 + 1):
        write(metric, number, str(number).encode())
    metric.expire_after((b"1500",), 60)
    records = write_all(metric)
    assert [len(record["keys"]) for record in records] == [MAX_RECORD_SERIES, MAX_RECORD_SERIES, 1]
    (back,) = read_all(records)
    assert show(back) == show(metric)


def test_metrics_of_one_name_are_kept_apart() -> None:
    """Of another program, with other labels, of another type."""
    metrics = [
        make_metric(ValueType.INT),
        make_metric(ValueType.INT, program="b.mtail"),
        make_metric(ValueType.FLOAT),
        make_metric(ValueType.INT, "k"),
    ]
    for number, metric in enumerate(metrics):
        write(metric, number, *(b"x" for _ in metric.label_names))
    back = read_all(write_all(*metrics))
    assert [[theirs.continues(ours) for ours in metrics].index(True) for theirs in back] == [0, 1, 2, 3]
    assert [show(metric) for metric in back] == [show(metric) for metric in metrics]


@pytest.mark.parametrize(
    "change",
    [
        {"metric": None, "kind": None},
        {"kind": "sum"},
        {"type": "double"},
        {"labels": 5},
        {"lower": "low"},
        {"lower": 10**400},
        {"keys": [["x", "y"]]},
        {"keys": [[5]]},
        {"keys": [["x"], ["y"]]},
        {"times": [1.5]},
        {"values": ["5"]},
        {"values": []},
        {"type": "string"},
        {"expiries": [[1, 5]]},
        {"expiries": [[0, "5"]]},
        {"expiries": 5},
    ],
)
def test_record_of_something_else_is_refused(change: dict[str, object]) -> None:
    """Nothing of it is taken."""
    metric = make_metric(ValueType.INT, "k")
    write(metric, 5, b"x")
    (record,) = write_all(metric)
    saved = SavedMetrics()
    with pytest.raises(StateError, match=r"^it has a record that cannot be read$"):
        saved.read_record(record | change)
    assert saved.series_count == 0


@pytest.mark.parametrize(
    "change",
    [
        {"counts": [1, 2]},
        {"counts": [1, 2, 3, 4]},
        {"counts": ["1", "2", "3"]},
        {"totals": ["x"]},
        {"observations": [0.5]},
    ],
)
def test_record_of_other_buckets_is_refused(change: dict[str, object]) -> None:
    """The number of counts is that of the bounds and one more."""
    metric = make_metric(ValueType.BUCKETS)
    metric.new((), NOW)
    (record,) = write_all(metric)
    with pytest.raises(StateError):
        SavedMetrics().read_record(record | change)
