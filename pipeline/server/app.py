"""What is served over HTTP: a path → a format, and the status page.

Answers are for scrapers and for people who look by hand. Nothing can be changed over HTTP:
every path answers GET and HEAD only.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from hypercorn.typing import ASGIFramework
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline import __version__
from pipeline.formats import LineOptions, PrometheusOptions
from pipeline.metrics import Snapshot
from pipeline.server.health import list_routes
from pipeline.server.line_pages import list_line_routes
from pipeline.server.pages import Pages

PRODUCT = "syslog-pipeline"
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One program that was ever tried; `load_error` is why its present text does not load."""

    name: str
    is_running: bool
    load_error: str = ""
    runtime_errors: int = 0
    last_runtime_error: str = ""
    bound_to: tuple[str, ...] = ()
    """The sources it is bound to; none if it sees all."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source, and what came from it."""

    name: str
    lines: int
    bytes_read: int = 0
    errors: int = 0
    connections: int = 0
    """How many are open."""
    lag_bytes: int = 0
    """What a file holds and is not read yet."""


@dataclass(frozen=True, slots=True)
class PushStatus:
    """One destination that metrics are pushed to, and how that goes."""

    destination: str
    address: str
    pushes: int = 0
    failures: int = 0
    series: int = 0
    """How many the last push that went well wrote."""
    failure: str = ""
    """Why the last push failed, if it did."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the status page shows."""

    programs: tuple[ProgramStatus, ...]
    sources: tuple[SourceStatus, ...]
    pushes: tuple[PushStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """Where answers come from. Each is called when a request needs it.

    A snapshot may be a view: its series are read slice by slice, while lines change them.
    """

    take_snapshot: Callable[[], Snapshot]
    read_status: Callable[[], Status]
    is_ready: Callable[[], bool]
    """Whether everything runs, so that systemd has been told, or would be, and the end has not begun."""


def make_app(answers: Answers, options: PrometheusOptions, line_options: LineOptions | None = None) -> ASGIFramework:
    """Return the app that serves what `answers` gives."""
    pages = Pages(answers.take_snapshot, options)

    async def answer_status(request: Request) -> Response:
        # Names of files need not be UTF-8.
        return HTMLResponse(render_status(answers.read_status()).encode("utf-8", "replace"))

    app = Starlette(
        routes=[
            Route("/", answer_status),
            Route("/metrics", pages.answer_metrics),
            Route("/json", pages.answer_json),
            *list_line_routes(pages, line_options or LineOptions()),
            *list_routes(answers.is_ready),
        ]
    )
    # A redirect would name the scheme and host of this side of a proxy.
    app.router.redirect_slashes = False
    return cast("ASGIFramework", with_security_headers(app))


def render_status(status: Status) -> str:
    """Return the status page."""
    return load_page().render(name=PRODUCT, version=__version__, style=read_style(), status=status)


@cache
def load_page() -> Template:
    """Return the template of the status page; Jinja escapes whatever is put into it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["grouped"] = "{:,}".format
    return environment.get_template("status.html")


@cache
def read_style() -> Markup:
    """Return the style sheet, which is ours and needs no escaping."""
    return Markup((TEMPLATES / "status.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


@cache
def make_security_headers() -> list[tuple[bytes, bytes]]:
    """Return headers for every answer: no script, nothing from elsewhere, no guessing of types."""
    digest = b64encode(hashlib.sha256(read_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return [
        (b"content-security-policy", policy.encode()),
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
