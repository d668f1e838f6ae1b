"""What is served over HTTP: a path → a format, and the status page.

Answers are for scrapers and for people who look by hand. Nothing can be changed over HTTP:
every path answers GET and HEAD only.
"""

from __future__ import annotations

import hashlib
import logging
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
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
from pipeline.server.slices import SlicedResponse, compress, gather, take_step

logger = logging.getLogger(__name__)

PRODUCT = "syslog-pipeline"
TEMPLATES = Path(__file__).parent / "templates"

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
    """Where answers come from. Both are called for each request.

    A snapshot may be a view: its series are read slice by slice, while lines change them.
    """

    take_snapshot: Callable[[], Snapshot]
    read_status: Callable[[], Status]


def make_app(answers: Answers, options: PrometheusOptions) -> ASGIFramework:
    """Return the app that serves what `answers` gives."""
    metrics = prometheus.Page(options)
    refreshing = trio.Lock()
    turn = trio.Lock()
    reporter = ProblemReporter()

    async def answer_metrics(request: Request) -> Response:
        if request.method == "HEAD":
            return answer_head(prometheus.CONTENT_TYPE)
        async with refreshing:
            steps = metrics.refresh(answers.take_snapshot(), request.query_params.getlist("name[]"))
            while await take_step(steps, turn, "end") != "end":
                pass
            pieces = metrics.write()
            reporter.report(metrics.problems)
        return answer_page(request, prometheus.CONTENT_TYPE, pieces)

    async def answer_json(request: Request) -> Response:
        if request.method == "HEAD":
            return answer_head(json.CONTENT_TYPE)
        return answer_page(request, json.CONTENT_TYPE, json.write(answers.take_snapshot()))

    def answer_page(request: Request, content_type: str, pieces: Iterator[bytes]) -> Response:
        """Return the page, compressed if the client takes that, and sent while it is made."""
        headers = {"Content-Type": content_type, "Vary": "Accept-Encoding"}
        slices = gather(pieces)
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            slices = compress(slices)
        return SlicedResponse(slices, turn, headers)

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


def answer_head(content_type: str) -> Response:
    """Return the headers of a page that is not made, so that its length is not known."""
    response = Response(headers={"Content-Type": content_type, "Vary": "Accept-Encoding"})
    del response.headers["content-length"]
    return response


def accepts_gzip(header: str) -> bool:
    """Tell whether an `Accept-Encoding` header (RFC 9110 section 12.5.3) allows gzip."""
    weights = {}
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        weights[name.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return weights.get("gzip", weights.get("*", False))


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
