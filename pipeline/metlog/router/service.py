"""The router and its endpoints as one part of the daemon: from settings to what runs, and back to nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import trio

from pipeline.batch import Batch
from pipeline.metlog.endpoints import Endpoint, EndpointContext, make_endpoint
from pipeline.metlog.endpoints.built_in import DropEndpoint, ProgramsEndpoint
from pipeline.metlog.endpoints.message_metrics import MessageMetrics
from pipeline.metlog.endpoints.store import StoreEndpoint
from pipeline.metlog.router.router import Router
from pipeline.metlog_settings import DROP, PROGRAMS, STORE, MetlogSettings, StoreEndpointSettings
from pipeline.metrics import ROUTER, Metric, Store

logger = logging.getLogger(__name__)

MAX_NAMED = 10
"""Metrics that one message of the log names."""


class RouterService:
    """What `settings` describe, wired. `prepare` it, then run `run` on Trio; `deliver` is for sources of envelopes."""

    def __init__(
        self,
        settings: MetlogSettings,
        store: Store,
        run_programs: Callable[[Batch, int], None],
        context: EndpointContext,
        *,
        native: bool = False,
    ) -> None:
        """`native` has timers count in buckets of powers too. `SettingError` where an endpoint cannot be used."""
        self.settings = settings
        self.metrics = MessageMetrics(store, native=native)
        self.endpoints = {name: self.make_endpoint(name, run_programs, context) for name in list_endpoints(settings)}
        self.router = Router(settings.routes, self.endpoints)
        self.counts = self.router.counts

    def make_endpoint(
        self, name: str, run_programs: Callable[[Batch, int], None], context: EndpointContext
    ) -> Endpoint:
        """Return the endpoint of a name: one that the operator has set, or one that there is."""
        if name == PROGRAMS:
            return ProgramsEndpoint(run_programs)
        if name == DROP:
            return DropEndpoint()
        settings = self.settings.endpoints.get(name, StoreEndpointSettings() if name == STORE else None)
        assert settings is not None
        if isinstance(settings, StoreEndpointSettings):
            return StoreEndpoint(name, settings, self.metrics)
        return make_endpoint(name, settings, context)

    @property
    def stores(self) -> list[StoreEndpoint]:
        """The endpoints that make metrics."""
        return [endpoint for endpoint in self.endpoints.values() if isinstance(endpoint, StoreEndpoint)]

    def prepare(self, stack: ExitStack) -> None:
        """Open what endpoints have to open; `stack` undoes it. Raises `SettingError` when that cannot be."""
        for name in self.settings.list_unused():
            logger.warning("No route goes to metlog.endpoint.%s: it gets no message.", name)
        for number in self.settings.list_idle_routes():
            logger.warning("metlog.route %d gets no message: a route before it takes all.", number)
        for endpoint in self.endpoints.values():
            stack.callback(endpoint.close)
            endpoint.prepare()

    def restore(self, metrics: Sequence[Metric], now: int) -> None:
        """Go on with the metrics of an earlier run that messages had made, as far as the settings still would."""
        lost = [metric.name for metric in metrics if metric.program == ROUTER and not self.restore_metric(metric, now)]
        if lost:
            more = f", and {len(lost) - MAX_NAMED} more" if len(lost) > MAX_NAMED else ""
            logger.warning(
                "These metrics of messages begin anew, as no store would go on with them: %s%s.",
                ", ".join(lost[:MAX_NAMED]),
                more,
            )

    def restore_metric(self, metric: Metric, now: int) -> bool:
        """Go on with one; return whether a store would make it, which is that of the longest prefix."""
        stores = sorted(self.stores, key=lambda store: len(store.settings.prefix), reverse=True)
        return any(self.metrics.restore(metric, store.settings, store.source, now) for store in stores)

    def refresh(self) -> None:
        """Take note of what programs show now: it may be what messages have made so far, or no longer be."""
        self.metrics.refresh()

    async def wait_room(self) -> None:
        """Return when a batch more has room, as far as that can be awaited."""
        for endpoint in self.endpoints.values():
            await endpoint.wait_room()

    def reopen(self) -> None:
        """Open anew what a log rotation may have moved away."""
        for endpoint in self.endpoints.values():
            endpoint.reopen()

    async def run(self) -> None:
        """Pass on what endpoints take, until cancelled."""
        async with trio.open_nursery() as nursery:
            for endpoint in self.endpoints.values():
                nursery.start_soon(endpoint.run)

    async def finish(self, timeout_seconds: float) -> None:
        """Pass on what is left, side by side, for so long at most; what is still left then stays or is lost."""
        with trio.move_on_after(timeout_seconds):
            async with trio.open_nursery() as nursery:
                for endpoint in self.endpoints.values():
                    nursery.start_soon(endpoint.finish)


def list_endpoints(settings: MetlogSettings) -> Iterator[str]:
    """Yield the endpoints that there are: those of the operator, and those that are named without being set."""
    named = dict.fromkeys(name for route in settings.routes for name in route.to)
    return iter(dict.fromkeys((*settings.endpoints, *named)))
