"""The store as an endpoint: what becomes of counters, timers and gauges, and of what can be none."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import prometheus
from pipeline.metlog.endpoints.message_metrics import MAX_NAME_CHARACTERS, MessageMetrics, name_metric
from pipeline.metlog.endpoints.store import MAX_REMEMBERED, StoreEndpoint, read_number
from pipeline.metlog_settings import TIMER_BUCKETS, StoreEndpointSettings
from pipeline.metrics import ROUTER, Datum, HistogramDatum, Kind, Lifetimes, Metric, Store, ValueType
from tests.metlog.endpoints.messages import NOW, assert_accounted, make_message

SECOND = 10**9


def make_endpoint(
    store: Store | None = None,
    *,
    prefix: str = "",
    labels: tuple[str, ...] = (),
    buckets: tuple[float, ...] = TIMER_BUCKETS,
    max_metrics: int = 1000,
    max_series: int = 100_000,
) -> StoreEndpoint:
    """Return an endpoint on a store of its own."""
    settings = StoreEndpointSettings(
        prefix=prefix, labels=labels, buckets=buckets, max_metrics=max_metrics, max_series=max_series
    )
    return StoreEndpoint("store", settings, MessageMetrics(Store() if store is None else store))


def send(endpoint: StoreEndpoint, kind: str, payload: str, now: int = NOW, logger: str = "", **fields: object) -> None:
    """Hand over one message."""
    endpoint.take([make_message(type=kind, payload=payload, logger=logger, fields=fields)], now)


def read_series(endpoint: StoreEndpoint) -> dict[tuple[str, tuple[bytes, ...]], float | tuple[int, float]]:
    """Return all series that messages have made: a number, or the count and the sum of a histogram."""
    return {
        (name, key): (one.count, one.total) if isinstance(one, HistogramDatum) else float(one.value)
        for name, metric in endpoint.metrics.metrics.items()
        for key, one in metric.data.items()
    }


def test_counter_adds_up() -> None:
    """Its metric ends in `_total`, as Prometheus has it; the logger is a label."""
    endpoint = make_endpoint()
    for payload in ("1", "1", "40"):
        send(endpoint, "counter", payload, logger="shop", name="logins")
    send(endpoint, "counter", "1", logger="blog", name="logins")
    assert read_series(endpoint) == {("logins_total", (b"shop",)): 42.0, ("logins_total", (b"blog",)): 1.0}
    assert endpoint.metrics.metrics["logins_total"].label_names == ("logger",)


@pytest.mark.parametrize(
    ("payload", "rate", "weight"),
    [("1", 1, 1), ("1", 1.0, 1), ("1", 0.1, 10), ("3", 0.1, 30), ("1", 0.3, 1 / 0.3), ("1", None, 1)],
)
def test_counter_weighs_by_its_rate(payload: str, rate: float | None, weight: float) -> None:
    """Who sends one message of ten means ten with it."""
    endpoint = make_endpoint()
    send(endpoint, "counter", payload, name="hits", rate=rate)
    assert read_series(endpoint) == {("hits_total", (b"",)): weight}


def test_timer_is_a_histogram_in_seconds() -> None:
    """It comes in milliseconds. A rate says how many there were besides, which a histogram does not tell."""
    endpoint = make_endpoint(buckets=(0.01, 0.1))
    for payload in ("5", "10", "10.5", "250"):
        send(endpoint, "timer", payload, name="query", rate=0.5)
    metric = endpoint.metrics.metrics["query_seconds"]
    (series,) = metric.data.values()
    assert isinstance(series, HistogramDatum)
    assert (series.counts, series.count) == ([2, 1, 1], 4)
    assert series.total == pytest.approx(0.2755)
    assert (metric.kind, metric.bounds, metric.unit) == (Kind.HISTOGRAM, (0.01, 0.1), "seconds")


def test_timer_counts_in_buckets_of_powers_where_these_are_wanted() -> None:
    """As the histograms of programs do."""
    endpoint = StoreEndpoint("store", StoreEndpointSettings(), MessageMetrics(Store(), native=True))
    send(endpoint, "timer", "500", name="query")
    (series,) = endpoint.metrics.metrics["query_seconds"].data.values()
    assert isinstance(series, HistogramDatum)
    assert series.native is not None
    assert sum(series.native.positive.values()) == 1


def test_gauge_holds_the_last_value() -> None:
    """It may be below 0."""
    endpoint = make_endpoint()
    for payload in ("5", "-2.5"):
        send(endpoint, "gauge", payload, name="queue")
    assert read_series(endpoint) == {("queue", (b"",)): -2.5}


def test_fields_become_labels_if_the_operator_lists_them() -> None:
    """In that order, after the logger; one that is absent is empty, and no other field makes series."""
    endpoint = make_endpoint(labels=("route", "status"))
    send(endpoint, "counter", "1", logger="shop", name="requests", status=200, route="/a", user="x")
    send(endpoint, "counter", "1", logger="shop", name="requests", status=None, user="y")
    assert endpoint.metrics.metrics["requests_total"].label_names == ("logger", "route", "status")
    assert [key for _, key in read_series(endpoint)] == [(b"shop", b"/a", b"200"), (b"shop", b"", b"")]


def test_what_the_envelope_says_of_its_sender_can_be_a_label() -> None:
    """Or gauges of two hosts would overwrite each other. A field of that name is not meant."""
    endpoint = make_endpoint(labels=("metlog_hostname", "severity", "metlog_pid"))
    for host, pid in (("a", 5), ("b", None)):
        fields = {"name": "queue", "metlog_hostname": "x"}
        message = make_message(type="gauge", payload="1", fields=fields, metlog_hostname=host, metlog_pid=pid)
        endpoint.take([message], NOW)
    assert [key for _, key in read_series(endpoint)] == [(b"", b"a", b"6", b"5"), (b"", b"b", b"6", b"")]


@pytest.mark.parametrize(
    ("kind", "name", "prefix", "full_name"),
    [
        ("counter", "logins", "", "logins_total"),
        ("counter", "logins_total", "", "logins_total"),
        ("timer", "a.b-c d", "", "a_b_c_d_seconds"),
        ("timer", "wait_seconds", "", "wait_seconds"),
        ("gauge", "größe:1", "", "gr__e_1"),
        ("gauge", "5xx", "", "_5xx"),
        ("gauge", "5xx", "app_", "app_5xx"),
        ("gauge", "x" * MAX_NAME_CHARACTERS, "", "x" * MAX_NAME_CHARACTERS),
        ("gauge", "x" * (MAX_NAME_CHARACTERS + 1), "", None),
        ("gauge", "…", "app_", None),
        ("gauge", "", "", None),
        ("counter", "total", "", "total_total"),
        ("counter", "_total", "", None),
        ("counter", "_total", "app", "app_total"),
        ("timer", "_seconds", "", None),
        ("gauge", "_total", "", "_total"),
    ],
)
def test_name_becomes_one_that_prometheus_takes(kind: str, name: str, prefix: str, full_name: str | None) -> None:
    """A name that nothing would be left of is none."""
    assert name_metric(kind, name, prefix) == full_name


@pytest.mark.parametrize(
    ("kind", "payload", "fields", "reason"),
    [
        ("oldstyle", "1", {"name": "x"}, "type"),
        ("counter", "1", {}, "name"),
        ("counter", "1", {"name": 5}, "name"),
        ("counter", "1", {"name": ["x"]}, "name"),
        ("counter", "1", {"name": "\u0000"}, "name"),
        ("counter", "", {"name": "x"}, "payload"),
        ("counter", "one", {"name": "x"}, "payload"),
        ("counter", "-1", {"name": "x"}, "payload"),
        ("counter", "nan", {"name": "x"}, "payload"),
        ("counter", "1e16", {"name": "x"}, "payload"),
        ("counter", "9" * 5000, {"name": "x"}, "payload"),
        ("counter", "1_0", {"name": "x"}, "payload"),
        ("counter", "\u0661", {"name": "x"}, "payload"),
        ("counter", "1", {"name": "x", "rate": 0}, "rate"),
        ("counter", "1", {"name": "x", "rate": -0.5}, "rate"),
        ("counter", "1", {"name": "x", "rate": 2}, "rate"),
        ("counter", "1", {"name": "x", "rate": 1e-300}, "rate"),
        ("counter", "1", {"name": "x", "rate": "0.5"}, "rate"),
        ("counter", "1", {"name": "x", "rate": False}, "rate"),
        ("timer", "-5", {"name": "x"}, "payload"),
        ("timer", "Infinity", {"name": "x"}, "payload"),
        ("timer", "1e300", {"name": "x"}, "payload"),
        ("gauge", "1e999", {"name": "x"}, "payload"),
    ],
)
def test_message_that_is_no_measurement_is_refused(
    kind: str, payload: str, fields: dict[str, object], reason: str
) -> None:
    """With the reason, and without a series."""
    endpoint = make_endpoint()
    endpoint.take([make_message(type=kind, payload=payload, fields=fields)], NOW)
    assert read_series(endpoint) == {}
    assert {name: count for name, count in endpoint.counts.refusals.items() if count} == {reason: 1}
    assert (endpoint.counts.taken, endpoint.counts.refused) == (1, 1)


def test_refusals_are_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """The first one at once; a message may hold anything, and so what is told of it is cut and printable."""
    endpoint = make_endpoint()
    with caplog.at_level(logging.WARNING):
        send(endpoint, "gauge", "", logger="shop\n", name="x" * 300)
        for _ in range(3):
            send(endpoint, "gauge", "", name="y")
        send(endpoint, "oldstyle", "", now=NOW + 61 * SECOND)
    assert [record.getMessage() for record in caplog.records] == [
        f"Metlog endpoint store refuses a message of type gauge and name {'x' * 100} from shop\ufffd: "
        "its fields have no name that a metric can have.",
        "Metlog endpoint store refuses a message of type oldstyle and name  from nobody: it is no counter, timer or "
        "gauge. 3 others were since the last report.",
    ]


# Names that others have --------------------------------------------------------------------------


def register(store: Store, name: str, kind: Kind = Kind.GAUGE, *, hidden: bool = False) -> Metric:
    """Have a program declare a metric."""
    value_type = ValueType.BUCKETS if kind is Kind.HISTOGRAM else ValueType.INT
    metric = Metric(name, kind=kind, value_type=value_type, program="a.mtail", hidden=hidden, buckets=(0, 1))
    store.register([metric])
    return metric


@pytest.mark.parametrize(
    ("name", "kind", "message_kind"),
    [
        ("x", Kind.GAUGE, "gauge"),
        ("x", Kind.COUNTER, "gauge"),
        ("x", Kind.TEXT, "gauge"),
        ("x_total", Kind.COUNTER, "gauge"),
        ("x_total", Kind.GAUGE, "counter"),
        ("x_seconds_sum", Kind.COUNTER, "timer"),
        ("x_seconds", Kind.HISTOGRAM, "timer"),
        ("syslog_pipeline_x", Kind.GAUGE, "own"),
    ],
)
def test_metrics_of_programs_keep_their_names(name: str, kind: Kind, message_kind: str) -> None:
    """Nor does a message make samples that would push one of them off the page."""
    store = Store()
    register(store, name, kind)
    endpoint = make_endpoint(store, prefix="syslog_pipeline_" if message_kind == "own" else "")
    send(endpoint, "gauge" if message_kind == "own" else message_kind, "1", name="x")
    assert read_series(endpoint) == {}
    assert endpoint.counts.refusals["name_taken"] == 1


@pytest.mark.parametrize(("kind", "name"), [("gauge", "up"), ("timer", "scrape_duration"), ("gauge", "ALERTS")])
def test_what_prometheus_says_itself_is_not_for_strangers(kind: str, name: str) -> None:
    """Who sends that the daemon is not up, would set off an alert. With a prefix it means something else."""
    endpoint = make_endpoint()
    send(endpoint, kind, "0", name=name)
    assert read_series(endpoint) == {}
    assert endpoint.counts.refusals["name_taken"] == 1
    endpoint = make_endpoint(prefix="app_")
    send(endpoint, kind, "0", name=name)
    assert endpoint.counts.delivered == 1


def test_name_that_a_program_hides_is_free() -> None:
    """Nobody sees it."""
    store = Store()
    register(store, "x", hidden=True)
    endpoint = make_endpoint(store)
    send(endpoint, "gauge", "1", name="x")
    assert read_series(endpoint) == {("x", (b"",)): 1.0}


def test_program_that_comes_later_takes_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """The metric of messages is hidden from then on, and back with its values when the program has gone."""
    store = Store()
    endpoint = make_endpoint(store)
    send(endpoint, "counter", "5", name="x")
    theirs = register(store, "x_total", Kind.GAUGE)
    theirs.new((), NOW)
    endpoint.metrics.refresh()
    send(endpoint, "counter", "1", name="x")
    assert endpoint.counts.refusals["name_taken"] == 1
    assert render(store).splitlines()[2:] == ['x_total{prog="a.mtail"} 0']
    store.unregister([theirs])
    endpoint.metrics.refresh()
    send(endpoint, "counter", "1", name="x")
    assert render(store).splitlines()[2:] == ['x_total{logger="",prog="metlog"} 6']


def render(store: Store) -> str:
    """Return the page of the metrics."""
    return prometheus.render(store.snapshot()).decode()


def test_metric_is_of_one_kind_and_has_one_set_of_labels() -> None:
    """Two stores share what they make if it is the same, and else the first has it."""
    metrics = MessageMetrics(Store())
    plain = StoreEndpoint("a", StoreEndpointSettings(), metrics)
    same = StoreEndpoint("b", StoreEndpointSettings(), metrics)
    labelled = StoreEndpoint("c", StoreEndpointSettings(labels=("x",)), metrics)
    for endpoint in (plain, same, labelled):
        send(endpoint, "counter", "1", name="n")
    send(plain, "gauge", "1", name="n_total")
    send(plain, "gauge", "1", name="t_seconds_count")
    send(plain, "timer", "1", name="t")
    assert read_series(plain) == {("n_total", (b"",)): 2.0, ("t_seconds_count", (b"",)): 1.0}
    assert [one.counts.refusals["name_taken"] for one in (plain, same, labelled)] == [2, 0, 1]


# Limits ------------------------------------------------------------------------------------------


def test_number_of_metrics_is_limited() -> None:
    """A metric whose series have all expired makes room."""
    store = Store(lifetimes=Lifetimes.of_seconds([("a_*", 10.0)]))
    endpoint = make_endpoint(store, max_metrics=2)
    for name in ("a_1", "b_1", "c_1", "b_1"):
        send(endpoint, "gauge", "1", name=name)
    assert [*endpoint.metrics.metrics] == ["a_1", "b_1"]
    assert endpoint.counts.refusals["too_many_metrics"] == 1
    store.sweep(NOW + 11 * SECOND)
    batch = [make_message(type="gauge", payload="1", fields={"name": name}) for name in ("b_1", "c_1", "a_1", "b_1")]
    endpoint.take(batch, NOW + 11 * SECOND)
    assert [*endpoint.metrics.metrics] == ["b_1", "c_1"]
    assert [metric.name for metric in store] == ["b_1", "c_1"]
    assert endpoint.counts.refusals["too_many_metrics"] == 2


def test_metric_that_made_room_is_made_again() -> None:
    """What counted in it before does not go on doing so where nobody sees it."""
    store = Store(lifetimes=Lifetimes.of_seconds([("a_*", 10.0)]))
    endpoint = make_endpoint(store, max_metrics=2)
    for name in ("a_1", "b_1"):
        send(endpoint, "counter", "1", name=name)
    store.sweep(NOW + 11 * SECOND)
    batch = [make_message(type="counter", payload="1", fields={"name": name}) for name in ("c_1", "a_1", "c_1")]
    endpoint.take(batch, NOW + 11 * SECOND)
    assert read_series(endpoint) == {("b_1_total", (b"",)): 1.0, ("c_1_total", (b"",)): 2.0}
    assert endpoint.counts.refusals["too_many_metrics"] == 1
    store.unregister([endpoint.metrics.metrics["b_1_total"]])
    endpoint.metrics.metrics["b_1_total"].data.clear()
    endpoint.take([batch[1]], NOW + 30 * SECOND)
    assert read_series(endpoint) == {("c_1_total", (b"",)): 2.0, ("a_1_total", (b"",)): 1.0}


def test_room_is_looked_for_once_a_second() -> None:
    """A stranger with many names does not keep the daemon busy."""
    endpoint = make_endpoint(max_metrics=1)
    send(endpoint, "gauge", "1", name="a")
    looks = []
    endpoint.metrics.forget_empty = lambda: looks.append(1)  # type: ignore[method-assign] # it is counted
    for number in range(100):
        send(endpoint, "gauge", "1", name=f"b{number}")
    send(endpoint, "gauge", "1", now=NOW + SECOND, name="c")
    assert len(looks) == 2


def test_each_store_has_room_of_its_own() -> None:
    """An application with many names takes none from the loggers of another store."""
    metrics = MessageMetrics(Store())
    first = StoreEndpoint("a", StoreEndpointSettings(prefix="a_", max_metrics=2), metrics)
    second = StoreEndpoint("b", StoreEndpointSettings(prefix="b_", max_metrics=1), metrics)
    for number in range(3):
        send(first, "gauge", "1", name=f"n{number}")
        send(second, "gauge", "1", name=f"n{number}")
    assert [*metrics.metrics] == ["a_n0", "b_n0", "a_n1"]
    assert [one.counts.refusals["too_many_metrics"] for one in (first, second)] == [1, 2]


def test_metric_without_series_has_no_name() -> None:
    """What was refused, or has expired, is in nobody's way."""
    store = Store(lifetimes=Lifetimes.of_seconds([("b*", 10.0)]))
    endpoint = make_endpoint(store)
    send(endpoint, "gauge", "no number", name="a_total")
    send(endpoint, "counter", "1", name="a")
    send(endpoint, "gauge", "1", name="b_total")
    store.sweep(NOW + 11 * SECOND)
    send(endpoint, "counter", "1", now=NOW + 11 * SECOND, name="b")
    kinds = {name: metric.kind for name, metric in endpoint.metrics.metrics.items()}
    assert kinds == {"a_total": Kind.COUNTER, "b_total": Kind.COUNTER}
    assert [metric.name for metric in store] == ["a_total", "b_total"]


@pytest.mark.parametrize(("kind", "name"), [("counter", "n_total"), ("gauge", "n"), ("timer", "n_seconds")])
def test_series_of_a_metric_are_limited_as_those_of_programs(kind: str, name: str) -> None:
    """What is not kept is refused, and counted at the metric too."""
    endpoint = make_endpoint(Store(max_series=1, max_label_value_bytes=10))
    for logger in ("a", "b", "long" * 10, "a"):
        send(endpoint, kind, "1", logger=logger, name="n")
    assert [*read_series(endpoint)] == [(name, (b"a",))]
    assert (endpoint.counts.delivered, endpoint.counts.refusals["too_many_series"]) == (2, 2)
    metric = endpoint.metrics.metrics[name]
    assert (metric.overflows, metric.values_too_long) == (1, 1)


def test_series_of_all_metrics_are_limited_together() -> None:
    """A stranger chooses names and loggers; what has expired makes room, which is looked for once a second."""
    store = Store(lifetimes=Lifetimes.of_seconds([("a", 10.0)]))
    endpoint = make_endpoint(store, max_series=3)
    for name, logger in (("a", "1"), ("b", "1"), ("b", "2"), ("a", "2"), ("c", "1"), ("b", "2")):
        send(endpoint, "gauge", "1", logger=logger, name=name)
    kept = [("a", (b"1",)), ("b", (b"1",)), ("b", (b"2",))]
    assert [*read_series(endpoint)] == kept
    assert (endpoint.counts.delivered, endpoint.counts.refusals["too_many_series"]) == (4, 2)
    store.sweep(NOW + 11 * SECOND)
    send(endpoint, "gauge", "1", now=NOW + 11 * SECOND, logger="3", name="c")
    send(endpoint, "gauge", "1", now=NOW + 11 * SECOND, logger="4", name="c")
    assert [*read_series(endpoint)] == [*kept[1:], ("c", (b"3",))]
    assert endpoint.counts.refusals["too_many_series"] == 3


def test_label_value_that_is_too_long_takes_no_room() -> None:
    """There is no series of it."""
    endpoint = make_endpoint(Store(max_label_value_bytes=10), max_series=1)
    for logger in ("long" * 10, "short"):
        send(endpoint, "gauge", "1", logger=logger, name="n")
    assert [*read_series(endpoint)] == [("n", (b"short",))]


def test_series_that_expired_begins_anew() -> None:
    """Their stamps are those of reading, whatever clock the sender has."""
    store = Store(lifetimes=Lifetimes.of_seconds([("*", 10.0)]))
    endpoint = make_endpoint(store)
    send(endpoint, "counter", "5", name="n")
    store.sweep(NOW + 5 * SECOND)
    assert read_series(endpoint) == {("n_total", (b"",)): 5.0}
    store.sweep(NOW + 11 * SECOND)
    assert read_series(endpoint) == {}
    send(endpoint, "counter", "1", now=NOW + 12 * SECOND, name="n")
    assert read_series(endpoint) == {("n_total", (b"",)): 1.0}


def test_what_is_remembered_of_names_and_loggers_is_limited() -> None:
    """What a stranger thinks of does not fill the memory."""
    endpoint = make_endpoint(max_metrics=5)
    for number in range(MAX_REMEMBERED + 50):
        send(endpoint, "gauge", "1", logger=f"l{number}", name=f"n{number}")
    send(endpoint, "gauge", "1", logger="l" * 5000, name="n" * 5000)
    assert len(endpoint.places) <= MAX_REMEMBERED
    assert len(endpoint.keys) <= MAX_REMEMBERED
    assert max(map(len, endpoint.keys)) < 10
    assert_accounted(endpoint.counts)


# An earlier run ----------------------------------------------------------------------------------


def save(endpoint: StoreEndpoint, name: str) -> Metric:
    """Return a metric as a state file gives it back."""
    metric = endpoint.metrics.metrics[name]
    saved = Metric(name, kind=metric.kind, value_type=metric.value_type, program=ROUTER, label_names=metric.label_names)
    saved.lower, saved.bounds = metric.lower, metric.bounds
    saved.data.update(metric.data)
    return saved


@pytest.mark.parametrize(("kind", "name"), [("counter", "n_total"), ("gauge", "n"), ("timer", "n_seconds")])
def test_metric_of_an_earlier_run_goes_on(kind: str, name: str) -> None:
    """It is there before the first message."""
    old = make_endpoint()
    send(old, kind, "5", name="n")
    new = make_endpoint()
    assert new.metrics.restore(save(old, name), new.settings, new.source, NOW)
    before = read_series(new)
    assert before == read_series(old)
    send(new, kind, "5", name="n")
    after = read_series(new)
    assert [*after] == [*before]
    assert (after == before) is (kind == "gauge")


def test_series_of_an_earlier_run_take_room() -> None:
    """Or each restart would let as many more come."""
    old = make_endpoint()
    for logger in ("a", "b"):
        send(old, "counter", "5", logger=logger, name="n")
    new = make_endpoint(max_series=3)
    assert new.metrics.restore(save(old, "n_total"), new.settings, new.source, NOW)
    for logger in ("c", "d"):
        send(new, "counter", "1", logger=logger, name="n")
    assert [*read_series(new)] == [("n_total", (logger,)) for logger in (b"a", b"b", b"c")]


@pytest.mark.parametrize(
    ("kind", "name", "labels", "buckets"),
    [("counter", "n_total", ("x",), TIMER_BUCKETS), ("timer", "n_seconds", (), (1.0, 2.0))],
)
def test_metric_that_would_be_made_otherwise_begins_anew(
    kind: str, name: str, labels: tuple[str, ...], buckets: tuple[float, ...]
) -> None:
    """Its series would not mean the same."""
    old = make_endpoint()
    send(old, kind, "5", name="n")
    new = make_endpoint(labels=labels, buckets=buckets)
    assert not new.metrics.restore(save(old, name), new.settings, new.source, NOW)
    assert read_series(new) == {}


def test_metric_whose_name_a_program_has_by_now_is_let_go() -> None:
    """The program was there first in this run."""
    old = make_endpoint()
    send(old, "counter", "5", name="n")
    store = Store()
    register(store, "n_total", Kind.COUNTER)
    new = make_endpoint(store)
    assert not new.metrics.restore(save(old, "n_total"), new.settings, new.source, NOW)


# Whatever comes ----------------------------------------------------------------------------------

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from(["counter", "timer", "gauge"]), st.text()),
            st.one_of(st.sampled_from(["1", "2.5", "-1"]), st.text(), st.floats().map(str)),
            st.text(),
            st.fixed_dictionaries({}, optional={"name": JSON, "rate": JSON, "route": JSON}),
        ),
        max_size=5,
    )
)
def test_any_message_is_counted_or_refused(messages: list[tuple[str, str, str, dict[str, object]]]) -> None:
    """Nothing that a stranger can write breaks the page or the accounts."""
    store = Store()
    endpoint = make_endpoint(store, labels=("route",))
    for kind, payload, logger, fields in messages:
        endpoint.take([make_message(type=kind, payload=payload, logger=logger, fields=fields)], NOW)
    assert_accounted(endpoint.counts)
    assert endpoint.counts.refused == sum(endpoint.counts.refusals.values())
    counted = [one for metric in store for one in metric.data.values()]
    assert all(one.value == one.value for one in counted if isinstance(one, Datum))
    for line in render(store).rstrip("\n").split("\n") if counted else ():
        assert line.startswith(("#", *endpoint.metrics.metrics)), line


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_reads_what_python_writes(number: float) -> None:
    """Generators of all languages write numbers that way."""
    assert read_number(repr(number)) == number
