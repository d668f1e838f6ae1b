"""What messages may take of the store: names that nobody else has, and so much room, over restarts too."""

from __future__ import annotations

import pytest

from pipeline.metlog.endpoints.message_metrics import MessageMetrics
from pipeline.metlog.endpoints.store import MAX_REMEMBERED, StoreEndpoint
from pipeline.metlog_settings import TIMER_BUCKETS, StoreEndpointSettings
from pipeline.metrics import ROUTER, Kind, Lifetimes, Metric, Store, ValueType
from tests.metlog.endpoints.messages import NOW, assert_accounted, make_message
from tests.metlog.endpoints.store_endpoints import SECOND, make_endpoint, read_series, render, send

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
