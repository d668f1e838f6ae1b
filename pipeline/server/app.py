"""What is served over HTTP: a path → a format, and the status page.

Answers are for scrapers and for people who look by hand. Nothing can be changed over HTTP:
every path answers GET and HEAD only.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

import trio
from hypercorn.typing import ASGIFramework
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline import __version__
from pipeline.formats import PrometheusOptions, json, prometheus
from pipeline.metrics import Snapshot

logger = logging.getLogger(__name__)

PRODUCT = "syslog-pipeline"
TEMPLATES = Path(__file__).parent / "templates"

# A page of 100,000 series takes 0.06 s at level 1 and 0.13 s at level 6, and is 10 % larger (measured).
GZIP_LEVEL = 1

# Two scrapers, or one and a person. More wait for their turn; lines need the processor too.
MAX_RENDERINGS = 2

MAX_REPORTED_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One program that was ever tried; `load_error` is why its present text does not load."""

    name: str
    is_running: bool
    load_error: str = ""
    runtime_errors: int = 0
    last_runtime_error: str = ""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source, and how many lines came from it."""

    name: str
    lines: int


@dataclass(frozen=True, slots=True)
class Status:
    """What the status page shows."""

    programs: tuple[ProgramStatus, ...]
    sources: tuple[SourceStatus, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """Where answers come from. Both are called for each request."""

    take_snapshot: Callable[[], Snapshot]
    read_status: Callable[[], Status]


def make_app(answers: Answers, options: PrometheusOptions) -> ASGIFramework:
    """Return the app that serves what `answers` gives."""
    limiter = trio.CapacityLimiter(MAX_RENDERINGS)
    reporter = ProblemReporter()

    async def answer_metrics(request: Request) -> Response:
        names = frozenset(request.query_params.getlist("name[]"))
        problems: list[str] = []

        def render(snapshot: Snapshot) -> bytes:
            return prometheus.render(select_names(snapshot, names), options, problems)

        response = await answer_page(request, prometheus.CONTENT_TYPE, render)
        reporter.report(problems)
        return response

    async def answer_json(request: Request) -> Response:
        return await answer_page(request, json.CONTENT_TYPE, json.render)

    async def answer_page(request: Request, content_type: str, render: Callable[[Snapshot], bytes]) -> Response:
        """Return the page, compressed if the client takes that.

        It is made in a thread, so that lines keep flowing meanwhile: a page of 100,000 series
        takes 0.6 s, JSON 1 s (measured), in which the loop would stand still.
        """
        headers = {"Content-Type": content_type, "Vary": "Accept-Encoding"}
        if request.method == "HEAD":
            return drop_length(Response(headers=headers))
        encode = leave
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            encode = compress
        async with limiter:
            snapshot = answers.take_snapshot()
            page = await trio.to_thread.run_sync(lambda: encode(render(snapshot)))
        return Response(page, headers=headers)

    async def answer_status(request: Request) -> Response:
        return HTMLResponse(render_status(answers.read_status()))

    app = Starlette(
        routes=[
            Route("/", answer_status),
            Route("/metrics", answer_metrics),
            Route("/json", answer_json),
        ]
    )
    # A redirect would name the scheme and host of this side of a proxy.
    app.router.redirect_slashes = False
    return cast("ASGIFramework", with_security_headers(app))


def leave(page: bytes) -> bytes:
    """Return `page` as it is."""
    return page


def compress(page: bytes) -> bytes:
    """Return `page` in gzip's format, the same for the same page."""
    return gzip.compress(page, GZIP_LEVEL, mtime=0)


def drop_length(response: Response) -> Response:
    """Take away the length of a body that was not made."""
    del response.headers["content-length"]
    return response


def accepts_gzip(header: str) -> bool:
    """Tell whether an `Accept-Encoding` header (RFC 9110 section 12.5.3) allows gzip."""
    weights = {}
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        weights[name.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return weights.get("gzip", weights.get("*", False))


def select_names(snapshot: Snapshot, names: frozenset[str]) -> Snapshot:
    """Return the metrics that the parameters `name[]` name, all if there is none."""
    if not names:
        return snapshot
    return Snapshot(
        tuple(metric for metric in snapshot.metrics if prometheus.NAME_MISFITS.sub("_", metric.name) in names)
    )


class ProblemReporter:
    """Logs what a page had to leave out: each thing once, and only so many, since label values are a stranger's."""

    def __init__(self) -> None:
        self.reported: set[str] = set()

    def report(self, problems: Iterable[str]) -> None:
        """Log what is new."""
        for problem in problems:
            if problem not in self.reported and len(self.reported) < MAX_REPORTED_PROBLEMS:
                self.reported.add(problem)
                logger.warning("%s", problem)


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
