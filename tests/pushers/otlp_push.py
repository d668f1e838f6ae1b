"""A push over OTLP by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pipeline.formats.otlp import MAX_POINTS
from pipeline.metrics import Store
from pipeline.push_settings import OtlpSettings, PushSettings
from pipeline.pushers import PushTask
from pipeline.pushers.otlp import OtlpPusher
from tests.pushers.awkward import NOW
from tests.pushers.by_hand import make_context, make_counter_store, make_task
from tests.pushers.http_peer import Reply

KEY = "s3cret-key-of-an-api"
GOOD = Reply(headers={"content-type": "application/x-protobuf"})


@dataclass
class Push:
    """A push over OTLP, as settings and metrics say."""

    url: str
    store: Store = field(default_factory=make_counter_store)
    settings: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    now: int = NOW
    max_points: int = MAX_POINTS
    task: PushTask = field(init=False)

    def __post_init__(self) -> None:
        settings = PushSettings(otlp=OtlpSettings(otlp_endpoint=self.url, **self.settings), **self.more)
        self.task = make_task(settings, lambda: self.store, make_context(read_clock=lambda: self.now))
        pusher = self.task.pusher
        assert isinstance(pusher, OtlpPusher)
        pusher.max_points = self.max_points
        self.spool = pusher.spool

    async def __call__(self, told: str = "") -> None:
        """Push, which fails as `told`, or goes well."""
        await self.task.push()
        assert self.task.failure == told, self.task.failure

    @property
    def problems(self) -> tuple[str, ...]:
        """What is said of the last push."""
        return self.task.pusher.problems


@asynccontextmanager
async def pushing(url: str, **rest: Any) -> AsyncIterator[Push]:  # noqa: ANN401 - of several types
    """Give a push whose connection is closed in the end."""
    push = Push(url, **rest)
    try:
        yield push
    finally:
        await push.task.disconnect()
