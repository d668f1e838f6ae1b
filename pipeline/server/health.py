"""Whether the daemon answers, and whether it is ready: for load balancers and for people, a sentence each."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def list_routes(is_ready: Callable[[], bool]) -> list[Route]:
    """Return the paths that Prometheus has for the same questions."""

    async def answer_healthy(request: Request) -> Response:
        return PlainTextResponse("syslog-pipeline is healthy.\n")

    async def answer_ready(request: Request) -> Response:
        if is_ready():
            return PlainTextResponse("syslog-pipeline is ready.\n")
        return PlainTextResponse("syslog-pipeline is starting or stopping.\n", HTTPStatus.SERVICE_UNAVAILABLE)

    return [Route("/-/healthy", answer_healthy), Route("/-/ready", answer_ready)]
