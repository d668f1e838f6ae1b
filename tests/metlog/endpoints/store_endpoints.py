"""Store endpoints on stores of their own, and what messages have made there."""

from __future__ import annotations

from pipeline.formats import prometheus
from pipeline.metlog.endpoints.message_metrics import MessageMetrics
from pipeline.metlog.endpoints.store import StoreEndpoint
from pipeline.metlog_settings import TIMER_BUCKETS, StoreEndpointSettings
from pipeline.metrics import HistogramDatum, Store
from tests.metlog.endpoints.messages import NOW, make_message

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


def render(store: Store) -> str:
    """Return the page of the metrics."""
    return prometheus.render(store.snapshot()).decode()
