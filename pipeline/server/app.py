"""What is served over HTTP: a path → a format, and the pages for people.

Answers are for scrapers and for people who look by hand. Nothing can be changed over HTTP:
every path answers GET and HEAD only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import cast

from hypercorn.typing import ASGIFramework
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.formats import LineOptions, PrometheusOptions
from pipeline.metrics import Snapshot
from pipeline.server.health import list_routes
from pipeline.server.html import list_html_routes, make_content_policy
from pipeline.server.line_pages import list_line_routes
from pipeline.server.pages import Pages
from pipeline.server.status import ProgramDetails, Status, UnknownProgram


def know_no_program(_name: str) -> UnknownProgram:
    """Answer for a daemon without programs."""
    return UnknownProgram()


@dataclass(frozen=True, slots=True)
class Answers:
    """Where answers come from. Each is called when a request needs it.

    A snapshot may be a view: its series are read slice by slice, while lines change them.
    """

    take_snapshot: Callable[[], Snapshot]
    read_status: Callable[[], Status]
    is_ready: Callable[[], bool]
    """Whether everything runs, so that systemd has been told, or would be, and the end has not begun."""
    read_program: Callable[[str], ProgramDetails | UnknownProgram] = know_no_program
    """Gives what the page of a program shows, by its file name."""


def make_app(answers: Answers, options: PrometheusOptions, line_options: LineOptions | None = None) -> ASGIFramework:
    """Return the app that serves what `answers` gives."""
    pages = Pages(answers.take_snapshot, options)
    app = Starlette(
        routes=[
            *list_html_routes(pages, answers.read_status, answers.read_program),
            Route("/metrics", pages.answer_metrics),
            Route("/json", pages.answer_json),
            *list_line_routes(pages, line_options or LineOptions()),
            *list_routes(answers.is_ready),
        ]
    )
    # A redirect would name the scheme and host of this side of a proxy.
    app.router.redirect_slashes = False
    return cast("ASGIFramework", with_security_headers(app))


@cache
def make_security_headers() -> list[tuple[bytes, bytes]]:
    """Return headers for every answer: no script, nothing from elsewhere, no guessing of types."""
    return [
        (b"content-security-policy", make_content_policy().encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
    ]


def with_security_headers(app: ASGIApp) -> ASGIApp:
    """Return `app` with our headers on every answer, those for errors too."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *make_security_headers()]
            await send(message)

        await app(scope, receive, send_with_headers)

    return wrapped
