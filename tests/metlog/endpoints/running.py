"""Endpoints as the router makes them, run by hand or as its task."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from pipeline.endpoint_settings import EndpointSettings
from pipeline.metlog.endpoints import EndpointContext, make_endpoint
from pipeline.metlog.endpoints.queued_endpoint import QueuedEndpoint
from tests.metlog.endpoints.messages import NOW, assert_accounted

CONTEXT = EndpointContext(host="here", read_clock=lambda: NOW)
DEADLINE_SECONDS = 60.0
POLL_SECONDS = 0.002


def make(settings: EndpointSettings, name: str = "it") -> QueuedEndpoint:
    """Return an endpoint that is not prepared yet."""
    endpoint = make_endpoint(name, settings, CONTEXT)
    assert isinstance(endpoint, QueuedEndpoint)
    return endpoint


@asynccontextmanager
async def opened(settings: EndpointSettings, seconds: float = DEADLINE_SECONDS) -> AsyncIterator[QueuedEndpoint]:
    """Give an endpoint that does nothing by itself, for so long."""
    endpoint = make(settings)
    endpoint.prepare()
    try:
        with trio.fail_after(seconds):
            yield endpoint
    finally:
        await endpoint.disconnect_soon()
        endpoint.close()
        assert_accounted(endpoint.counts)


@asynccontextmanager
async def running(settings: EndpointSettings, seconds: float = DEADLINE_SECONDS) -> AsyncIterator[QueuedEndpoint]:
    """Give an endpoint whose task runs; at the end it has the time it needs."""
    async with opened(settings, seconds) as endpoint, trio.open_nursery() as nursery:
        nursery.start_soon(endpoint.run)
        yield endpoint
        nursery.cancel_scope.cancel()


async def send_all(endpoint: QueuedEndpoint) -> None:
    """Make attempts until nothing waits or one fails."""
    while endpoint.counts.queued and await endpoint.attempt():
        pass


async def wait_until(condition: Callable[[], object]) -> None:
    """Return when a condition holds."""
    while not condition():  # noqa: ASYNC110 - what is waited for is in no task of ours
        await trio.sleep(POLL_SECONDS)


def write_secret(folder: Path, text: str) -> Path:
    """Return a file that has a secret."""
    path = folder / "secret"
    path.write_text(text + "\n")
    return path
