"""A push by remote write, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Kind, Metric, Store, ValueType
from pipeline.push_settings import PushSettings, RemoteWriteSettings
from pipeline.pushers import PushTask
from pipeline.pushers.remote_write import RemoteWritePusher
from tests.pushers.awkward import NOW
from tests.pushers.by_hand import make_context, make_counter_store, make_task

SECOND = 10**9


def make_metric(name: str = "hits_total", *label_names: str, kind: Kind = Kind.COUNTER, **rest: Any) -> Metric:  # noqa: ANN401
    """Return a metric of a program."""
    value_type = ValueType.BUCKETS if kind is Kind.HISTOGRAM else ValueType.INT
    return Metric(name, kind=kind, value_type=value_type, program="a.mtail", label_names=label_names, **rest)


@dataclass
class Push:
    """A push by remote write, as settings and metrics say."""

    url: str
    store: Store = field(default_factory=make_counter_store)
    settings: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    options: PrometheusOptions = field(default_factory=PrometheusOptions)
    host: str = "web1"
    now: int = NOW
    task: PushTask = field(init=False)
    pusher: RemoteWritePusher = field(init=False)

    def __post_init__(self) -> None:
        settings = PushSettings(
            remote_write=RemoteWriteSettings(remote_write_url=self.url, **self.settings), **self.more
        )
        context = make_context(self.options, host=self.host, read_clock=lambda: self.now)
        self.task = make_task(settings, lambda: self.store, context)
        assert isinstance(self.task.pusher, RemoteWritePusher)
        self.pusher = self.task.pusher

    async def __call__(self, told: str = "") -> None:
        """Push, which fails as `told`, or goes well; the next push is a second later."""
        await self.task.push()
        assert self.task.failure == told, self.task.failure
        self.now += SECOND

    async def keep(self) -> None:
        """Let a second of a pause pass."""
        await self.pusher.keep(self.store.view().select_programs())
        self.now += SECOND


@asynccontextmanager
async def pushing(url: str, **rest: Any) -> AsyncIterator[Push]:  # noqa: ANN401 - of several types
    """Give a push whose connection is closed in the end."""
    push = Push(url, **rest)
    try:
        yield push
    finally:
        await push.task.disconnect()
