"""The router as a part of the daemon: which endpoints there are, what goes on from an earlier run, and the end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack

import pytest
import trio
from trio.testing import MockClock

from pipeline.batch import Batch
from pipeline.metlog.endpoints import Endpoint, EndpointContext, Message
from pipeline.metlog.router import RouterService
from pipeline.metlog_settings import MetlogSettings, RouteSettings, StoreEndpointSettings
from pipeline.metrics import ROUTER, Kind, Metric, Store, ValueType
from tests.metlog.endpoints.messages import NOW

CONTEXT = EndpointContext(host="h", read_clock=lambda: NOW)
ALL = RouteSettings(to=("store",))


def make_service(*routes: RouteSettings, **endpoints: StoreEndpointSettings) -> RouterService:
    """Return a service with these endpoints."""
    settings = MetlogSettings(metlog_logs=("-",), endpoints=endpoints, routes=routes or (ALL,))
    return RouterService(settings, Store(), lambda _batch, _now: None, CONTEXT)


def test_endpoints_are_those_that_are_set_or_named() -> None:
    """One that is set is there without a route too, as its spool may have something."""
    service = make_service(
        RouteSettings(to=("drop", "extra")), spare=StoreEndpointSettings(), extra=StoreEndpointSettings()
    )
    assert [*service.endpoints] == ["spare", "extra", "drop"]
    assert [counts.name for counts in service.counts.endpoints] == ["spare", "extra", "drop"]


def test_store_may_be_set_under_its_own_name() -> None:
    """Its keys hold for the one that there is."""
    service = make_service(store=StoreEndpointSettings(prefix="app_"))
    (store,) = service.stores
    assert store.settings.prefix == "app_"


def save(name: str, *labels: str) -> Metric:
    """Return a counter of an earlier run."""
    metric = Metric(name, kind=Kind.COUNTER, value_type=ValueType.FLOAT, program=ROUTER, label_names=labels)
    metric.new(tuple(b"x" for _ in labels), 1)
    return metric


def test_each_metric_goes_on_in_a_store_that_would_make_it(caplog: pytest.LogCaptureFixture) -> None:
    """Of several, the first; what none would make is let go, and some of it named."""
    store = Store()
    service = make_two(store)
    lost = [save(f"lost{number}_total", "other") for number in range(12)]
    with caplog.at_level(logging.WARNING):
        service.restore([save("a_total", "logger"), save("b_total", "logger", "route"), *lost], NOW)
    assert {metric.name: metric.label_names for metric in store} == {
        "a_total": ("logger",),
        "b_total": ("logger", "route"),
    }
    assert caplog.messages == [
        "These metrics of messages begin anew, as no store would go on with them: "
        "lost0_total, lost1_total, lost2_total, lost3_total, lost4_total, lost5_total, lost6_total, lost7_total, "
        "lost8_total, lost9_total, and 2 more."
    ]


def test_metric_goes_on_in_the_store_of_its_prefix() -> None:
    """Elsewhere it would take the room of others; what no store has a prefix for, none would make."""
    plain = StoreEndpointSettings(prefix="a_", max_metrics=1)
    longer = StoreEndpointSettings(prefix="a_b_")
    service = make_service(RouteSettings(to=("plain", "longer")), plain=plain, longer=longer)
    saved = [save(name, "logger") for name in ("a_b_1_total", "a_b_2_total", "a_c_total", "c_total")]
    service.restore(saved, NOW)
    assert {name: metric.source for name, metric in service.metrics.metrics.items()} == {
        "a_b_1_total": "metlog.endpoint.longer",
        "a_b_2_total": "metlog.endpoint.longer",
        "a_c_total": "metlog.endpoint.plain",
    }


def make_two(store: Store) -> RouterService:
    """Return a service with two stores, of which one has a label more."""
    endpoints = {"plain": StoreEndpointSettings(), "routed": StoreEndpointSettings(labels=("route",))}
    settings = MetlogSettings(endpoints=endpoints, routes=(RouteSettings(to=("plain", "routed")),))
    return RouterService(settings, store, lambda _batch, _now: None, CONTEXT)


class Slow(Endpoint):
    """Takes its time at the end."""

    def __init__(self, name: str, seconds: float, ends: list[str]) -> None:
        super().__init__(name, "here")
        self.seconds = seconds
        self.ends = ends

    def take(self, messages: Sequence[Message], _now: int) -> None:
        self.counts.taken += len(messages)

    async def run(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.ends.append(f"{self.name} ran")

    async def finish(self) -> None:
        await trio.sleep(self.seconds)
        self.ends.append(f"{self.name} finished")

    def close(self) -> None:
        self.ends.append(f"{self.name} closed")


async def test_end_waits_for_all_endpoints_side_by_side_and_not_for_ever(autojump_clock: MockClock) -> None:
    """One that hangs takes no time from the others, and is closed all the same."""
    ends: list[str] = []
    service = make_service()
    service.endpoints = {name: Slow(name, seconds, ends) for name, seconds in (("a", 3), ("b", 4), ("c", 1000))}
    with ExitStack() as stack:
        service.prepare(stack)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.run)
            began = trio.current_time()
            await service.finish(5)
            assert trio.current_time() - began == 5
            nursery.cancel_scope.cancel()
    assert ends[:2] == ["a finished", "b finished"]
    assert sorted(ends[2:5]) == ["a ran", "b ran", "c ran"]
    assert ends[5:] == ["c closed", "b closed", "a closed"]


def test_refresh_reaches_all_stores() -> None:
    """Whatever they remember."""
    store = Store()
    service = make_two(store)
    service.router.route(Batch.of([b'{"type":"gauge","payload":"1","fields":{"name":"x"}}'], b"-"), NOW)
    assert [len(one.places) for one in service.stores] == [1, 1]
    service.refresh()
    assert [len(one.places) for one in service.stores] == [0, 0]
