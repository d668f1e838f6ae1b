"""The store as an endpoint: what becomes of counters, timers and gauges, and of what can be none."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metlog.endpoints.message_metrics import MAX_NAME_CHARACTERS, MessageMetrics, name_metric
from pipeline.metlog.endpoints.store import StoreEndpoint, read_number
from pipeline.metlog_settings import StoreEndpointSettings
from pipeline.metrics import Datum, HistogramDatum, Kind, Store
from tests.metlog.endpoints.messages import NOW, assert_accounted, make_message
from tests.metlog.endpoints.store_endpoints import SECOND, make_endpoint, read_series, render, send


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
